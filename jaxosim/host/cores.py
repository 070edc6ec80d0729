"""The cores of the machine as devices of JAX."""

import os

import jax


def use_cpu_devices(count: int | None = None) -> None:
    """Let JAX see a CPU device per core; to be called before JAX is used for anything.

    Several cores that serve one device wait for each other after every operation; devices, each
    with its share of the worlds (`world_mesh`), do not.

    Args:
      count: number of devices; as many as there are cores for this process if None.

    Raises:
      RuntimeError: JAX has been used before.
    """
    jax.config.update("jax_num_cpu_devices", core_count() if count is None else count)


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
