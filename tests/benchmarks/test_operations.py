"""The counter behind `benchmarks/roofline.py` counts what is known, and refuses what it cannot."""

import jax
import jax.numpy as jnp
import pytest
from operations import Operations, count_operations

from jaxosim.arrays import linalg

x, a = jnp.ones(8), jnp.ones((3, 4))


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda x: 2.0 * x + x, (x,), Operations(16, 0)),
        (lambda x: jnp.sqrt(x) * jax.lax.exp(x), (x,), Operations(8, 16)),
        (lambda a: a @ a.T, (a,), Operations(2 * 3 * 3 * 4, 0)),
        (lambda a: jnp.sum(a, axis=1), (a,), Operations(12, 0)),
        (lambda a: a.T.reshape(-1)[2:5], (a,), Operations(0, 0)),
        (lambda x: jax.lax.integer_pow(x, 4), (x,), Operations(16, 0)),
        (lambda a: linalg.matmul_nt(a, a), (a,), Operations(2 * 3 * 3 * 4, 0)),
        (lambda a: linalg.cross(a[:, :3], a[:, 1:]), (a,), Operations(3 * 3 * 3, 0)),
        (lambda a: linalg.constant_matmul([[1, 0, 2]], a), (a,), Operations(2 * 2 * 4, 0)),
        (lambda a: linalg.sum_leading(a), (a,), Operations(12, 0)),
    ],
    ids=[
        *["elementwise", "transcendental", "product", "sum", "moves", "power"],
        *["matmul_nt", "cross", "constant_matmul", "sum_leading"],
    ],
)
def test_operations_are_counted(function, arguments, expected):
    assert count_operations(function, *arguments) == expected


def test_loops_count_as_often_as_they_run_and_branches_as_their_dearest():
    def loop(x):
        return jax.lax.scan(lambda at, _: (at * 2.0, None), x, None, length=7)[0]

    def branch(x):
        return jax.lax.cond(x[0] > 0, lambda x: x, lambda x: x * x + x, x)

    assert count_operations(loop, x) == Operations(7 * 8, 0)
    assert count_operations(jax.jit(jax.checkpoint(loop)), x) == Operations(7 * 8, 0)
    assert (
        count_operations(branch, x).flops == 16 + count_operations(lambda x: x[0] > 0, x).flops + 1
    )


def test_worlds_count_each():
    def one(x):
        return jnp.sin(x) + 1.0

    assert count_operations(jax.vmap(one), jnp.ones((5, 8))) == Operations(40, 40)


def test_what_cannot_be_counted_is_refused():
    def endless(x):
        return jax.lax.while_loop(lambda x: x[0] < 9.0, lambda x: x * 2.0, x)

    with pytest.raises(ValueError, match="while loop"):
        count_operations(endless, x)
    with pytest.raises(ValueError, match="'fft'"):
        count_operations(jnp.fft.rfft, x)
