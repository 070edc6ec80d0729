"""The commands that show motion: `jaxosim view`, `jaxosim plot` and `jaxosim render`."""

import math
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import click
import numpy as np
import rich.progress

from jaxosim.cli import report
from jaxosim.cli.episodes import is_policy, played_by
from jaxosim.host import interrupts
from jaxosim.host.files import replacing
from jaxosim.models.load import load_model
from jaxosim.viewer import image, plots, video, web
from jaxosim.viewer.html import write_html
from jaxosim.viewer.motion import Motion, is_motion, load_motion
from jaxosim.viewer.scene import default_state

_MOTION = "MOTION is FILE.npz of `jaxosim rollout`, or a .sto or .mot table of OpenSim."
_SHOWN = f"{_MOTION} POLICY is policy.npz of `jaxosim train`, or a name in the package."
_MAX_PIXELS = 4096
_model_option = click.option(
    "--model", metavar="MODEL", help="Whose motion it is, where the file names no bundled model."
)
_geometry_option = click.option(
    "--geometry",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="Folder of bone meshes (.vtp, .stl, .obj); else Geometry beside the model file.",
)


class FiniteRange(click.FloatRange):
    """A range of numbers; click's own takes NaN, which is outside of every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number.

        Raises:
          BadParameter: it is none, or lies outside.
        """
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


def _pair(separator: str, what: str, largest: int):
    """A callback that reads two positive numbers, such as 960x720."""

    def read(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
        match = re.fullmatch(rf"([0-9]{{1,5}}){separator}([0-9]{{1,5}})", value)
        first, second = (int(match[1]), int(match[2])) if match else (0, 0)
        if not (1 <= first <= largest and 1 <= second <= largest):
            raise click.BadParameter(f"{value!r} is no {what} of numbers from 1 to {largest}.")
        return first, second

    return read


def _suffix(*allowed: str):
    """A callback that refuses an output file of another kind, and one that is a directory."""

    def check(
        context: click.Context, parameter: click.Parameter, value: pathlib.Path | None
    ) -> pathlib.Path | None:
        if value is not None and value.suffix.lower() not in allowed:
            raise click.BadParameter(f"{str(value)!r} does not end in {' or '.join(allowed)}.")
        if value is not None and value.is_dir():
            raise click.BadParameter(f"{str(value)!r} is a directory.")
        return value

    return check


def out_option(*suffixes: str, required: bool = True) -> Any:
    """The option `--out` for files of these kinds."""
    return click.option(
        "--out",
        required=required,
        type=click.Path(path_type=pathlib.Path),
        callback=_suffix(*suffixes),
        help=f"The file to write: {', '.join(suffixes)}.",
    )


def open_motion(name: str, model: str | None) -> Motion:
    """The motion of a file, an episode of a policy, or a model in its default pose.

    Raises:
      UsageError: the policy's task is no longer the one that it learned.
      TableFormatError: as `load_motion`; other errors likewise.
    """
    if is_policy(name):
        try:
            return played_by(name)
        except (ValueError, TypeError) as error:
            raise click.UsageError(f"{error}.") from error
    if is_motion(name):
        return load_motion(name, model)
    structure, params = load_model(name)
    return Motion.still(structure, params, default_state(params))


def check_finite(motion: Motion, worlds: Iterable[int]) -> None:
    """Refuse to draw worlds that have diverged.

    Raises:
      ClickException: one has; the message says which, and from when on.
      ModelMismatchError: there is no such world.
    """
    for world in worlds:
        states = motion.world(world)
        is_finite = np.all(
            [
                np.isfinite(x).reshape(len(motion.time), -1).all(axis=1)
                for x in vars(states).values()
            ],
            axis=0,
        )
        if not is_finite.all():
            start = motion.time[int(np.argmin(is_finite))]
            raise click.ClickException(
                f"{motion.name}: world {world} diverged: it is not finite from {start:.6g} s on"
            )


@click.command(epilog=_MOTION, short_help="Plot MOTIONs against time.")
@click.argument("motions", nargs=-1, required=True, metavar="MOTION...")
@out_option(*plots.SUFFIXES)
@_model_option
@click.option(
    "--what",
    multiple=True,
    type=click.Choice(plots.QUANTITIES),
    help="Which quantities; all if absent. Several may be given.",
)
@click.option(
    "--reference", metavar="MOTION", help="Plot each motion minus this one: the difference."
)
def plot(
    motions: tuple[str, ...],
    out: pathlib.Path,
    model: str | None,
    what: tuple[str, ...],
    reference: str | None,
) -> None:
    """Plot angles, ground reactions, activations and fiber lengths of MOTIONs over each other."""
    loaded = [load_motion(name, model) for name in motions]
    base = load_motion(reference, model) if reference is not None else None
    with replacing(out) as unfinished:
        plots.plot_motions(loaded, unfinished, what or plots.QUANTITIES, base)
    click.echo(f"wrote {out}")


@click.command(epilog=_SHOWN, short_help="Draw MOTION, MODEL or POLICY as an image or a video.")
@click.argument("motion", metavar="MOTION|MODEL|POLICY")
@out_option(*image.VIDEO_SUFFIXES, *image.IMAGE_SUFFIXES)
@_model_option
@_geometry_option
@click.option("--view", type=click.Choice(sorted(image.VIEWS)), default="side", show_default=True)
@click.option("--zoom", type=FiniteRange(0.1, 20), default=1.0, show_default=True)
@click.option("--follow/--no-follow", default=True, help="Whether the camera follows the model.")
@click.option(
    "--size",
    default="960x720",
    show_default=True,
    callback=_pair("x", "width x height", _MAX_PIXELS),
    help="Pixels.",
)
@click.option(
    "--grid",
    default="1x1",
    show_default=True,
    callback=_pair("x", "rows x columns", 16),
    help="Worlds side by side.",
)
@click.option(
    "--world", type=click.IntRange(min=0), default=0, show_default=True, help="The first."
)
@click.option("--fps", type=FiniteRange(1, 120), default=30.0, show_default=True)
@click.option(
    "--speed", type=FiniteRange(0.01, 20), default=1.0, show_default=True, help="1: real time."
)
@click.option("--at", type=FiniteRange(), help="Second that a .png shows; the middle if absent.")
def render(
    motion: str,
    out: pathlib.Path,
    model: str | None,
    geometry: pathlib.Path | None,
    view: str,
    zoom: float,
    follow: bool,
    size: tuple[int, int],
    grid: tuple[int, int],
    world: int,
    fps: float,
    speed: float,
    at: float | None,
) -> None:
    """Draw MOTION, MODEL in its default pose, or an episode of POLICY, without a display."""
    shown = open_motion(motion, model)
    last = min(world + grid[0] * grid[1], shown.world_count)
    check_finite(shown, range(world, max(last, world + 1)))
    columns = rich.progress.Progress.get_default_columns()
    with (
        replacing(out) as unfinished,
        rich.progress.Progress(*columns, console=report.error_console()) as progress,
    ):
        task = progress.add_task("frames", total=None)
        video.render_motion(
            shown,
            unfinished,
            size=size,
            camera=image.Camera(view, zoom, follow),
            grid=grid,
            first_world=world,
            rate=fps,
            speed=speed,
            at=at,
            geometry=geometry,
            advance=lambda done, count: progress.update(task, completed=done, total=count),
        )
    click.echo(f"wrote {out}")


@click.command(epilog=_SHOWN, short_help="Show MOTION, MODEL or POLICY in the browser.")
@click.argument("motion", metavar="MOTION|MODEL|POLICY")
@click.option(
    "--html",
    type=click.Path(path_type=pathlib.Path),
    callback=_suffix(".html"),
    help="Write a page that plays MOTION offline, and end.",
)
@_model_option
@_geometry_option
@click.option("--port", type=click.IntRange(1024, 65535), default=8080, show_default=True)
@click.option("--world", type=click.IntRange(min=0), default=0, help="World of the page.")
@click.option("--fps", type=FiniteRange(1, 120), default=30.0, help="Of the page.")
@click.option("--follow/--no-follow", default=True, help="Whether the page follows the model.")
def view(
    motion: str,
    html: pathlib.Path | None,
    model: str | None,
    geometry: pathlib.Path | None,
    port: int,
    world: int,
    fps: float,
    follow: bool,
) -> None:
    """Play MOTION or an episode of POLICY, or pose and drive MODEL, on a page.

    Only this machine can open the page.
    """
    shown = open_motion(motion, model)
    folder = str(geometry) if geometry is not None else None
    if html is not None:
        check_finite(shown, (world,))
        with replacing(html) as unfinished:
            write_html(shown, unfinished, world=world, rate=fps, follow=follow, geometry=folder)
        click.echo(f"wrote {html}")
        return
    viewer = web.WebViewer(shown, port, folder)
    click.echo(f"open {viewer.url} (this machine only; end with Ctrl-C)")
    try:
        with interrupts.as_the_end():
            viewer.serve()
    except KeyboardInterrupt:
        viewer.close()
