"""Rows of arrays: concatenate, stack, take at static indices, sum by owner.

Whatever is concatenated or taken from contiguous blocks of worlds (`layout`) is copied block by
block; XLA's gather and its fused concatenations would go element by element. Taking rows and
summing them by owner are each other's transpose, and are declared so: derivatives are then as fast
as what they are derivatives of.
"""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxosim.arrays.layout import materialize, with_batch_minor

_WIDEST = 4  # members of a group that are added at once, if others have fewer


def concatenate(parts: Sequence[jax.Array], axis: int = 0) -> jax.Array:
    """Concatenate along an axis."""
    if len(parts) == 1:
        return parts[0]
    return materialize(jnp.concatenate(list(parts), axis=axis))


def stack(parts: Sequence[jax.Array], axis: int = 0) -> jax.Array:
    """Stack along a new axis."""
    return materialize(jnp.stack(list(parts), axis=axis))


def take(values: jax.Array, index: np.ndarray) -> jax.Array:
    """Rows of values `[n, …]` at static indices `[m]`, negative ones from the end: `[m, …]`.

    Raises:
      IndexError: while tracing, if an index lies outside.
    """
    index = np.asarray(index, int)
    if np.any((index < -len(values)) | (index >= len(values))):
        raise IndexError(f"rows {index.tolist()} of {len(values)}")
    return take_or_zero(values, np.where(index < 0, index + len(values), index))


def take_or_zero(values: jax.Array, index: np.ndarray) -> jax.Array:
    """Rows of values `[n, …]` at static indices `[m]`, zeros at the index n: `[m, …]`."""
    if np.array_equal(index, np.arange(len(values))):
        return values
    return _take_p.bind(values, index=tuple(np.asarray(index, int).tolist()))


def put(values: jax.Array, index: np.ndarray, count: int) -> jax.Array:
    """Rows of values `[n, …]` at static indices `[n]`, each another, of zeros `[count, …]`."""
    source = np.full(count, len(values))
    source[index] = np.arange(len(values))
    return take_or_zero(values, source)


def segment_sum(values: jax.Array, owner: np.ndarray, count: int) -> jax.Array:
    """Sum values `[n, …]` over the groups that own them: `[count, …]`.

    Args:
      values: what to sum.
      owner: `[n]` static number of the group; `count` for what belongs to none.
      count: number of groups; those without a member sum to zero.
    """
    return _segment_sum_p.bind(values, owner=tuple(np.asarray(owner, int).tolist()), count=count)


def take_columns(values: jax.Array, table: np.ndarray) -> list[jax.Array]:
    """Rows of values at each column of a static table `[m, k]`, copied at once: k of `[m, …]`.

    The index n chooses zeros, as in `take_or_zero`.
    """
    rows = take_or_zero(values, table.T.reshape(-1))
    return list(rows.reshape((table.shape[1], table.shape[0]) + values.shape[1:]))


def members_of(owner: np.ndarray, count: int) -> np.ndarray:
    """A table `[count, most]` for `take_columns`: the rows that each group owns, then zeros.

    Args:
      owner: `[n]` static number of the group.
      count: number of groups.
    """
    return _table(_members(owner, count), len(owner))


def _members(owner: np.ndarray, count: int) -> list[np.ndarray]:
    return [np.flatnonzero(owner == group) for group in range(count)]


def _take(values: jax.Array, index: tuple[int, ...]) -> jax.Array:
    if len(values) in index:
        values = jnp.concatenate([values, jnp.zeros_like(values, shape=(1, *values.shape[1:]))])
    # Not by an index of jax.numpy, which would have to be told apart from negative ones.
    rows = jax.lax.GatherDimensionNumbers(
        offset_dims=tuple(range(1, values.ndim)), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    places, sizes = np.array(index, np.int32)[:, None], (1, *values.shape[1:])
    return jax.lax.gather(values, places, rows, sizes, mode="promise_in_bounds")


def _segment_sum(values: jax.Array, owner: tuple[int, ...], count: int) -> jax.Array:
    """Groups of very different sizes are summed in two rounds, lest most of a round be zeros."""
    groups = np.array(owner, int)
    members = _members(groups, count)
    width = max(map(len, members), default=0)
    if not width:
        return jnp.zeros((count,) + values.shape[1:], values.dtype)
    if width > _WIDEST and count * width > 2 * len(groups):
        parts = [
            part for own in members for part in np.split(own, range(_WIDEST, len(own), _WIDEST))
        ]
        part_of = np.full(len(groups), len(parts))
        for number, part in enumerate(parts):
            part_of[part] = number
        part_owner = np.repeat(np.arange(count), [-(-len(own) // _WIDEST) or 1 for own in members])
        sums = _segment_sum(values, tuple(part_of.tolist()), len(parts))
        return _segment_sum(sums, tuple(part_owner.tolist()), count)
    table = _table(members, len(groups)).T
    rows = _take(values, tuple(table.reshape(-1).tolist()))
    return functools.reduce(operator.add, list(rows.reshape(table.shape + values.shape[1:])))


def _table(members: Sequence[np.ndarray], rest: int) -> np.ndarray:
    """Members `[count, most]` of groups, filled up with a number that stands for none."""
    table = np.full((len(members), max(map(len, members), default=0)), rest)
    for row, own in zip(table, members, strict=True):
        row[: len(own)] = own
    return table


def _by_rows(
    function: Callable[..., jax.Array], fused: bool
) -> Callable[..., tuple[jax.Array, int]]:
    """Batching rule of a function of rows: a row is a contiguous block with all worlds in it."""

    def rule(
        values: Sequence[jax.Array], axes: Sequence[int], **static: Any
    ) -> tuple[jax.Array, int]:
        (x,), (axis,) = values, axes
        x = x if fused else jax.lax.optimization_barrier(with_batch_minor(x, axis))
        moved = jnp.moveaxis(x, axis, -1)
        flat = moved.reshape(len(moved), math.prod(moved.shape[1:]))
        rows = function(flat, **static)
        return with_batch_minor(
            jnp.moveaxis(rows.reshape((len(rows),) + moved.shape[1:]), -1, 0)
        ), 0

    return rule


def linear_of_rows(
    name: str,
    function: Callable[..., jax.Array],
    row_count: Callable[..., int],
    transposed: Callable[..., jax.Array],
    fused: bool = False,
) -> Primitive:
    """A primitive that is linear in its rows `[n, …]`, with static parameters.

    Args:
      name: of the primitive.
      function: of (values, **static); what it does to rows of any length.
      row_count: of (**static); number of rows of the result.
      transposed: of (cotangent, number of rows of the values, **static).
      fused: whether the values need not be kept in memory beforehand.
    """
    primitive = Primitive(name)
    primitive.def_impl(function)
    primitive.def_abstract_eval(
        lambda x, **static: x.update(shape=(row_count(**static),) + x.shape[1:])
    )
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))

    def transpose(
        cotangent: jax.Array | ad.Zero, values: ad.UndefinedPrimal, **static: Any
    ) -> tuple[jax.Array | ad.Zero]:
        if isinstance(cotangent, ad.Zero):
            return (ad.Zero(values.aval),)
        return (transposed(cotangent, values.aval.shape[0], **static),)

    ad.deflinear2(primitive, transpose)
    batching.primitive_batchers[primitive] = _by_rows(function, fused)
    return primitive


_take_p = linear_of_rows(
    "take",
    _take,
    lambda index: len(index),
    lambda cotangent, count, index: segment_sum(cotangent, np.array(index, int), count),
)
_segment_sum_p = linear_of_rows(
    "segment_sum",
    _segment_sum,
    lambda owner, count: count,
    lambda cotangent, _, owner, count: take_or_zero(cotangent, np.array(owner, int)),
)
