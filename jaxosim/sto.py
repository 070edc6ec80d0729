"""States tables as OpenSim writes them (`.sto`), so that its own tools can replay a rollout.

Host side, NumPy only. One row per time, one column per state variable under its OpenSim path:
`/jointset/<joint>/<coordinate>/value` and `/speed`, `/forceset/<muscle>/activation` and
`/fiber_length`. `TimeSeriesTable` opens the file and `StatesTrajectory.createFromStatesTable` turns
it into states of the same model.
"""

import os
from collections.abc import Iterator

import numpy as np

from jaxosim.errors import ModelMismatchError
from jaxosim.types import Model, State


def write_states(path: str | os.PathLike[str], model: Model, states: State) -> None:
    """Write the trajectory of one world as a states table.

    Args:
      path: the file to write; overwritten.
      model: whose trajectory it is.
      states: fields `[time, ...]` as `rollout` gives them, with no world axis.

    Raises:
      ModelMismatchError: the arrays are not one world's trajectory of this model.
      OSError: the file cannot be written.
    """
    names, columns = zip(*_columns(model, states), strict=True)
    table = np.stack(columns, axis=1)  # [time, column]
    row_count, column_count = table.shape
    header = [
        model.name.replace("\n", " ") or "states",
        "inDegrees=no",
        f"nColumns={column_count}",
        f"nRows={row_count}",
        "DataType=double",
        "version=3",
        "endheader",
        "\t".join(names),
    ]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in header)
        file.writelines("\t".join(map(repr, row)) + "\n" for row in table.tolist())


def _columns(model: Model, states: State) -> Iterator[tuple[str, np.ndarray]]:
    """Path and values `[time]` of every column, time first."""
    time = np.asarray(states.time, dtype=np.float64)
    if time.ndim != 1:
        raise ModelMismatchError(f"State.time: expected one world's times, got shape {time.shape}")
    yield "time", time
    values = _field(states.q, "q", len(time), len(model.coordinate_names))
    speeds = _field(states.u, "u", len(time), len(model.coordinate_names))
    for index, coordinate in enumerate(model.coordinate_names):
        joint = model.joint_names[int(model.tree.coordinate_joint[index])]
        yield f"/jointset/{joint}/{coordinate}/value", values[:, index]
        yield f"/jointset/{joint}/{coordinate}/speed", speeds[:, index]
    shape = len(time), len(model.muscle_names)
    activations = _field(states.activation, "activation", *shape)
    fiber_lengths = _field(states.fiber_length, "fiber_length", *shape)
    for index, muscle in enumerate(model.muscle_names):
        yield f"/forceset/{muscle}/activation", activations[:, index]
        yield f"/forceset/{muscle}/fiber_length", fiber_lengths[:, index]


def _field(values: object, name: str, time_count: int, count: int) -> np.ndarray:
    """A field of the states as `[time, name]` doubles."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (time_count, count):
        expected = (time_count, count)
        raise ModelMismatchError(f"State.{name}: expected {expected}, got shape {array.shape}")
    return array
