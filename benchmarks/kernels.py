"""The two ways to run a program, as fused kernels and by XLA alone, each at its best setting.

A fused kernel uses all cores from one device, through XLA's thread pool. XLA's own program needs a
device per core (`jaxosim.use_cpu_devices`) and takes its worlds in blocks that fit a core's cache.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding

import jaxosim
from jaxosim import fused

KERNELS = ("fused", "xla")
LABELS = {"auto": "", "fused": "fused", "xla": "XLA"}
SETTINGS = "fused: one device, all cores by XLA's thread pool; XLA: a device per core, 128 worlds"
_BLOCK = 128  # worlds side by side, XLA alone


def mesh_of(kernel: str) -> Mesh | None:
    """The mesh over which the worlds are sharded: a device per core for XLA, none for kernels.

    Args:
      kernel: "fused", "xla", or "auto" for "fused" where kernels are available.
    """
    return None if is_fused(kernel) else jaxosim.world_mesh()


def is_fused(kernel: str) -> bool:
    """Whether this choice of `Options.kernel` means kernels here."""
    return kernel == "fused" or (kernel == "auto" and fused.is_available())


def placed(kernel: str, batch: Any) -> Any:
    """A batch on the devices of its program; the worlds are the leading axis of every leaf."""
    return jax.device_put(batch, sharding_of(kernel) or jax.devices()[0])


def sharding_of(kernel: str) -> NamedSharding | None:
    """How the worlds are distributed over `mesh_of`; None without one."""
    mesh = mesh_of(kernel)
    return None if mesh is None else jaxosim.world_sharding(mesh)


def batched(
    kernel: str,
    function: Callable[..., Any],
    batch_size: int | None = None,
    in_axes: int | Sequence[int | None] = 0,
) -> Callable[..., Any]:
    """A function of one world for a batch, with the best settings for this kernel.

    Args:
      kernel: as for `mesh_of`.
      function: of one world.
      batch_size: worlds side by side where XLA runs it; 128 if None.
      in_axes: as for `batched`.
    """
    size = None if is_fused(kernel) else batch_size or _BLOCK
    return jaxosim.batched(function, in_axes, mesh=mesh_of(kernel), batch_size=size)
