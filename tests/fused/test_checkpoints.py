"""Loops of checkpoints: the forward program keeps some of what is carried, reverse mode uses it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.fused import fused
from jaxosim.fused.checkpoints import STRETCH
from jaxosim.fused.kernel import ir_of, scalars_of
from jaxosim.fused.operation import Program

RNG = np.random.default_rng(0)
X, GAIN = jnp.asarray(RNG.normal(size=(5, 3))), jnp.asarray(RNG.normal(size=(5, 3)))


def motion_of(length):
    """A loop between other laws, whose results are used."""

    def motion(x, gain):
        @jax.checkpoint
        def step(at, row):
            x, v = at
            v = v - row * jnp.sin(x) * gain
            return (x + row * v * v, v), None

        start = (jnp.cos(x), x * gain)
        (end, v), _ = jax.lax.scan(step, start, jnp.linspace(0.1, 0.4, length).astype(x.dtype))
        return jnp.exp(-end * end), v

    return motion


motion = motion_of(2 * STRETCH)


def energy(function, x, gain):
    first, second = function(x, gain)
    return jnp.sum(first * first) + jnp.sum(second)


def program(length):
    x = jnp.ones(3, jnp.float32)
    return Program(jax.make_jaxpr(motion_of(length))(x, x), "motion")


def test_the_carried_arrays_of_later_stretches_and_used_results_are_kept():
    shapes = [aval.shape for aval in program(3 * STRETCH).kept_avals]
    assert shapes == [(2, 3), (2, 3), (3,)]


@pytest.mark.parametrize("length", [1, STRETCH, 2 * STRETCH + 1])
def test_nothing_is_kept_of_a_loop_that_is_not_several_stretches(length):
    given = program(length)
    assert given.keeping is given and not given.kept_avals


def test_reverse_mode_works_out_again_all_but_the_last_iteration_of_each_stretch():
    back = program(2 * STRETCH).cotangent((0,), (0,)).jaxpr
    scalars = scalars_of(back, [True] * len(back.jaxpr.invars))
    _, schedule, _ = ir_of(scalars, 64, is_derivative=True)
    (again,) = (r.loop for r in schedule.repeats.values() if r.ends_early and r.carry)
    assert again.length == STRETCH and scalars.graph.loops[again.parent].length == 2


@pytest.mark.parametrize("length", [STRETCH, 2 * STRETCH])
def test_derivatives_are_those_of_jax(length):
    plain = motion_of(length)
    own, other = (functools.partial(energy, f) for f in (fused(plain), plain))
    for way in (jax.grad, jax.jacfwd):
        found, known = (jax.jit(jax.vmap(way(f, (0, 1))))(X, GAIN) for f in (own, other))
        for a, b in zip(found, known, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("outer", [jax.jacrev, jax.jacfwd])
def test_second_derivatives_are_those_of_jax(outer):
    own, other = (functools.partial(energy, f) for f in (fused(motion), motion))
    found, known = (
        jax.jit(jax.vmap(outer(jax.grad(f, (0, 1)), (0, 1))))(X, GAIN) for f in (own, other)
    )
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(known), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_worlds_that_share_an_argument_have_the_sum_of_its_gradients():
    def total(function, x, gain):
        return jnp.sum(jax.vmap(functools.partial(energy, function), (0, None))(x, gain))

    found, known = (
        jax.jit(jax.grad(functools.partial(total, f), (0, 1)))(X, GAIN[0])
        for f in (fused(motion), motion)
    )
    for a, b in zip(found, known, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
