"""A pytree as a few rows of numbers: what is carried between host and device at once."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Rows = dict[str, Any]
"""For each dtype the numbers of all leaves that have it, `[world, number]`."""


class Packing:
    """Where the leaves of worlds stand in their rows."""

    def __init__(self, example: Any) -> None:
        """Take structure, shapes and dtypes of one world."""
        leaves, self._tree = jax.tree.flatten(example)
        self._places: list[tuple[str, slice, tuple[int, ...]]] = []
        ends: dict[str, int] = {}
        for leaf in leaves:
            name = np.dtype(leaf.dtype).name
            begin = ends.get(name, 0)
            ends[name] = begin + math.prod(leaf.shape)
            self._places.append((name, slice(begin, ends[name]), leaf.shape))
        self._dtypes = tuple(ends)

    def pack(self, worlds: Any) -> Rows:
        """Rows of a batch of worlds, whose leaves have an axis for the batch; traced as well."""
        parts: dict[str, list[Any]] = {name: [] for name in self._dtypes}
        for (name, place, _), leaf in zip(self._places, jax.tree.leaves(worlds), strict=True):
            width = place.stop - place.start
            parts[name].append(jnp.reshape(leaf, (len(leaf), width)))
        return {name: jnp.concatenate(one, axis=1) for name, one in parts.items()}

    def unpack(self, rows: Rows) -> Any:
        """The worlds of rows; traced as well."""
        leaves = [
            rows[name][:, place].reshape(len(rows[name]), *shape)
            for name, place, shape in self._places
        ]
        return jax.tree.unflatten(self._tree, leaves)

    def row(self, world: Any) -> Rows:
        """The row of one world, on the host."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self._dtypes}
        for (name, _, _), leaf in zip(self._places, jax.tree.leaves(world), strict=True):
            parts[name].append(np.ravel(leaf))
        return {name: np.concatenate(one)[None] for name, one in parts.items()}

    def worlds(self, rows: Rows) -> list[Any]:
        """The worlds of rows on the host, as views of their numbers."""
        leaves = [
            list(rows[name][:, place].reshape(len(rows[name]), *shape))
            for name, place, shape in self._places
        ]
        return [jax.tree.unflatten(self._tree, own) for own in zip(*leaves, strict=True)]

    def stack(self, rows: Sequence[Rows]) -> Rows:
        """Rows of several worlds as those of a batch, on the host."""
        return {name: np.concatenate([one[name] for one in rows]) for name in self._dtypes}
