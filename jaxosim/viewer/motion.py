"""A recorded motion: of `jaxosim rollout --out`, of an episode, or a `.sto` or `.mot` table.

The file names the model it belongs to, but a name in a file opens no other file: only the name of a
bundled model is followed, anything else has to be given.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState
from jaxosim.errors import ModelMismatchError, TableFormatError
from jaxosim.host.archive import Archive, write_archive
from jaxosim.models.catalog import bundled_models
from jaxosim.models.load import load_model
from jaxosim.sto import read_motion, read_table
from jaxosim.types import Model, Params, State

SUFFIXES = (".npz", ".sto", ".mot")
_AXES = {f.name: f.metadata["axes"][0] for f in fields(State) if f.name != "time"}
_FIELDS = tuple(_AXES)
_NAMES = ("coordinate_names", "muscle_names")
_ARRAYS = {"time", *_FIELDS, "controls", "target_velocity", *_NAMES, "metadata"}


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion of one or many worlds, on the host.

    Attributes:
      name: of the file, for titles.
      states: fields `[time, world, ...]`; time `[time]` in double precision.
      controls: `[time - 1, world, control]`, or None.
      target_velocity: `[time, world, 3]` (m/s), target velocity of the task in ground; or None.
    """

    name: str
    model: Model
    params: Params
    states: State
    controls: np.ndarray | None = None
    target_velocity: np.ndarray | None = None

    @classmethod
    def still(cls, model: Model, params: Params, state: State) -> "Motion":
        """A motion of one instant of one world."""
        held = {name: np.asarray(getattr(state, name))[None, None] for name in _FIELDS}
        time = np.asarray(state.time, float)[None]
        return cls(model.name, model, params, _host_states(time, held))

    @property
    def world_count(self) -> int:
        """Number of worlds."""
        return np.shape(self.states.q)[1]

    @property
    def time(self) -> np.ndarray:
        """`[time]` (s)."""
        return np.asarray(self.states.time)

    def world(self, number: int) -> State:
        """The states of one world, fields `[time, ...]`.

        Raises:
          ModelMismatchError: there is no such world.
        """
        if not 0 <= number < self.world_count:
            raise ModelMismatchError(
                f"{self.name}: expected a world from 0 to {self.world_count - 1}, got {number}"
            )
        held = {name: np.asarray(getattr(self.states, name))[:, number] for name in _FIELDS}
        return _host_states(self.time, held)

    def target(self, world: int) -> np.ndarray | None:
        """Target velocity of one world, `[time, 3]` (m/s); None if the task has none."""
        return None if self.target_velocity is None else self.target_velocity[:, world]


def record_episode(env: Env, episode: Sequence[EnvState]) -> Motion:
    """The motion of a task's worlds over an episode, to be shown or written.

    Args:
      env: the task.
      episode: the EnvStates of reset and of each step, of one world or of a batch.
    """
    batched = np.ndim(episode[0].state.q) == 2
    target_velocity = jax.jit(jax.vmap(env.target_velocity) if batched else env.target_velocity)
    rows = [jax.device_get((es.state, target_velocity(es))) for es in episode]
    states, targets = zip(*rows, strict=True)

    def stacked(leaves: Sequence[Any]) -> np.ndarray:
        values = np.stack([np.asarray(leaf) for leaf in leaves])
        return values if batched else values[:, None]

    assert env.params is not None
    seconds = env.options.step_size * env.action_repeat
    time = np.round(np.arange(len(episode)) * seconds, 9)
    held = {name: stacked([getattr(state, name) for state in states]) for name in _FIELDS}
    target = None if targets[0] is None else stacked(targets)
    name = type(env).__name__
    return Motion(name, env.model, env.params, _host_states(time, held), None, target)


def write_motion(
    path: str | os.PathLike[str],
    motion: Motion,
    metadata: Mapping[str, Any] | None = None,
    **more: np.ndarray,
) -> None:
    """Write a motion as `.npz`, which `load_motion` reads.

    Args:
      path: the file, `.npz`; one that is there is replaced when all is written.
      motion: the motion.
      metadata: what else is to be known of it, as JSON; it is not read back.
      **more: other arrays; not read back either.

    Raises:
      OSError: the file cannot be written.
    """
    optional = {"controls": motion.controls, "target_velocity": motion.target_velocity}
    arrays: dict[str, Any] = {
        "time": motion.time,
        **{name: getattr(motion.states, name) for name in _FIELDS},
        **{name: values for name, values in optional.items() if values is not None},
        **more,
        "coordinate_names": np.array(motion.model.coordinate_names, dtype=str),
        "muscle_names": np.array(motion.model.muscle_names, dtype=str),
        "control_names": np.array(motion.model.control_names, dtype=str),
        "metadata": np.array(json.dumps({"model": motion.model.name, **(metadata or {})})),
    }
    name = os.fspath(path)
    values = {key: np.asarray(array) for key, array in arrays.items()}
    write_archive(name if name.endswith(".npz") else f"{name}.npz", values)


def _host_states(time: np.ndarray, held: dict[str, np.ndarray]) -> State:
    """States that stay NumPy arrays: only what is drawn goes to a device."""
    values: dict[str, Any] = {"time": time, **held}
    return State(**values)


def is_motion(path: str | os.PathLike[str]) -> bool:
    """Whether a path looks like a recorded motion, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def load_motion(path: str | os.PathLike[str], model: str | None = None) -> Motion:
    """Read a recorded motion.

    Args:
      path: `.npz` of `jaxosim rollout`, `.sto` or `.mot`.
      model: name or path of its model; found by name if it is a bundled one.

    Raises:
      TableFormatError: the file holds no motion, or does not say of which model.
      ModelMismatchError: it belongs to another model.
      OSError: it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    if path.suffix.lower() == ".npz":
        return _load_arrays(path, model)
    table = read_table(path)
    structure, params = load_model(model or _bundled(path, table.name))
    states = read_motion(table, structure, params)
    held = {name: np.asarray(getattr(states, name))[:, None] for name in _FIELDS}
    return Motion(path.name, structure, params, _host_states(table.time, held))


def _bundled(path: Path, name: str) -> str:
    if name in bundled_models():
        return name
    raise TableFormatError(f"{path}: it names no bundled model: say which with --model")


def _load_arrays(path: Path, model: str | None) -> Motion:
    arrays = _read_arrays(path)
    try:
        metadata = json.loads(str(arrays["metadata"]))
        named = str(metadata["model"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise TableFormatError(f"{path}: expected what `jaxosim rollout` writes") from error
    structure, params = load_model(model or _bundled(path, named))
    for key in _NAMES:
        if tuple(map(str, np.atleast_1d(arrays.get(key, ())))) != getattr(structure, key):
            raise ModelMismatchError(f"{path}: its {key} are not those of {structure.name}")
    time = _read_time(path, arrays.get("time"))
    held = {}
    for name, axis in _AXES.items():
        values, size = arrays.get(name), structure.sizes[axis]
        if values is None or values.ndim != 3 or values.dtype.kind != "f":
            raise TableFormatError(f"{path}: expected {name} as [time, world, ...] numbers")
        if (values.shape[0], values.shape[2]) != (len(time), size) or not values.shape[1]:
            raise ModelMismatchError(f"{path}: {name} has an unfitting shape {values.shape}")
        held[name] = values
    counts = {name: values.shape[1] for name, values in held.items()}
    if len(set(counts.values())) > 1:
        raise ModelMismatchError(f"{path}: expected as many worlds in each array, found {counts}")
    worlds = counts["q"]
    target = arrays.get("target_velocity")
    if target is not None and not _is_velocity(target, (len(time), worlds)):
        raise TableFormatError(f"{path}: expected target_velocity as [time, world, 3] numbers")
    controls = arrays.get("controls")
    shape = len(time) - 1, worlds, len(structure.control_names)
    if controls is not None and (controls.shape != shape or controls.dtype.kind != "f"):
        raise TableFormatError(f"{path}: expected controls as {list(shape)} numbers")
    return Motion(path.name, structure, params, _host_states(time, held), controls, target)


def _read_time(path: Path, values: np.ndarray | None) -> np.ndarray:
    """Times in double precision, which have to be finite and not fall."""
    if values is None or values.ndim != 1 or values.dtype.kind not in "fiu" or not len(values):
        raise TableFormatError(f"{path}: expected time as [time] numbers")
    time = values.astype(float)
    if not np.all(np.isfinite(time)) or np.any(np.diff(time) < 0):
        raise TableFormatError(f"{path}: expected finite times, none before the last")
    return time


def _is_velocity(values: np.ndarray, shape: tuple[int, ...]) -> bool:
    fits = values.shape == (*shape, 3) and values.dtype.kind == "f"
    return fits and bool(np.all(np.isfinite(values)))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive that a motion has; objects, which could run code, are refused."""
    with Archive(path) as archive:
        return {name: archive.read(name) for name in archive.names if name in _ARRAYS}
