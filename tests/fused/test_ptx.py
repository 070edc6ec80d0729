"""The text that a GPU's threads run, run on the CPU thread by thread."""

import ctypes
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.fused import ptx
from jaxosim.fused.kernel import scalars_of
from jaxosim.fused.transform import using
from tests.fused.cases import CASES, OWN, SHARED, WORLDS, linked


def device_program(function, arguments, mapped, **options):
    """The program of one thread, and the jaxpr of one world."""
    one = [x[0] if own else x for x, own in zip(arguments, mapped, strict=True)]
    structs = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in one]
    with using("xla"):
        jaxpr = jax.make_jaxpr(function)(*structs)
    return ptx.device_program(scalars_of(jaxpr, mapped), **options), jaxpr


def on_host(function, arguments, mapped, *, grid=ptx.GRID, **options):
    """Results of the threads, in arrays in which the world is the fastest axis."""
    program, jaxpr = device_program(function, arguments, mapped, **options)
    code = linked(program.host_ir(grid))
    given = [
        np.ascontiguousarray(np.moveaxis(x, 0, -1) if own else x)
        for x, own in zip(map(np.asarray, arguments), mapped, strict=True)
    ]
    results = [np.zeros((*a.shape, WORLDS), a.dtype) for a in jaxpr.out_avals]
    arrays = [*(given[i] for i in program.used), *results]
    addresses = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    table = np.zeros(program.table_buffer + 8, np.uint8)
    buffer = np.zeros(grid * program.memory.block_bytes + 8, np.uint8)
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.address)
    entry(ctypes.addressof(addresses), WORLDS, table.ctypes.data, buffer.ctypes.data)
    return [np.moveaxis(x, -1, 0) for x in results]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_threads_give_what_vmap_gives(case, dtype):
    function, arguments, mapped = CASES[case]
    given = [jnp.asarray(x, dtype if x.dtype == np.float32 else x.dtype) for x in arguments]
    expected = jax.vmap(function, [0 if own else None for own in mapped])(*given)
    close = {np.float32: 2e-6, np.float64: 1e-14}[dtype]
    for found, right in zip(on_host(function, given, mapped), expected, strict=True):
        assert found.dtype == right.dtype
        np.testing.assert_allclose(found, right, rtol=close, atol=close)


@pytest.mark.parametrize("grid", [1, 2, 5])
def test_scratch_memory_in_a_buffer_gives_the_same(grid):
    for function, arguments, mapped in (CASES["scans"], CASES["whiles"]):
        local = on_host(function, arguments, mapped)
        buffered = on_host(function, arguments, mapped, grid=grid, most_local=0)
        for found, right in zip(buffered, local, strict=True):
            np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize(
    "most_local", [pytest.param(ptx.MOST_LOCAL, marks=pytest.mark.thorough), 0]
)
def test_a_state_derivative_gives_what_vmap_gives(most_local):
    model, params = jaxosim.load_model("arm2dof6musc")
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    one = jaxosim.initial_state(model, params)
    keys = jax.random.split(jax.random.key(0), WORLDS)

    @jax.vmap
    def draws(key):
        state = jax.tree.map(lambda x: x + 0.2 * jax.random.uniform(key, x.shape, jnp.float32), one)
        return state, jax.random.uniform(key, (len(model.muscle_names),), jnp.float32)

    states, excitations = draws(keys)
    numbers, tree = jax.tree.flatten(params)
    state_leaves, state_tree = jax.tree.flatten(states)

    def function(*leaves):
        split = len(numbers), len(numbers) + len(state_leaves)
        given = jax.tree.unflatten(tree, leaves[: split[0]])
        state = jax.tree.unflatten(state_tree, leaves[split[0] : split[1]])
        return jax.tree.leaves(jaxosim.state_derivative(model, given, state, leaves[-1]))

    mapped = [SHARED] * len(numbers) + [OWN] * (len(state_leaves) + 1)
    arguments = [*numbers, *state_leaves, excitations]
    found = on_host(function, arguments, mapped, most_local=most_local)
    with using("xla"):
        derivative = functools.partial(jaxosim.state_derivative, model, params)
        expected = jax.jit(jax.vmap(derivative))(states, excitations)
    for given, right in zip(found, jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(given, right, rtol=2e-4, atol=2e-4)
