"""Which column of a table belongs to what in a model: states, controls, coordinates.

States are written under their OpenSim paths, `/jointset/<joint>/<coordinate>/value` and `/speed`,
`/forceset/<muscle>/activation` and `/fiber_length`; `StatesTrajectory.createFromStatesTable` turns
such a table into states of the same model. Read are these and the names of OpenSim 3
(`<coordinate>`, `<coordinate>_u`, `<muscle>.activation`, `<muscle>.fiber_length`). Rotational
coordinates and their speeds are converted when the header says degrees.
"""

import os

import jax.numpy as jnp
import numpy as np

from jaxosim.errors import ModelMismatchError, TableFormatError
from jaxosim.sto.table import Table, read_table, write_table
from jaxosim.types import Model, Params, State

_Path = str | os.PathLike[str]
_SHOWN = 4  # names of missing columns in a message


def write_states(path: _Path, model: Model, states: State) -> None:
    """Write the trajectory of one world as a states table.

    Args:
      path: the file to write; overwritten.
      model: whose trajectory it is.
      states: fields `[time, ...]` as `rollout` gives them, with no world axis.

    Raises:
      ModelMismatchError: the arrays are not one world's trajectory of this model.
      OSError: the file cannot be written.
    """
    time = _times(states.time)
    coordinates, muscles = len(model.coordinate_names), len(model.muscle_names)
    fields = {
        "q": _field(states.q, "State.q", len(time), coordinates),
        "u": _field(states.u, "State.u", len(time), coordinates),
        "activation": _field(states.activation, "State.activation", len(time), muscles),
        "fiber_length": _field(states.fiber_length, "State.fiber_length", len(time), muscles),
    }
    columns = [(names[0], field, index) for field, index, names in _state_columns(model)]
    _write(
        path,
        model.name or "states",
        [name for name, _, _ in columns],
        time,
        [fields[field][:, index] for _, field, index in columns],
    )


def write_controls(path: _Path, model: Model, time: np.ndarray, excitation: np.ndarray) -> None:
    """Write muscle excitations as a controls table, one column per muscle under its name.

    Args:
      path: the file to write; overwritten.
      model: whose muscles they excite.
      time: `[time]` (s); row k is held from its time to the next one's.
      excitation: `[time, muscle]` (1).

    Raises:
      ModelMismatchError: the arrays do not fit each other or the model.
      OSError: the file cannot be written.
    """
    time = _times(time)
    values = _field(excitation, "excitation", len(time), len(model.muscle_names))
    _write(path, "controls", list(model.muscle_names), time, list(values.T))


def write_coordinates(
    path: _Path, model: Model, time: np.ndarray, q: np.ndarray, in_degrees: bool = True
) -> None:
    """Write coordinate values as a motion, as inverse kinematics and OpenSim's GUI do.

    Args:
      path: the file to write; overwritten.
      model: whose coordinates they are.
      time: `[time]` (s).
      q: `[time, coordinate]` (rad | m).
      in_degrees: whether to write angles in degrees, as the GUI does.

    Raises:
      ModelMismatchError: the arrays do not fit each other or the model.
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
      TableFormatError: the file is no table, or columns are missing.
      OSError: the file cannot be read.
    """
    return _read_motion(read_table(path), model, params, complete=True)


def read_motion(path: _Path, model: Model, params: Params) -> State:
    """Read any table that holds values of coordinates; whatever it lacks has its default.

    Speeds that it lacks are zero: a recorded motion is shown, not simulated.

    Returns:
      States of one world, fields `[time, ...]`.

    Raises:
      TableFormatError: the file is no table, or no column is a coordinate of the model.
      OSError: the file cannot be read.
    """
    return _read_motion(read_table(path), model, params, complete=False)


def read_coordinates(path: _Path, model: Model, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Read the coordinates of a motion; those that it lacks have their default values.

    Returns:
      Times `[time]` (s) and values `[time, coordinate]` (rad | m).

    Raises:
      TableFormatError: the file is no table, or no column is a coordinate of the model.
      OSError: the file cannot be read.
    """
    states = read_motion(path, model, params)
    return np.asarray(read_table(path).time), np.asarray(states.q, np.float64)


def read_controls(path: _Path, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Read muscle excitations from a controls table.

    Returns:
      Times `[time]` (s) and excitations `[time, muscle]` (1).

    Raises:
      TableFormatError: the file is no table, or a muscle has no column.
      OSError: the file cannot be read.
    """
    table = read_table(path)
    columns = [
        _find(table, (f"/forceset/{name}", name, f"{name}.excitation"))
        for name in model.muscle_names
    ]
    missing = [n for n, found in zip(model.muscle_names, columns, strict=True) if found is None]
    _refuse_missing(table, missing)
    return table.time, table.values[:, [index for index in columns if index is not None]]


def _state_columns(model: Model) -> list[tuple[str, int, tuple[str, ...]]]:
    """Field, index and names (path first) of every state variable, in the order of writing."""
    columns = []
    for index, name in enumerate(model.coordinate_names):
        joint = model.joint_names[int(model.tree.coordinate_joint[index])]
        own = name.rpartition("/")[2]  # a name of two joints has the second joint's before it
        home, short = f"/jointset/{joint}/{own}", f"{joint}/{own}"
        columns.append(("q", index, (f"{home}/value", f"{short}/value", name)))
        columns.append(("u", index, (f"{home}/speed", f"{short}/speed", f"{name}_u")))
    for index, name in enumerate(model.muscle_names):
        for field in ("activation", "fiber_length"):
            names = f"/forceset/{name}/{field}", f"{name}/{field}", f"{name}.{field}"
            columns.append((field, index, names))
    return columns


def _read_motion(table: Table, model: Model, params: Params, complete: bool) -> State:
    count = len(table.time)
    muscles = params.muscles
    fields = {
        name: np.tile(np.asarray(values, np.float64), (count, 1))
        for name, values in (
            ("q", params.coordinates.default_value),
            ("u", np.zeros(len(model.coordinate_names))),
            ("activation", muscles.default_activation),
            ("fiber_length", muscles.default_fiber_length),
        )
    }
    missing, coordinate_count = [], 0
    for field, index, names in _state_columns(model):
        found = _find(table, names)
        if found is None:
            missing.append(names[0])
            continue
        values = table.values[:, found]
        if field in ("q", "u"):
            coordinate_count += field == "q"
            if table.in_degrees and model.rotational[index]:
                values = np.deg2rad(values)
            if model.locked[index] and np.all(np.isnan(values)):
                continue
        fields[field][:, index] = values
    if complete:
        _refuse_missing(table, missing)
    if not coordinate_count and model.coordinate_names:
        raise TableFormatError(
            f"{table.source}: expected columns of the coordinates of {model.name}, such as "
            f"{model.coordinate_names[0]!r}"
        )
    dtype = params.coordinates.default_value.dtype
    return State(
        time=jnp.asarray(table.time, dtype),
        **{name: jnp.asarray(values, dtype) for name, values in fields.items()},
    )


def _find(table: Table, names: tuple[str, ...]) -> int | None:
    """Number of the first column that has one of these names."""
    return next((table.labels.index(name) for name in names if name in table.labels), None)


def _refuse_missing(table: Table, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        names = ", ".join(missing[:_SHOWN])
        raise TableFormatError(f"{table.source}: expected the columns {names}{more}")


def _times(values: object) -> np.ndarray:
    time = np.asarray(values, dtype=np.float64)
    if time.ndim != 1:
        raise ModelMismatchError(f"State.time: expected one world's times, got shape {time.shape}")
    return time


def _field(values: object, name: str, time_count: int, count: int) -> np.ndarray:
    """Values as `[time, name]` doubles."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (time_count, count):
        expected = (time_count, count)
        raise ModelMismatchError(f"{name}: expected {expected}, got shape {array.shape}")
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
