"""Every rule beside JAX: the same values, at once for a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxosim.arrays.positive_definite import inverse_positive, solve_positive
from jaxosim.fused import fused
from jaxosim.fused.interpreter import RULES

X = np.random.default_rng(0).uniform(-2, 2, (19, 6))
INDEX = jnp.arange(6) % 4


def _scan(x):
    def body(carry, slices):
        total, previous = carry
        row, index = slices
        return (total + row * previous, row), (total, lax.dynamic_slice(x, (index,), (2,)))

    return lax.scan(body, (x[0], x[1]), (x, INDEX), reverse=True)


def _while(x):
    return lax.while_loop(
        lambda c: (c[0] < 10) & (c[1] < 40), lambda c: (c[0] * 2 + 1, c[1] + 1), (x[0], 0)
    )


def _nested(x):
    def outer(carry):
        inner = lax.while_loop(lambda v: v < carry, lambda v: 2 * v + 0.3, 0.1 * carry)
        return inner + 1

    return lax.while_loop(lambda v: v < 20, outer, jnp.abs(x[0]) + 1)


def _solutions(x):
    matrix = x.reshape(3, 2) @ x.reshape(3, 2).T + 2 * jnp.eye(3, dtype=x.dtype)
    inverse = inverse_positive(matrix)
    return jax.vmap(lambda rhs: solve_positive(matrix, inverse, rhs))(x.reshape(2, 3))


def _mean_of(x, update):
    return jnp.zeros(6).at[jnp.argmax(x)].add(update)


CASES = {
    "add, sub, mul, neg, abs, square": lambda x: (x + x[0], x - 1, x * x, -x, jnp.abs(x), x**2),
    "div, rem, floor, ceil": lambda x: (x / x[::-1], jnp.fmod(x, 0.7), jnp.floor(x), jnp.ceil(x)),
    "comparisons": lambda x: (x < 0, x <= x[0], x > 0, x >= x[0], x == x[0], x != x[1]),
    "booleans": lambda x: ((x < 0) & (x > -1), (x < 0) | (x > 1), (x < 0) ^ (x > -1), ~(x < 0)),
    "max, min, clamp": lambda x: (jnp.maximum(x, 0), jnp.minimum(x, x[0]), jnp.clip(x, -1, 1)),
    "select_n": lambda x: (
        jnp.where(x > 0, x, 0),
        lax.select_n(INDEX[:3] % 3, x[:3], x[3:], 2 * x[:3]),
    ),
    "integer_pow": lambda x: (x**3, x**-2, x**7),
    "round, sign, sqrt, rsqrt": lambda x: (
        *(jnp.round(x), lax.round(x), jnp.sign(x)),
        *(jnp.sqrt(jnp.abs(x)), lax.rsqrt(jnp.abs(x))),
    ),
    "elementary": lambda x: (jnp.sin(x), jnp.exp(x), jnp.arctan2(x, x[0]), jnp.tanh(x)),
    "is_finite": lambda x: (jnp.isfinite(x / 0), jnp.isfinite(x), jnp.isnan(jnp.log(x))),
    "conversions": lambda x: (
        (x * 3).astype(jnp.int32),
        (x > 0).astype(x.dtype),
        INDEX.astype(x.dtype) + x,
    ),
    "integers": lambda x: (
        INDEX // 3,
        INDEX % 3,
        INDEX << 2,
        INDEX ^ 5,
        -INDEX,
        (x * 9).astype(jnp.int32) // 4,
    ),
    "moves": lambda x: (
        *(x.reshape(2, 3).T, x[::-1], x[1:5:2], jnp.tile(x, 2), jnp.stack([x, 2 * x], 1)),
        *(jnp.concatenate([x, x[:2]]), jnp.pad(x, (1, 2)), jnp.split(x, 3)[1], x[:, None] * x),
    ),
    "iota": lambda x: x * jnp.arange(6),
    "sums": lambda x: (
        *(jnp.sum(x), jnp.prod(x), jnp.max(x), jnp.min(x), jnp.any(x > 1), jnp.all(x < 1)),
        *(jnp.cumsum(x), jnp.cumsum(x[::-1]), lax.cummax(x), jnp.argmax(x), jnp.argmin(x)),
    ),
    "products": lambda x: (x @ x, x.reshape(2, 3) @ x.reshape(3, 2), jnp.einsum("i,j->ij", x, x)),
    "batched products": lambda x: jnp.einsum(
        "bij,bjk->bik", x.reshape(1, 2, 3), x.reshape(1, 3, 2)
    ),
    "gather": lambda x: (x[INDEX], x[jnp.argmax(x)], x.reshape(2, 3)[:, jnp.argmin(x) // 2]),
    "gather from a table": lambda x: jnp.linspace(0, 1, 24)[((x + 2) * 5).astype(jnp.int32)],
    "gather outside": lambda x: jnp.take(x, jnp.array([1, 9, -7]), mode="fill"),
    "gather one": lambda x: (
        x.at[jnp.asarray(3)].get(mode="clip"),
        x.at[jnp.argmax(x)].get(mode="clip"),
        x.at[jnp.argmax(x) + 3].get(mode="fill"),
    ),
    "gather along axes": lambda x: (
        jax.vmap(lambda row, i: row[i])(x.reshape(2, 3), jnp.array([1, 2])),
        jax.vmap(lambda row, i: row[i])(x.reshape(2, 3), jnp.argsort(x)[:2] // 2),
        jax.vmap(lambda i: lax.dynamic_slice(x, (i,), (2,)))(jnp.array([0, 3, 5])),
        jnp.take(x.reshape(2, 3), jnp.array([[1, 5], [-1, 0]]), axis=1, mode="fill"),
    ),
    "dynamic_slice": lambda x: lax.dynamic_slice(x, (jnp.argmax(x),), (3,)),
    "dynamic_update_slice": lambda x: lax.dynamic_update_slice(x, x[:2], (jnp.argmax(x),)),
    "scatter": lambda x: (x.at[2].set(1.0), x.at[INDEX].add(x), _mean_of(x, 2.0), x.at[7].set(0.0)),
    "scatter others": lambda x: (x.at[1].mul(3.0), x.at[INDEX].max(0.5), x.at[INDEX].min(0.5)),
    "sort": lambda x: (jnp.sort(x), jnp.argsort(x)),
    "scan": _scan,
    "scan of one": lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x[:1]),
    "while": _while,
    "while of a vmap": lambda x: jax.vmap(lambda v: _while(v[None]))(x),
    "nested while": _nested,
    "cond": lambda x: lax.cond(x[0] > 0, lambda v: v * 2, lambda v: v - 1, x),
    "switch": lambda x: lax.switch((x[0] + 2).astype(jnp.int32), [jnp.sin, jnp.cos, jnp.exp], x),
    "several right-hand sides": _solutions,
    "device_put": lambda x: jax.device_put(x) + jax.device_put(np.float32(1)).astype(x.dtype),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(x) * x),
    "custom_jvp": lambda x: (jax.nn.relu(x), jnp.hypot(x, 1.0)),
    "bitcast": lambda x: lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32) >> 23,
}


def _inputs(name, dtype):
    x = jnp.asarray(X, dtype)
    return jnp.abs(x) + 0.1 if name in ("nested while",) else x


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_the_primitive(name, dtype):
    function, x = CASES[name], _inputs(name, dtype)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        expected = jax.jit(jax.vmap(function))(x)
        obtained = jax.jit(jax.vmap(fused(function)))(x)
    rtol = 2e-6 if dtype == jnp.float32 else 1e-13
    for a, b in zip(jax.tree.leaves(obtained), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def test_nan_passes_through_max_and_min():
    x = jnp.array([[jnp.nan, 1.0], [1.0, jnp.nan], [2.0, 1.0]])

    def function(v):
        return jnp.maximum(v[0], v[1]), jnp.minimum(v[0], v[1]), jnp.clip(v, -1.0, 1.0)

    for a, b in zip(jax.vmap(fused(function))(x), jax.vmap(function)(x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("length", [5, 40])
def test_a_row_of_an_argument_is_found_by_a_number(length):
    def function(table, x):
        index = (jnp.abs(x) * length / 2).astype(jnp.int32)
        return jnp.take(table, index, axis=0, mode="clip")

    rng = np.random.default_rng(1)
    tables, x = jnp.asarray(rng.normal(size=(21, length, 3))), jnp.asarray(rng.uniform(-2, 2, 21))
    for axes in ((0, 0), (None, 0)):
        given = tables if axes[0] == 0 else tables[0]
        expected = jax.vmap(function, axes)(given, x)
        np.testing.assert_array_equal(jax.vmap(fused(function), axes)(given, x), expected)


def test_every_rule_is_named_once_in_lower_case():
    assert all(name == name.lower() for name in RULES)
