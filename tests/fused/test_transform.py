"""The transform: batches, shared arguments, derivatives, and where it steps back."""

import functools
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.batching import sharded, world_mesh
from jaxosim.fused import fused, is_available, using
from jaxosim.fused.operation import operation_p

RNG = np.random.default_rng(0)
X, Y = jnp.asarray(RNG.normal(size=(37, 5))), jnp.asarray(RNG.normal(size=(37, 5)))


def plain(x, y):
    def body(carry, row):
        return carry * 0.9 + jnp.sin(row) * y[0], carry

    last, rows = jax.lax.scan(body, x[0], x * y)
    return {"last": last, "rows": rows, "same": x, "above": x > y}


kernel = fused(plain)


def equal(a, b, rtol=1e-12):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol)


def uses_kernels(function, *arguments):
    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive
            for value in equation.params.values():
                if hasattr(value, "jaxpr"):
                    yield from names(value.jaxpr)

    return operation_p in names(jax.make_jaxpr(function)(*arguments).jaxpr)


def test_one_world_and_many_are_what_jax_gives():
    assert is_available() and uses_kernels(kernel, X[0], Y[0])
    equal(kernel(X[0], Y[0]), plain(X[0], Y[0]))
    equal(jax.vmap(kernel)(X, Y), jax.vmap(plain)(X, Y))
    equal(jax.jit(jax.vmap(kernel))(X, Y), jax.vmap(plain)(X, Y))


@pytest.mark.parametrize("count", [1, 7, 8, 16, 23, 37, 1023])
def test_a_world_does_not_depend_on_its_batch_to_the_bit(count):
    x, y = (jnp.asarray(RNG.normal(size=(1023, 5)), jnp.float32) for _ in range(2))
    whole = jax.vmap(kernel)(x, y)
    part = jax.vmap(kernel)(x[-count:], y[-count:])
    for a, b in zip(jax.tree.leaves(part), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(a, b[-count:])


def test_a_world_does_not_depend_on_the_number_of_threads():
    code = (
        "import jax, jax.numpy as jnp, numpy as np\n"
        "from jaxosim.fused import fused\n"
        "x = jnp.asarray(np.random.default_rng(0).normal(size=(999, 4)), jnp.float32)\n"
        "f = fused(lambda x: jnp.cumsum(jnp.sin(x) / (1 + x * x)))\n"
        "print(np.asarray(jax.vmap(f)(x)).tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for prefix in ([], ["taskset", "-c", "0"] if sys.platform == "linux" else [])
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (1, 0), (0, 1)])
def test_any_argument_may_be_shared_or_batched_along_any_axis(axes):
    x = {0: X, 1: X.T, None: X[0]}[axes[0]]
    y = {0: Y, 1: Y.T, None: Y[0]}[axes[1]]
    equal(jax.vmap(kernel, axes)(x, y), jax.vmap(plain, axes)(x, y))


def test_batches_of_batches_are_one_batch():
    x, y = X[:36].reshape(4, 9, 5), Y[:36].reshape(4, 9, 5)
    for axes in ((0, 0), (0, None)):
        inner = functools.partial(jax.vmap, in_axes=axes)
        given = y if axes[1] == 0 else y[:, 0]
        equal(jax.vmap(inner(kernel))(x, given), jax.vmap(inner(plain))(x, given))


def test_no_worlds_give_no_results():
    assert jax.vmap(kernel)(X[:0], Y[:0])["rows"].shape == (0, 5)


def test_it_runs_in_a_scan_and_on_a_mesh():
    def rollout(f, x, y):
        return jax.lax.scan(lambda at, _: (f(at, y)["rows"], None), x, None, length=3)[0]

    batch = jax.vmap(functools.partial(rollout, kernel))
    equal(jax.jit(batch)(X, Y), jax.vmap(functools.partial(rollout, plain))(X, Y))
    dealt = sharded(batch, world_mesh(num_envs=len(X)))
    equal(jax.jit(dealt)(X, Y), jax.vmap(functools.partial(rollout, plain))(X, Y))


# --------------------------------------------------------------------------- derivatives


def loss(f):
    return lambda x, y: jnp.sum(f(x, y)["rows"] ** 2) + f(x, y)["last"]


def test_gradients_are_those_of_jax_batched_or_not():
    equal(*[jax.jit(jax.grad(loss(f), (0, 1)))(X[0], Y[0]) for f in (kernel, plain)])
    gradients = [jax.jit(jax.vmap(jax.grad(loss(f), (0, 1))))(X, Y) for f in (kernel, plain)]
    equal(*gradients)
    forward = [
        jax.jit(jax.vmap(jax.jacfwd(lambda x, y, f=f: f(x, y)["rows"])))(X, Y)
        for f in (kernel, plain)
    ]
    equal(*forward)
    curved = [jax.jit(jax.vmap(jax.hessian(loss(f))))(X[:3], Y[:3]) for f in (kernel, plain)]
    equal(*curved, rtol=1e-11)


def test_what_worlds_share_has_the_sum_of_their_gradients():
    def total(f, x, y):
        return jnp.sum(jax.vmap(loss(f), (0, None))(x, y))

    equal(*[jax.grad(total, (1, 2))(f, X, Y[0]) for f in (kernel, plain)], rtol=1e-11)


def test_what_has_no_derivative_needs_none():
    f = fused(lambda n, x: (n + 1, x * n.astype(x.dtype)))
    n = jnp.arange(37, dtype=jnp.int32)
    gradient = jax.vmap(jax.grad(lambda x, n: f(n, x)[1]))(X[:, 0], n)
    np.testing.assert_array_equal(gradient, n)


# ------------------------------------------------------------------------ stepping back


def test_constants_are_compiled_in_and_others_compile_anew():
    f = fused(lambda scale, x: scale * x, constant_argnums=(0,))
    for scale in (2.0, 3.0):
        np.testing.assert_allclose(jax.vmap(functools.partial(f, jnp.asarray(scale)))(X), scale * X)
    by_argument = jax.jit(jax.vmap(f, (None, 0)))
    np.testing.assert_allclose(by_argument(jnp.asarray(4.0), X), 4 * X)


def test_a_primitive_without_a_rule_is_named_and_jax_runs_it():
    f = fused(lambda x: jnp.linalg.cholesky(x))
    matrix = jnp.eye(3)[None] * jnp.arange(1.0, 4)[:, None, None]
    with pytest.warns(UserWarning, match="cholesky has no rule in jaxosim.fused"):
        result = jax.vmap(f)(matrix)
    np.testing.assert_allclose(result, jax.vmap(jnp.linalg.cholesky)(matrix))


def test_a_function_that_is_known_to_have_no_kernel_is_not_warned_of():
    def factor(known, x):
        return kernel(jnp.linalg.cholesky(x)[0], x[1])

    f = fused(factor, static_argnums=(0,), unless=lambda known: known)
    matrix = jnp.eye(3)[None] * jnp.arange(1.0, 4)[:, None, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = jax.vmap(lambda x: f(True, x))(matrix)
    with pytest.warns(UserWarning, match="cholesky has no rule"):
        expected = jax.vmap(lambda x: f(False, x))(matrix)
    jax.tree.map(np.testing.assert_array_equal, result, expected)


def test_random_keys_pass_by():
    f = fused(lambda key, x: (key, 2 * x))
    keys = jax.random.split(jax.random.key(0), 37)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        passed, twice = jax.vmap(f)(keys, X)
    assert jnp.all(passed == keys)
    np.testing.assert_array_equal(twice, 2 * X)


def test_the_kernel_is_chosen():
    with using("xla"):
        assert not uses_kernels(lambda x, y: kernel(x, y), X[0], Y[0])
    with using("fused"):
        assert uses_kernels(lambda x, y: kernel(x, y), X[0], Y[0])
    with pytest.raises(ValueError, match="expected one of"), using("fast"):
        pass


def test_a_fused_function_within_another_is_part_of_it():
    outer = fused(lambda x, y: kernel(x, y)["rows"] + 1)
    jaxpr = jax.make_jaxpr(outer)(X[0], Y[0])
    assert [e.primitive for e in jaxpr.eqns] == [operation_p]
    equal(outer(X[0], Y[0]), plain(X[0], Y[0])["rows"] + 1)


def test_it_is_traced_once():
    traces = []
    f = fused(lambda x: traces.append(None) or x + 1)
    program = jax.jit(jax.vmap(f))
    for _ in range(3):
        program(X)
    jax.vmap(f)(X)
    assert len(traces) == 1


def test_float32_and_float64_stand_side_by_side():
    f = fused(lambda a, b: (a * 2, b + a.astype(b.dtype)))
    single, double = jax.vmap(f)(X.astype(jnp.float32), Y)
    np.testing.assert_allclose(single, 2 * X.astype(jnp.float32))
    np.testing.assert_allclose(double, Y + X.astype(jnp.float32).astype(Y.dtype), rtol=1e-15)
