"""Functions of one world that are run as a GPU's threads run them, with their arguments."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.fused import llvm

WORLDS = 300  # two blocks and a part of one
SHARED = False
OWN = True


@functools.cache  # a text is linked once
def linked(ir):
    return llvm.Code(llvm.object_code(ir), "host")


def draw(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, (WORLDS, *shape)).astype(dtype)


def arithmetic(x, y):
    return [jnp.sin(x) @ y, jnp.where(x > 0, x[::-1], jnp.exp(x)), jnp.sum(y / (2.5 + x))]


def scans(x, ys):
    def body(carry, y):
        carry = 0.5 * carry + y * x
        return carry, carry**2

    last, squares = jax.lax.scan(body, x, ys)
    return [last, squares, jax.lax.fori_loop(0, 5, lambda i, c: c + i * x, last)]


def whiles(x):
    def body(carry):
        count, value = carry
        return count + 1, value * 0.7

    return list(jax.lax.while_loop(lambda c: jnp.abs(c[1][0]) > 0.1, body, (0, x)))


def lookups(table, shared, x):
    at = jnp.clip((x * 40).astype(jnp.int32), 0, 99)
    return [table[at[0]], shared[at[1]], shared[jnp.maximum(at[0], at[1])] * x]


def bools(x, flags, numbers):
    return [flags & (x > 0), jnp.where(flags, numbers, -numbers), jnp.any(flags), numbers % 3]


def of_shared(numbers, x):
    weights = jnp.cumsum(jnp.sqrt(jnp.abs(numbers))) + jnp.tanh(numbers)
    return [weights * x, jnp.dot(weights, weights) + x[0]]


INTEGERS = np.random.default_rng(1).integers(-50, 50, (WORLDS, 4), np.int32)
CASES = {
    "arithmetic": (arithmetic, [draw(4), draw(4, seed=1)], [OWN, OWN]),
    "scans": (scans, [draw(3), draw(7, 3, seed=1)], [OWN, OWN]),
    "whiles": (whiles, [draw(2)], [OWN]),
    "lookups": (lookups, [draw(100), draw(100, seed=1)[0], draw(2)], [OWN, SHARED, OWN]),
    "bools": (bools, [draw(4), draw(4, seed=1) > 0, INTEGERS], [OWN, OWN, OWN]),
    "of_shared": (of_shared, [draw(5)[0], draw(5)], [SHARED, OWN]),
}
