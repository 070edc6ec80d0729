"""Lanes of a loop take up further worlds: the same numbers to the bit, in fewer iterations."""

import ctypes
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxosim
from jaxosim.fused import fused, llvm
from jaxosim.fused.graph import WORLD
from jaxosim.fused.kernel import ir_of, scalars_of
from jaxosim.fused.refill import Refill
from jaxosim.fused.schedule import Schedule

_MOST = 30  # iterations
_WORLDS = 203


def long(v, x, length=40):
    """Many operations, so that an iteration is worth a change of worlds."""
    return lax.scan(lambda v, _: (jnp.sin(v) * 1.1 + 0.3 * x, None), v, None, length=length)[0]


def halved(v):
    """As often as needed."""
    return lax.while_loop(lambda v: jnp.max(jnp.abs(v)) > 1, lambda v: v / 2, v)


def world(x, trips, table, shared):
    """A loop between others, with numbers of all kinds that go through it or around it."""
    sums, squares = lax.scan(lambda c, y: (c + y, c * y), jnp.zeros_like(x[0]), x)
    flag, at = x > 0, trips % 5
    x = halved(3 * x)

    def body(carry):
        count, v, sign, seen = carry
        v = long(v, x) + 0.1 * table[count % 5] + 0.1 * shared[at] * squares[1]
        v = lax.cond(v[0] > 0, lambda v: v, lambda v: halved(4 * v), v)
        return count + 1, v, sign ^ (v[0] > x[1]), jnp.where(flag, seen + 1, seen)

    start = jnp.zeros((), jnp.int32), x, flag[0], jnp.zeros(3, jnp.int64)
    count, v, sign, seen = lax.while_loop(lambda c: (c[0] < trips) & (c[1][0] < 1e9), body, start)
    last = halved(v * table[(count + 2) % 5] + sums * squares)
    return count, v, sign, seen, last, flag, table[1], trips


def draw(dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, table = rng.normal(size=(_WORLDS, 3)), rng.normal(size=(_WORLDS, 5))
    trips = rng.integers(0, _MOST, _WORLDS, np.int32)
    trips[::7] = 0
    given = (x.astype(dtype), trips, table.astype(dtype), rng.normal(size=5).astype(dtype))
    return tuple(map(jnp.asarray, given))


AXES = (0, 0, 0, None)


@functools.cache
def program():
    return jax.jit(jax.vmap(fused(world), AXES))


def part(arguments, which):
    return [a if axis is None else a[which] for a, axis in zip(arguments, AXES, strict=True)]


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.thorough)]
)
def test_a_world_has_the_same_numbers_to_the_bit_in_any_batch(dtype):
    arguments = draw(dtype)
    whole = program()(*arguments)
    np.testing.assert_array_equal(whole[0], arguments[1])
    for first, last in ((0, 1), (3, 5), (0, 8), (7, 16), (60, 97), (100, _WORLDS)):
        found = program()(*part(arguments, slice(first, last)))
        assert_same(found, [r[first:last] for r in whole])
    order = np.random.default_rng(1).permutation(_WORLDS)
    assert_same(program()(*part(arguments, order)), [r[order] for r in whole])


def test_the_numbers_are_those_of_jax():
    arguments = draw(np.float64)
    expected = jax.jit(jax.vmap(world, AXES))(*arguments)
    for a, b in zip(program()(*arguments), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_worlds_that_are_not_numbers_leave_the_others_as_they_are():
    x, *rest = draw(np.float64)
    whole = program()(x, *rest)
    lost = np.arange(_WORLDS) % 3 == 1
    found = program()(jnp.where(lost[:, None], np.nan, x), *rest)
    assert np.isnan(found[1][lost]).all() and not found[0][lost].any()
    assert_same([r[~lost] for r in found], [r[~lost] for r in whole])


# ---------------------------------------------------------------------- number of iterations

_COUNTED = """
@iterations = internal global i64 0
define i64 @counted(ptr %s, ptr %t, ptr %in, ptr %out, i64 %n, ptr %record) #0 {
store i64 0, ptr @iterations, align 8
%done = call i64 @block(ptr %s, ptr %t, ptr %in, ptr %out, i64 %n, i64 0, ptr %record)
%count = load i64, ptr @iterations, align 8
ret i64 %count
}"""
_ITERATION = """define internal void @world_iteration(ptr noalias %s, ptr noalias %t, \
ptr noalias %in) noinline #0 {
entry:"""
_ADD = "\n%counted = atomicrmw add ptr @iterations, i64 1 monotonic"


def counted(x, trips):
    def body(carry):
        return carry[0] + 1, long(carry[1], x)

    return lax.while_loop(lambda c: c[0] < trips, body, (jnp.zeros_like(trips), x))


@functools.cache
def counter():
    """One thread's blocks by the kernel's own code, to the number of iterations; and its lanes."""
    given = jax.ShapeDtypeStruct((3,), jnp.float64), jax.ShapeDtypeStruct((), jnp.int64)
    scalars = scalars_of(jax.make_jaxpr(counted)(*given), [True, True])
    ir, _, scratch = ir_of(scalars, llvm.host().vector_bytes)
    assert ir.count(_ITERATION) == 1
    ir = ir.replace(_ITERATION, _ITERATION + _ADD) + _COUNTED
    code = llvm.Code(llvm.object_code(ir), "counted")
    width = llvm.host().vector_bytes // 8

    def run(x, trips):
        results = np.zeros_like(trips), np.zeros_like(x)
        addresses = [
            (ctypes.c_void_p * 2)(*(a.ctypes.data for a in arrays))
            for arrays in ((x, trips), results)
        ]
        memory = np.zeros(scratch + 128, np.uint8)
        aligned = -(-memory.ctypes.data // 128) * 128
        record = np.array([1, -(-len(trips) // width)])  # next block, blocks
        call = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 6)(code.address)
        table = np.zeros(8)
        count = call(aligned, table.ctypes.data, *addresses, len(trips), record.ctypes.data)
        return count, results

    return run, width


def simulated(trips, width):
    """Iterations where lanes take up the worlds in order as they become free."""
    waiting, lanes, count = list(trips)[::-1], [0] * width, 0
    while waiting or any(lanes):
        while waiting and not all(lanes):
            lanes[lanes.index(0)] = waiting.pop()
        count += any(lanes)
        lanes = [max(left - 1, 0) for left in lanes]
    return count


@pytest.mark.parametrize("worlds", [1, 5, 8, 20, 64, 203])
def test_lanes_take_up_worlds_as_they_become_free(worlds):
    run, width = counter()
    x, trips, *_ = map(np.array, draw(np.float64, worlds))
    x, trips = x[:worlds], trips[:worlds].astype(np.int64)
    count, (counts, values) = run(x, trips)
    np.testing.assert_array_equal(counts, trips)
    np.testing.assert_array_equal(
        values, jax.jit(jax.vmap(fused(counted)))(jnp.asarray(x), jnp.asarray(trips))[1]
    )
    assert count == simulated(trips, width)
    waiting_for_all = sum(max(trips[i : i + width]) for i in range(0, worlds, width))
    assert count <= waiting_for_all
    if worlds > 50:
        assert count < 0.8 * waiting_for_all and count < sum(trips) / width + _MOST


# --------------------------------------------------------------------------- which programs


def chosen(function, *structs, axes=None):
    mapped = [axis == 0 for axis in axes or [0] * len(structs)]
    scalars = scalars_of(jax.make_jaxpr(function)(*structs), mapped)
    ir = ir_of(scalars, llvm.host().vector_bytes)[0]
    refill = Refill.of(Schedule(scalars.graph, scalars.results, WORLD, 500))
    assert ("@next_block" in ir) == ("@refill" in ir) == (refill is not None)
    assert ("@world_world" in ir) == (refill is None)
    return refill


X, TRIPS = jax.ShapeDtypeStruct((3,), jnp.float64), jax.ShapeDtypeStruct((), jnp.int64)


def test_a_long_loop_with_a_condition_is_chosen():
    assert chosen(counted, X, TRIPS) is not None
    one = jax.eval_shape(lambda *a: part(a, 0), *draw(np.float64))
    assert chosen(world, *one, axes=AXES) is not None
    # The longest of two: each world hands over what it carries, its row apart.
    refill = chosen(lambda x, n: counted(halved(x), n)[1], X, TRIPS)
    assert refill is not None and len(refill.left) == 3


@pytest.mark.parametrize(
    "function",
    [
        lambda x, n: long(x, x),  # no condition
        lambda x, n: halved(x),  # an iteration costs less than a change of worlds
        lambda x, n: lax.scan(lambda c, _: (counted(c, n)[1], None), x, None, length=3)[0],
        lambda x, n: long(counted(x, n)[1], x, 100),  # most of it stands behind the loop
    ],
    ids=["counted", "short", "within another", "small part"],
)
def test_other_programs_stay_as_they_are(function):
    assert chosen(function, X, TRIPS) is None


def test_tangents_are_the_same_to_the_bit_in_any_batch():
    @jax.jit
    @jax.vmap
    def tangents(x, trips):
        return jax.jvp(lambda x: fused(counted)(x, trips)[1], (x,), (jnp.ones_like(x),))

    x, trips, *_ = draw(np.float64)
    whole = tangents(x, trips)
    assert_same(tangents(x[60:97], trips[60:97]), [r[60:97] for r in whole])
    expected = jax.vmap(
        lambda x, n: jax.jvp(lambda x: counted(x, n)[1], (x,), (jnp.ones_like(x),))
    )(x, trips)
    for a, b in zip(whole, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.thorough
def test_the_reference_method_steps_a_world_to_the_same_bits_in_any_batch():
    model, params = jaxosim.load_model("arm2dof6musc")
    one = jaxosim.initial_state(model, params)
    rng = np.random.default_rng(0)

    def moved(x):
        return jnp.asarray(np.asarray(x) + 0.3 * rng.uniform(size=(37, *x.shape)))

    states = jax.tree.map(moved, one)
    excitations = jnp.asarray(rng.uniform(size=(37, len(model.muscle_names))))

    @jax.jit
    @jax.vmap
    def step(state, excitation):
        options = jaxosim.Options.reference(1e-6)
        return jaxosim.step(model, params, state, excitation, options=options)

    whole = step(states, excitations)
    for k in (0, 17, 36):
        alone = step(*jax.tree.map(lambda x, k=k: x[k : k + 1], (states, excitations)))
        assert_same(jax.tree.leaves(alone), [x[k : k + 1] for x in jax.tree.leaves(whole)])
