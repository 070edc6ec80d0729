"""What this machine can do at most, measured through XLA on all devices at once.

Each figure is the best of several sizes and repetitions: a limit, not a median.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxosim.batching import sharded, world_sharding

_REPEATS = 7
_MATRIX = 1024
_IN_CACHE = (16, 32, 64, 128, 256, 512)  # kB on each device
_IN_MEMORY = 64 * 1024  # kB, beyond any cache's share of a core
_WORK = 2**26  # elements that a timed call goes over, about
_CHAINS, _LENGTH = 8, 16  # multiply-adds of an element: so many side by side, so many in a row

Loop = Callable[[jax.Array], jax.Array]


def multiply_add_rate(mesh: Mesh) -> dict[str, float]:
    """Float32 operations a second (1/s), two per multiply-add: a product, and vectors in cache."""
    matrices = jnp.ones((mesh.size, _MATRIX, _MATRIX))
    product = _seconds(mesh, lambda x: x @ x, matrices)

    def polynomials(x):
        sums = [x + 0.1 * number for number in range(_CHAINS)]
        for _ in range(_LENGTH):
            sums = [total * x + 0.25 for total in sums]
        return jnp.minimum(sum(sums), 0.5)

    elements = max(_element_rates(mesh, polynomials, _IN_CACHE[:2]))
    return {
        "matrix product": mesh.size * 2 * _MATRIX**3 / product,
        "vectors in cache": 2 * _CHAINS * _LENGTH * elements,
    }


def bandwidth(mesh: Mesh) -> dict[str, float]:
    """Bytes read and written a second (B/s) by float32 arithmetic, within the cache and beyond."""

    def scale(x):
        return 0.5 * x + 0.25

    return {
        "cache": 8 * max(_element_rates(mesh, scale, _IN_CACHE)),
        "memory": 8 * max(_element_rates(mesh, scale, (_IN_MEMORY,))),
    }


def exponential_rate(mesh: Mesh) -> float:
    """Float32 exponentials a second (1/s) of vectors in cache."""
    return max(_element_rates(mesh, lambda x: jnp.exp(-x), _IN_CACHE[:2]))


def _element_rates(mesh: Mesh, function: Loop, sizes: Iterable[int]) -> Iterable[float]:
    """Elements a second of a function applied again and again, for each size (kB) of a share."""
    for size in sizes:
        count = size * 1024 // 4
        rounds = max(4, _WORK // count)

        def loop(x, rounds=rounds):
            return jax.lax.fori_loop(0, rounds, lambda _, at: function(at), x)

        share = jnp.full((mesh.size, count), 0.5)
        yield mesh.size * count * rounds / _seconds(mesh, loop, share)


def _seconds(mesh: Mesh, function: Loop, value: Any) -> float:
    """Shortest time of a call, every device with its row of the value."""
    value = jax.device_put(value, world_sharding(mesh))
    call = jax.jit(sharded(lambda rows: function(rows[0])[None], mesh)).lower(value).compile()
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        jax.block_until_ready(call(value))
        times.append(time.perf_counter() - begin)
    return min(times)
