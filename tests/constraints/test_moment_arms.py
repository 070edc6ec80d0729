"""Moment arms of coordinates that constraints couple: OpenSim's, slopes of lengths, gradients."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.constraints import worlds
from tests.models import osim_text as osim

HALF, HARDLY, NOT = 0.5, 3e-5, 1e-9  # rad that a coordinate turns when the first turns by one
ANGLES = np.linspace(-1.1, 1.3, 9)


def straight(slope):
    return worlds.function("LinearFunction", coefficients=f"{slope} 0")


def chain():
    """Four bars in a row that all follow the first, the second of them twice, and a muscle."""
    names = "abcd"
    bodies = "".join(osim.body(name, inertia="0.1 0.1 0.1 0 0 0") for name in names)
    joints = osim.pin("ja", "/ground", "/bodyset/a", "qa")
    for before, name in zip(names, names[1:], strict=False):
        frames = osim.frames(osim.offset("end", f"/bodyset/{before}", "0.3 0 0"))
        inside = osim.coordinates(f"q{name}") + frames
        joints += osim.joint("PinJoint", f"j{name}", "end", f"/bodyset/{name}", inside)
    couplers = (
        worlds.coupler("b", "qa", "qb", straight(HALF)),
        worlds.coupler("again", "qa", "qb", straight(HALF)),
        worlds.coupler("c", "qa", "qc", straight(HARDLY)),
        worlds.coupler("d", "qa", "qd", straight(NOT)),
    )
    points = osim.point("p", location="-0.2 0.4 0") + osim.point(
        "o", "/bodyset/d", location="0.1 0.1 0"
    )
    return osim.model(
        osim.muscle(points=points, tendon_slack_length="0.6"),
        bodies=bodies,
        joints=joints,
        rest=osim.members("ConstraintSet", *couplers),
    )


def cranks():
    """Three parallel cranks of equal length and a bar: an equation of the four is redundant."""
    bodies = "".join(osim.body(name, inertia="0.1 0.1 0.1 0 0 0") for name in "abcd")
    joints = osim.pin("ja", "/ground", "/bodyset/a", "qa")
    for name, parent, place in (
        ("b", "/bodyset/a", "0.3 0 0"),
        ("c", "/ground", "0 0.4 0"),
        ("d", "/ground", "0 0.8 0"),
    ):
        inside = osim.coordinates(f"q{name}") + osim.frames(osim.offset("pivot", parent, place))
        joints += osim.joint("PinJoint", f"j{name}", "pivot", f"/bodyset/{name}", inside)
    ends = (("0 0.4 0", "/bodyset/c"), ("0 0.8 0", "/bodyset/d"))
    closed = (
        worlds.coinciding(f"to_{crank[-1]}", "/bodyset/b", place, crank, "0.3 0 0")
        for place, crank in ends
    )
    points = osim.point("p", location="-0.2 0.4 0")
    points += osim.point("o", "/bodyset/c", location="0.2 0.1 0")
    return osim.model(
        osim.muscle(points=points, tendon_slack_length="0.1"),
        bodies=bodies,
        joints=joints,
        rest=osim.members("ConstraintSet", *closed),
    )


WORLD, CRANKS = chain(), cranks()


def pose(angle):
    return jnp.stack([angle, HALF * angle, HARDLY * angle, NOT * angle])


@functools.cache
def outputs():
    """Compiled: moment arms `[coordinate]` and length of the muscle at an angle."""
    model, params = hopper_model.load(WORLD)
    start = jaxosim.initial_state(model, params)

    @jax.jit
    def of(angle):
        state = dataclasses.replace(start, q=pose(angle))
        muscles = jaxosim.describe(model, params, state, jnp.zeros(1)).muscles
        return muscles.moment_arm[0], muscles.length[0]

    return of


@pytest.mark.opensim
def test_moment_arms_are_opensims_where_equations_are_redundant_or_hardly_let_move(opensim):
    model, params = hopper_model.load(WORLD)
    q = np.stack([pose(angle) for angle in ANGLES])
    states = hopper_model.states_at(model, params, q, q)
    comparison = hopper_model.assert_parity(WORLD, states, only=("paths",))
    rounding = comparison.expected["muscle_moment_arm_rounding"][:, 0]
    assert rounding[:, :2].max() < 1e-13 and 0 < rounding[:, 2].max() < 0.1
    assert np.abs(comparison.expected["muscle_moment_arm"][:, 0, 2]).max() > 1e3


@pytest.mark.opensim
@pytest.mark.parametrize("off", [0.0, 1e-14, 1e-12, 1e-11])
def test_moment_arms_are_opensims_a_little_off_redundant_equations(opensim, off):
    model, params = hopper_model.load(CRANKS)
    q = np.array([[0.5, -0.5, 0.5 + off, 0.5 - off]])
    states = hopper_model.states_at(model, params, q, 0 * q)
    comparison = hopper_model.assert_parity(CRANKS, states, only=("paths",))
    assert (np.abs(comparison.expected["muscle_moment_arm"]) > 0.09).all()


def test_a_moment_arm_is_minus_the_slope_of_length_along_the_constraints():
    for angle in ANGLES:
        arms, _ = outputs()(angle)
        slope = jax.grad(lambda angle: outputs()(angle)[1])(angle)
        np.testing.assert_allclose(arms[0], -slope, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(arms[1], -slope / HALF, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(arms[2], -slope / HARDLY, rtol=1e-13)
        assert arms[3] == 0


def test_gradients_equal_differences_and_a_batch_equals_a_loop():
    slopes = jax.vmap(jax.jacfwd(lambda angle: outputs()(angle)[0]))(ANGLES)
    assert np.isfinite(slopes).all()
    step = 1e-5
    above, below = (jax.vmap(outputs())(ANGLES + side * step)[0] for side in (1, -1))
    np.testing.assert_allclose(slopes, (above - below) / (2 * step), rtol=1e-6, atol=1e-7)
    loop = np.stack([outputs()(angle)[0] for angle in ANGLES])
    np.testing.assert_allclose(jax.vmap(outputs())(ANGLES)[0], loop, rtol=1e-13, atol=1e-15)
