"""How a task declares its observation: blocks of named entries in observation order.

A block names its entries, gives their units and bounds, and reads their values, so that the order,
its documentation and the numbers cannot differ.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs.episode import Snapshot


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """A run of neighboring entries of the observation.

    Attributes:
      names: of the entries; parts joined by slashes, trailing numbers index an array.
      units: of the entries.
      read: values `[entry]` from a Snapshot.
      low: smallest values, one for all entries or one each.
      high: largest values.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    read: Callable[[Snapshot], jax.Array]
    low: float | Sequence[float] = -np.inf
    high: float | Sequence[float] = np.inf

    def __post_init__(self) -> None:
        """Refuse a block whose parts differ in length.

        Raises:
          ValueError: they do.
        """
        if len(self.names) != len(self.units):
            raise ValueError(f"{len(self.names)} names but {len(self.units)} units: {self.names}")


def vector_of(blocks: Sequence[Block], snapshot: Snapshot) -> jax.Array:
    """The observation, `[entry]`."""
    return jnp.concatenate([block.read(snapshot) for block in blocks])


def names_of(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Names of the entries, in observation order."""
    return tuple(name for block in blocks for name in block.names)


def units_of(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Units of the entries, in observation order."""
    return tuple(unit for block in blocks for unit in block.units)


def bounds_of(blocks: Sequence[Block]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest values of the entries, in observation order."""
    low = [np.broadcast_to(np.asarray(block.low, float), len(block.names)) for block in blocks]
    high = [np.broadcast_to(np.asarray(block.high, float), len(block.names)) for block in blocks]
    return np.concatenate(low), np.concatenate(high)


def tree_of(names: Sequence[str], vector: jax.Array) -> dict[str, Any]:
    """The observation as nested dictionaries.

    Args:
      names: of the entries; `leg/joint/hip` becomes `["leg"]["joint"]["hip"]`, a scalar, and the
        entries `pelvis/vel/0`, `pelvis/vel/1`, … become one array.
      vector: `[entry]`.
    """
    tree: dict[str, Any] = {}
    for path, places, shape in _leaves(names):
        values = vector[np.array(places)].reshape(shape)
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = values
    return tree


def _leaves(names: Sequence[str]) -> list[tuple[list[str], list[int], tuple[int, ...]]]:
    """Every leaf of the tree: its path, the places of its entries, its shape."""
    leaves: dict[str, tuple[list[str], list[int], list[list[int]]]] = {}
    for place, name in enumerate(names):
        parts = name.split("/")
        path = [part for part in parts if not part.isdecimal()]
        _, places, indices = leaves.setdefault("/".join(path), (path, [], []))
        places.append(place)
        indices.append([int(part) for part in parts if part.isdecimal()])
    return [
        (path, places, tuple(int(size) + 1 for size in np.max(indices, axis=0)))
        if indices[0]
        else (path, places, ())
        for path, places, indices in leaves.values()
    ]
