"""A run as a picture or a film in a file. Needs the extra `video`."""

import errno
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from jaxosim.files import replacing
from jaxosim.optional import require
from jaxosim.types import State
from jaxosim.viewer.instant import instants_function
from jaxosim.viewer.pictures import FILM_SUFFIXES, Camera, Painter
from jaxosim.viewer.run import Run
from jaxosim.viewer.scene import build_scene

_QUALITY = 7  # of H.264, from 0 to 10


def frame_numbers(time: np.ndarray, rate: float, speed: float = 1.0) -> np.ndarray:
    """Which sample of a run each frame shows: the nearest to the frame's time.

    Args:
      time: `[time]` (s), not decreasing.
      rate: (1/s) frames per second of the film.
      speed: seconds of the run per second of the film.
    """
    count = max(1, round((time[-1] - time[0]) * rate / speed))
    wanted = time[0] + np.arange(count) * speed / rate
    after = np.clip(np.searchsorted(time, wanted), 1, max(len(time) - 1, 1))
    after = np.minimum(after, len(time) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(wanted - time[before] <= time[after] - wanted, before, after)


def render_run(
    run: Run,
    out: str | Path,
    *,
    size: tuple[int, int] = (960, 720),
    camera: Camera | None = None,
    grid: tuple[int, int] = (1, 1),
    first_world: int = 0,
    rate: float = 30.0,
    speed: float = 1.0,
    at: float | None = None,
    geometry: str | Path | None = None,
    advance: Callable[[int, int], object] = lambda done, count: None,
) -> Path:
    """Draw a run into a file: `.mp4` and `.gif` are films, `.png` is one instant.

    Args:
      run: what to draw.
      out: the file; one that is there is replaced when all is written.
      size: width and height in pixels.
      camera: from where.
      grid: rows and columns of worlds side by side.
      first_world: the world in the first place of the grid; the next ones follow.
      rate: frames per second of a film.
      speed: 1 is real time, 0.25 slow motion.
      at: (s) the instant of a picture; the middle of the run if absent.
      geometry: folder of bone meshes.
      advance: called with the number of frames done and their count.

    Raises:
      MissingExtraError: a library is not installed.
      OSError: the file cannot be written.
    """
    out = Path(out)
    time = run.time
    if out.suffix.lower() in FILM_SUFFIXES:
        numbers = frame_numbers(time, rate, speed)
    else:
        wanted = (time[0] + time[-1]) / 2 if at is None else at
        numbers = np.array([np.argmin(np.abs(time - wanted))])
    run.world(first_world)  # refuses a world that is not there
    worlds = range(first_world, min(first_world + grid[0] * grid[1], run.world_count))
    frames = _frames(run, numbers, list(worlds), size, camera, grid, geometry, advance)
    with replacing(out) as unfinished:
        _write(unfinished, frames, rate)
    return out


def _write(out: Path, frames: Iterator[np.ndarray], rate: float) -> None:
    """Write frames into a file of the kind that its suffix names."""
    imageio = require("imageio.v2", "video")
    if out.suffix.lower() == ".mp4":
        ffmpeg = require("imageio_ffmpeg", "video")
        options = {"fps": rate, "codec": "libx264", "quality": _QUALITY, "macro_block_size": 2}
        with warnings.catch_warnings():
            # JAX warns of forks; this one becomes another program at once.
            warnings.filterwarnings("ignore", message=".*fork", category=RuntimeWarning)
            with imageio.get_writer(out, format="FFMPEG", **options) as writer:
                for frame in frames:
                    writer.append_data(frame)
            try:  # nobody tells of a disk that ffmpeg found full: its index comes last
                ffmpeg.count_frames_and_secs(str(out))
            except RuntimeError as error:
                reason = "ffmpeg did not finish (is the disk full?)"
                raise OSError(errno.EIO, reason, str(out)) from error
        return
    picture = io.BytesIO()  # a writer that fails in a file tries once more when it is collected
    if out.suffix.lower() == ".gif":
        imageio.mimsave(picture, list(frames), format="GIF", duration=1000 / rate, loop=0)
    else:
        imageio.imwrite(picture, list(frames)[0], format=out.suffix[1:])
    out.write_bytes(picture.getvalue())


def _frames(
    run: Run,
    numbers: np.ndarray,
    worlds: list[int],
    size: tuple[int, int],
    camera: Camera | None,
    grid: tuple[int, int],
    geometry: str | Path | None,
    advance: Callable[[int, int], object],
) -> Iterator[np.ndarray]:
    """Pictures of these samples of the run."""
    scene = build_scene(run.model, run.params, geometry)
    painter = Painter(scene, size, camera, grid)
    dtype = run.params.gravity.dtype
    shown, targets = [], []
    for world in worlds:
        states: State = run.world(world)
        chosen = jax.tree.map(lambda leaf: np.asarray(leaf, dtype)[numbers], states)
        shown.append(jax.device_get(instants_function(run.model)(run.params, chosen)))
        targets.append(run.target(world))
    try:
        for frame, sample in enumerate(numbers):
            here = [jax.tree.map(lambda leaf, k=frame: leaf[k], instant) for instant in shown]
            asked = [target[sample] if target is not None else None for target in targets]
            yield painter.draw(here, asked)
            advance(frame + 1, len(numbers))
    finally:
        painter.close()
