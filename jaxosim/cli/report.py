"""What the commands print: a model's parts as tables, and where the worlds of a rollout went."""

import numpy as np
import rich.box
import rich.console
import rich.status
import rich.table

from jaxosim import constraints, controllers
from jaxosim.forces import present
from jaxosim.host import cache
from jaxosim.types import Model, Params

_PLAIN_WIDTH = 120  # columns when the output is a file or a pipe, whose width nobody knows


def output_console() -> rich.console.Console:
    """Standard output: as wide as the terminal, or wide enough for the tables elsewhere."""
    console = rich.console.Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def error_console() -> rich.console.Console:
    """Standard error, for progress."""
    return rich.console.Console(stderr=True, highlight=False, markup=False, emoji=False)


def quiet_status(text: str) -> rich.status.Status:
    """What is being done, on standard error; drawn so rarely that it disturbs no measurement."""
    return error_console().status(text, refresh_per_second=1)


def summary_table(model: Model, params: Params) -> rich.table.Table:
    """What was read, in one look."""
    table = plain_table(model.name, ("", "left"), ("", "left"))
    table.show_header = False
    locked = [
        n for n, is_locked in zip(model.coordinate_names, model.locked, strict=True) if is_locked
    ]
    rows = {
        "file": model.source,
        "bodies": str(len(model.body_names)),
        "joints": str(len(model.joint_names)),
        "coordinates": str(len(model.coordinate_names)),
        "locked": f"{len(locked)}" + (f" ({', '.join(locked)})" if locked else ""),
        "muscles": str(len(model.muscle_names)),
        **{
            force.FIELD: force.describe(getattr(model, force.FIELD), model.coordinate_names).summary
            for force in (*present(model), *constraints.present(model))
        },
        **{
            one.FIELD: one.describe(getattr(model, one.FIELD)) for one in controllers.present(model)
        },
        "markers": str(len(model.marker_names)),
        "mass": f"{float(np.sum(np.asarray(params.bodies.mass))):.6g} kg",
    }
    for label, text in rows.items():
        table.add_row(label, text)
    return table


def part_tables(model: Model, params: Params) -> list[rich.table.Table]:
    """Bodies, coordinates, muscles, and the other forces, a row each."""
    return [
        _body_table(model, params),
        _coordinate_table(model, params),
        _muscle_table(model, params),
        _force_table(model),
    ]


def _body_table(model: Model, params: Params) -> rich.table.Table:
    left, right = "left", "right"
    table = plain_table(
        "bodies", ("body", left), ("mass (kg)", right), ("joint", left), ("kind", left)
    )
    for index, name in enumerate(model.body_names):
        joint = int(model.bodies.joint[index])
        mass = _number(params.bodies.mass[index])
        table.add_row(name, mass, model.joint_names[joint], model.joint_kinds[joint])
    return table


def _coordinate_table(model: Model, params: Params) -> rich.table.Table:
    columns = ("coordinate", "left"), ("joint", "left"), ("unit", "left")
    numbers = ("default", "right"), ("least", "right"), ("most", "right")
    table = plain_table("coordinates", *columns, *numbers, ("", "left"))
    for index, name in enumerate(model.coordinate_names):
        low, high = params.coordinates.range[index]
        table.add_row(
            name,
            model.joint_names[int(model.tree.coordinate_joint[index])],
            "rad" if model.rotational[index] else "m",
            _number(params.coordinates.default_value[index]),
            _number(low),
            _number(high),
            "locked" if model.locked[index] else "",
        )
    return table


def _muscle_table(model: Model, params: Params) -> rich.table.Table:
    numbers = ("force (N)", "right"), ("fiber (m)", "right"), ("tendon (m)", "right")
    table = plain_table("muscles", ("muscle", "left"), *numbers, ("points", "right"))
    muscles = params.muscles
    for index, name in enumerate(model.muscle_names):
        table.add_row(
            name,
            _number(muscles.max_isometric_force[index]),
            _number(muscles.optimal_fiber_length[index]),
            _number(muscles.tendon_slack_length[index]),
            str(int(np.sum(model.paths.point_path == model.muscle_path[index]))),
        )
    return table


def _force_table(model: Model) -> rich.table.Table:
    table = plain_table("other forces", ("force", "left"), ("kind", "left"), ("acts on", "left"))
    for force in present(model):
        description = force.describe(getattr(model, force.FIELD), model.coordinate_names)
        for name, acts_on in description.rows:
            table.add_row(name, force.TAGS[0], acts_on)
    return table


def travel_table(root_name: str, root_position: np.ndarray) -> rich.table.Table:
    """How far and how high the root body went, over the worlds that stayed finite.

    Args:
      root_name: name of the body.
      root_position: `[time, world, 3]` (m), in ground: x forward, y up.
    """
    columns = ("mean", "right"), ("least", "right"), ("most", "right")
    table = plain_table(root_name, ("", "left"), *columns)
    forward, height = root_position[..., 0], root_position[..., 1]
    rows = {
        "forward (m)": forward[-1] - forward[0],
        "height at the end (m)": height[-1],
        "greatest height (m)": np.max(height, axis=0),
    }
    for label, values in rows.items():
        table.add_row(label, *(f"{f(values):.3f}" for f in (np.mean, np.min, np.max)))
    return table


def cache_table() -> rich.table.Table:
    """Where compiled code is kept, and how much of it."""
    where = cache.cache_directory()
    title = f"compiled code in {where}" if where else f"no compiled code is kept ({cache.VARIABLE})"
    table = plain_table(title, ("kind", "left"), ("files", "right"), ("size (MB)", "right"))
    for kind, paths in cache.kept_files().items():
        size = sum(path.stat().st_size for path in paths)
        table.add_row(kind, str(len(paths)), f"{size / 1e6:.1f}")
    return table


def plain_table(title: str, *columns: tuple[str, str]) -> rich.table.Table:
    """An empty table with `(heading, "left" or "right")` columns."""
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD)
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    return table


def _number(value: object) -> str:
    """A number as short as it can be without hiding what the file says."""
    return f"{float(np.asarray(value)):.6g}"
