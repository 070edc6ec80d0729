"""Many worlds: a function of one world for a batch of them, on all cores, devices and hosts.

The worlds of a batch do not know of each other, so a batch is distributed over a mesh of devices,
and no device ever waits for another. On a CPU each device then takes its share block by block: a
block is small enough for what a step works out in between to stay in a core's own cache, which is
why the time per world does not depend on the size of the batch (`benchmarks/scaling.py`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxosim import fused

_AXIS = "world"
_CPU_BATCH_SIZE = 128  # worlds; 13 kB each in a step of a gait model, a megabyte of cache a core


def world_mesh(devices: Sequence[Any] | None = None, num_envs: int | None = None) -> Mesh:
    """A row of devices over which worlds are distributed.

    Args:
      devices: which of `jax.devices()`; all, of all processes, if None.
      num_envs: number of worlds, if no more devices shall be taken than divide it.
    """
    row = list(jax.devices() if devices is None else devices)
    if num_envs is not None:
        row = row[: math.gcd(num_envs, len(row))]
    return Mesh(np.array(row), (_AXIS,))


def world_sharding(mesh: Mesh) -> NamedSharding:
    """How a batch lies on the mesh, for `jax.device_put`: a share of the worlds on each device."""
    return NamedSharding(mesh, PartitionSpec(_AXIS))


def batched(
    function: Callable[..., Any],
    in_axes: int | None | Sequence[int | None] = 0,
    *,
    mesh: Mesh | None = None,
    batch_size: int | None = None,
) -> Callable[..., Any]:
    """A function of one world, for a batch: `vmap`, distributed over devices and in blocks.

    Args:
      function: of one world; its positional arguments and its result are pytrees.
      in_axes: for each argument 0 where it leads with the world, None where all worlds share it.
      mesh: from `world_mesh`; without one the batch stays on the device it is on. The number of
        worlds must be a multiple of the number of devices.
      batch_size: worlds computed side by side on one device; if None, all of them, but 128 on a CPU
        where there are no fused kernels.

    Returns:
      The function of the batch; in every leaf of its result the world leads.
    """

    def batch(*arguments: Any) -> Any:
        axes = _axes_of(in_axes, arguments)

        def share(*parts: Any) -> Any:
            return _in_blocks(function, axes, parts, batch_size or _default_batch_size(mesh))

        return sharded(share, mesh, axes)(*arguments)

    return batch


def sharded(
    function: Callable[..., Any], mesh: Mesh | None, in_axes: int | Sequence[int | None] = 0
) -> Callable[..., Any]:
    """A function of a batch, of which every device works out its share of the worlds.

    Args:
      function: of a batch of any size, whose worlds do not depend on each other.
      mesh: from `world_mesh`; without one the function itself is returned.
      in_axes: as for `batched`.
    """
    if mesh is None:
        return function

    def batch(*arguments: Any) -> Any:
        axes = _axes_of(in_axes, arguments)
        count = _world_count(axes, arguments)
        if count % mesh.size:
            raise ValueError(
                f"{count} worlds cannot be distributed evenly over {mesh.size} devices: expected a "
                "multiple of that"
            )
        places = tuple(PartitionSpec() if axis is None else PartitionSpec(_AXIS) for axis in axes)
        dealt = jax.shard_map(
            function, mesh=mesh, in_specs=places, out_specs=PartitionSpec(_AXIS), check_vma=False
        )
        return dealt(*arguments)

    return batch


def _axes_of(
    in_axes: int | None | Sequence[int | None], arguments: tuple[Any, ...]
) -> tuple[int | None, ...]:
    """One entry per argument.

    Raises:
      ValueError: the entries are others than 0 and None, or not as many as the arguments.
    """
    axes = tuple(in_axes) if isinstance(in_axes, Sequence) else (in_axes,) * len(arguments)
    if len(axes) != len(arguments) or not set(axes) <= {0, None} or 0 not in axes:
        raise ValueError(
            f"in_axes: expected 0 or None for each of {len(arguments)} arguments, one 0 at least, "
            f"got {in_axes!r}"
        )
    return axes


def _world_count(axes: tuple[int | None, ...], arguments: tuple[Any, ...]) -> int:
    """Number of worlds that the arguments lead with."""
    batched = [value for axis, value in zip(axes, arguments, strict=True) if axis == 0]
    return len(jax.tree.leaves(batched)[0])


def _default_batch_size(mesh: Mesh | None) -> int | None:
    """Worlds of a block by default; None for all."""
    device = jax.local_devices()[0] if mesh is None else mesh.devices.flat[0]
    return _CPU_BATCH_SIZE if device.platform == "cpu" and not fused.in_use() else None


def _in_blocks(
    function: Callable[..., Any],
    axes: tuple[int | None, ...],
    arguments: tuple[Any, ...],
    batch_size: int | None,
) -> Any:
    """The vmapped function, block after block; the last one is filled up with its last world."""
    mapped = jax.vmap(function, axes)
    count = _world_count(axes, arguments)
    blocks = -(-count // batch_size) if batch_size else 1
    if blocks <= 1:
        return mapped(*arguments)
    size = -(-count // blocks)
    places = jnp.minimum(jnp.arange(blocks * size), count - 1)

    def cut(leaf: jax.Array) -> jax.Array:
        filled = leaf if blocks * size == count else leaf[places]
        return filled.reshape((blocks, size) + leaf.shape[1:])

    def fill(one_block: tuple[Any, ...]) -> Any:
        given = iter(one_block)
        return mapped(*(next(given) if a == 0 else x for a, x in zip(axes, arguments, strict=True)))

    batched = [value for axis, value in zip(axes, arguments, strict=True) if axis == 0]
    results = jax.lax.map(fill, jax.tree.map(cut, tuple(batched)))
    together = blocks * size
    return jax.tree.map(lambda leaf: leaf.reshape((together,) + leaf.shape[2:])[:count], results)
