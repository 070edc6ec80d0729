"""Which column of a table belongs to what in a model: states, controls, coordinates.

States are written under their OpenSim paths, `/jointset/<joint>/<coordinate>/value` and `/speed`,
`/forceset/<muscle>/activation` and `/fiber_length` as far as the muscle has them, and those of
other forces (see `jaxosim.state_variables`); `StatesTrajectory.createFromStatesTable` turns such a
table into states of the same model. Read are these and the names of OpenSim 3 (`<coordinate>`,
`<coordinate>_u`, `<muscle>.activation`, `<muscle>.fiber_length`). Rotational coordinates and their
speeds are converted when the header says degrees.

Numbers that become states or controls have to be finite; NaN in other columns stays there.
"""

import os

import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from jaxosim.errors import ModelMismatchError, TableFormatError, quote
from jaxosim.state_variables import default_states, state_fields, state_variables
from jaxosim.sto.table import Table, read_table, write_table
from jaxosim.types import Model, Params, State

_Path = str | os.PathLike[str]
_SHOWN = 4  # names of missing columns in a message
_JUMP = 1e-9  # s, in which written controls go from one row to the next


def write_states(path: _Path, model: Model, states: State) -> None:
    """Write the trajectory of one world as a states table.

    Args:
      path: the file to write; one that is there is replaced when all is written.
      model: whose trajectory it is.
      states: fields `[time, ...]` as `rollout` gives them, with no world axis.

    Raises:
      ModelMismatchError: the arrays are not one world's trajectory of this model.
      TableFormatError: times do not rise.
      OSError: the file cannot be written.
    """
    time = _times(states.time)
    coordinates = len(model.coordinate_names)
    fields = {
        "q": _field(states.q, "State.q", len(time), coordinates),
        "u": _field(states.u, "State.u", len(time), coordinates),
        **{
            name: _field(getattr(states, name), f"State.{name}", len(time), count)
            for name, count in state_fields(model).items()
        },
    }
    variables = state_variables(model)
    _write(
        path,
        model.name or "states",
        [variable.path for variable in variables],
        time,
        [fields[variable.field][:, variable.row] for variable in variables],
    )


def write_controls(path: _Path, model: Model, time: np.ndarray, controls: np.ndarray) -> None:
    """Write controls as a controls table, one column for each under its name.

    OpenSim's `PrescribedController` replays what `rollout` did with them, with its own
    interpolation (straight lines) as well as with method 0 (rows held): a second row ends each
    hold 1 ns before the next row begins. `read_controls` leaves these rows out again.

    Args:
      path: the file to write; one that is there is replaced when all is written.
      model: whose controls they are.
      time: `[time]` (s), rising; row k is held from its time to the next one's.
      controls: `[time, control]` (1).

    Raises:
      ModelMismatchError: the arrays do not fit each other or the model.
      TableFormatError: times do not rise.
      OSError: the file cannot be written.
    """
    time = _times(time)
    values = _field(controls, "controls", len(time), len(model.control_names))
    if len(time) == 1:  # OpenSim needs two rows to be a function of time
        ends = np.maximum(time + _JUMP, np.nextafter(time, np.inf))
    else:
        ends = np.minimum(time[1:] - _JUMP, np.nextafter(time[1:], -np.inf))
        ends = np.maximum(ends, (time[:-1] + time[1:]) / 2)
    count = len(time) + len(ends)
    held = np.empty(count)
    held[::2], held[1::2] = time, ends
    rows = np.repeat(values, 2, axis=0)[:count]
    _write(path, "controls", list(model.control_names), held, list(rows.T))


def write_coordinates(
    path: _Path, model: Model, time: np.ndarray, q: np.ndarray, in_degrees: bool = True
) -> None:
    """Write coordinate values as a motion, as inverse kinematics and OpenSim's GUI do.

    Args:
      path: the file to write; one that is there is replaced when all is written.
      model: whose coordinates they are.
      time: `[time]` (s).
      q: `[time, coordinate]` (rad | m).
      in_degrees: whether to write angles in degrees, as the GUI does.

    Raises:
      ModelMismatchError: the arrays do not fit each other or the model.
      TableFormatError: times do not rise.
      OSError: the file cannot be written.
    """
    time = _times(time)
    values = _field(q, "q", len(time), len(model.coordinate_names))
    if in_degrees:
        values = np.where(model.rotational, np.rad2deg(values), values)
    labels = list(model.coordinate_names)
    _write(path, "Coordinates", labels, time, list(values.T), in_degrees)


def read_states(path: _Path, model: Model, params: Params) -> State:
    """Read a states table in which every state of the model has its column.

    OpenSim writes NaN for locked coordinates; these get their default values.

    Returns:
      States of one world, fields `[time, ...]`.

    Raises:
      TableFormatError: the file is no table, columns are missing, or hold NaN or infinity.
      OSError: the file cannot be read.
    """
    return _read_motion(read_table(path), model, params, complete=True)


def read_motion(path: _Path | Table, model: Model, params: Params) -> State:
    """Read any table that holds values of coordinates; whatever it lacks has its default.

    Speeds that it lacks are zero: a recorded motion is shown, not simulated.

    Args:
      path: the file, or the table that `read_table` read from it.
      model: whose motion it is.
      params: of the model, for the defaults.

    Returns:
      States of one world, fields `[time, ...]`.

    Raises:
      TableFormatError: the file is no table, no column is a coordinate of the model, or a column of
        the model holds NaN or infinity.
      OSError: the file cannot be read.
    """
    table = path if isinstance(path, Table) else read_table(path)
    return _read_motion(table, model, params, complete=False)


def coordinates_in(table: Table, model: Model) -> tuple[str, ...]:
    """Names of the model's coordinates of whose values a table has a column."""
    numbers = _numbers(table)
    return tuple(
        model.coordinate_names[variable.row]
        for variable in state_variables(model)
        if variable.field == "q" and _find(numbers, variable.names) is not None
    )


def read_coordinates(path: _Path, model: Model, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Read the coordinates of a motion; those that it lacks have their default values.

    Returns:
      Times `[time]` (s) and values `[time, coordinate]` (rad | m).

    Raises:
      TableFormatError: the file is no table, no column is a coordinate of the model, or a column of
        the model holds NaN or infinity.
      OSError: the file cannot be read.
    """
    table = read_table(path)
    return table.time, np.asarray(read_motion(table, model, params).q, np.float64)


def read_controls(path: _Path, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Read controls from a controls table; of `write_controls`, the rows given to it.

    Returns:
      Times `[time]` (s) and controls `[time, control]` (1).

    Raises:
      TableFormatError: the file is no table, a control has no column, or one with NaN or infinity.
      OSError: the file cannot be read.
    """
    table = read_table(path)
    numbers = _numbers(table)
    columns = [
        _find(numbers, (f"/forceset/{name}", name, f"{name}.excitation"))
        for name in model.control_names
    ]
    missing = [n for n, found in zip(model.control_names, columns, strict=True) if found is None]
    _refuse_missing(table, missing)
    found = [index for index in columns if index is not None]
    for index in found:
        _refuse_nonfinite(table, index, np.float64)
    values = table.values[:, found]
    kept = ~_ends_of_holds(table.time, values)
    return table.time[kept], values[kept]


def _ends_of_holds(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which rows only end the hold of the row before, `[time]`; see `write_controls`."""
    ends = np.append(False, np.all(values[1:] == values[:-1], axis=1))
    gaps = np.append(np.diff(time), np.inf)  # to the row after
    if len(time) == 2:  # one row, and the end of its hold
        gaps = np.repeat(gaps[0], 2)
    return ends & (gaps <= np.maximum(1.5 * _JUMP, np.spacing(np.abs(time))))


def _read_motion(table: Table, model: Model, params: Params, complete: bool) -> State:
    count = len(table.time)
    defaults = {
        "q": params.coordinates.default_value,
        "u": np.zeros(len(model.coordinate_names)),
        **default_states(params),
    }
    fields = {
        name: np.tile(np.asarray(values, np.float64), (count, 1))
        for name, values in defaults.items()
    }
    dtype = params.coordinates.default_value.dtype
    numbers = _numbers(table)
    missing, coordinate_count = [], 0
    for variable in state_variables(model):
        field, index = variable.field, variable.row
        found = _find(numbers, variable.names)
        if found is None:
            missing.append(variable.path)
            continue
        values = table.values[:, found]
        if field in ("q", "u"):
            coordinate_count += field == "q"
            if table.in_degrees and model.rotational[index]:
                values = np.deg2rad(values)
            if model.locked[index] and np.all(np.isnan(values)):
                continue
        _refuse_nonfinite(table, found, dtype)
        fields[field][:, index] = values
    if complete:
        _refuse_missing(table, missing)
    if not coordinate_count and model.coordinate_names:
        raise TableFormatError(
            f"{table.source}: expected columns of the coordinates of {model.name}, such as "
            f"{model.coordinate_names[0]!r}"
        )
    return State(
        time=jnp.asarray(table.time, dtype),
        **{name: jnp.asarray(values, dtype) for name, values in fields.items()},
    )


def _numbers(table: Table) -> dict[str, int]:
    """Number of each column, by label."""
    return {label: index for index, label in enumerate(table.labels)}


def _find(numbers: dict[str, int], names: tuple[str, ...]) -> int | None:
    """Number of the column that has the first of these names that occurs."""
    return next((numbers[name] for name in names if name in numbers), None)


def _refuse_nonfinite(table: Table, column: int, dtype: DTypeLike) -> None:
    """Refuse NaN, infinity, and what becomes infinite in this dtype."""
    values = table.values[:, column]
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(values.astype(dtype)))
    if len(bad):
        raise TableFormatError(
            f"{table.source}: expected finite numbers in the column {quote(table.labels[column])}, "
            f"found {values[bad[0]]} at {table.time[bad[0]]} s ({np.dtype(dtype).name})"
        )


def _refuse_missing(table: Table, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        names = ", ".join(missing[:_SHOWN])
        raise TableFormatError(f"{table.source}: expected the columns {names}{more}")


def _times(values: object) -> np.ndarray:
    time = np.asarray(values, dtype=np.float64)
    if time.ndim != 1:
        raise ModelMismatchError(f"State.time: expected one world's times, got {list(time.shape)}")
    return time


def _field(values: object, name: str, time_count: int, count: int) -> np.ndarray:
    """Values as `[time, name]` doubles."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (time_count, count):
        expected = [time_count, count]
        raise ModelMismatchError(f"{name}: expected shape {expected}, got {list(array.shape)}")
    return array


def _write(
    path: _Path,
    name: str,
    labels: list[str],
    time: np.ndarray,
    columns: list[np.ndarray],
    in_degrees: bool = False,
) -> None:
    values = np.stack(columns, axis=1) if columns else np.zeros((len(time), 0))
    table = Table(tuple(labels), time, values, in_degrees, name, os.fspath(path))
    write_table(path, table)
