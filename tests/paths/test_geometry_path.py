"""Muscle paths: moment arms, conditional and moving points, points of one body and of ground."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.opensim.sampling import random_states
from jaxosim.paths.geometry_path import (
    lengthening_speed,
    moment_arms,
    realize_paths,
    tension_generalized_force,
)
from jaxosim.paths.points import conditions, next_event
from tests import hopper_model
from tests.models import osim_text as osim

PARITY_STATES = 64
ARM_TOLERANCE = 1e-12  # (m) moment arm against −dL/dq by automatic differentiation
EDGE = 1e-5  # (rad) by which OpenSim widens a condition
GRADIENT_TOLERANCE = 1e-7
KNEE = 3  # of the hopper
EXTENSOR, FLEXOR = 0, 1


def crossing():
    """Paths that start or end on ground, turn back, and touch one body several times."""
    first = osim.point("p1", "/ground", location="0.1 0.5 0") + osim.point(
        "p2", "/bodyset/a", location="0.05 0.1 0.02"
    )
    second = (
        osim.point("s1", "/bodyset/b", location="0.02 -0.1 0")
        + osim.point("s2", "/bodyset/a", location="0.03 0.1 0")
        + osim.point("s3", "/bodyset/a", location="-0.05 0.1 0.1")
        + osim.point("s4", "/bodyset/b", location="0.01 -0.02 0.1")
        + osim.point("s5", "/ground", location="0.4 0.2 0")
    )
    coincident = (
        osim.point("c1", "/bodyset/a", location="0.05 0.1 0.02")
        + osim.point("c2", "/bodyset/a", location="0.05 0.1 0.02")
        + osim.point("c3", "/bodyset/b", location="0.1 -0.1 0.02")
    )
    joints = osim.joint(
        "BallJoint", "j1", "/ground", "/bodyset/a", osim.coordinates("a1", "a2", "a3")
    ) + osim.joint(
        "UniversalJoint",
        "j2",
        "frame",
        "/bodyset/b",
        osim.coordinates("b1", "b2") + osim.frames(osim.offset("frame", "/bodyset/a", "0.2 0.3 0")),
    )
    return osim.model(
        osim.muscle("one", first, tendon_slack_length="0.3"),
        osim.muscle("two", second, tendon_slack_length="0.9"),
        osim.muscle("three", coincident, tendon_slack_length="0.2"),
        bodies=osim.body("a", mass_center="0.1 0 0") + osim.body("b", mass_center="0 0.2 0"),
        joints=joints,
    )


CROSSING = crossing()


def welded():
    """A moving point next to a point of a body that is welded to its own, once with a wrap."""
    moving = osim.point(
        "moving",
        "/bodyset/a",
        "MovingPathPoint",
        "".join(
            f"<{axis}_location><LinearFunction><coefficients>{slope} {constant}</coefficients>"
            f"</LinearFunction></{axis}_location>"
            for axis, slope, constant in (("x", 0.2, 0.06), ("y", -0.1, -0.2), ("z", 0, 0.01))
        ),
        location=None,
        **{f"socket_{axis}_coordinate": "/jointset/j/q" for axis in "xyz"},
    )
    points = osim.point("start", location="0.3 0.4 0.1") + moving
    points += osim.point("end", "/bodyset/b", location="0.1 -0.4 0.1")
    ball = osim.element("WrapSphere", "ball", radius="0.05", translation="0.1 0.1 0")
    ground = osim.element("Ground", "ground", osim.members("WrapObjectSet", ball))
    wrap = osim.members("PathWrapSet", osim.element("PathWrap", "w", wrap_object="ball"))
    return osim.model(
        osim.muscle("free", points, tendon_slack_length="0.3"),
        osim.muscle("wrapped", points, wrap, tendon_slack_length="0.3"),
        bodies=osim.body("a", mass_center="0.1 0 0") + osim.body("b"),
        joints=osim.pin() + osim.joint("WeldJoint", "weld", "/bodyset/a", "/bodyset/b"),
        rest=ground,
    )


WELDED = welded()


class Geometry(NamedTuple):
    length: jax.Array  # [path]
    moment_arm: jax.Array  # [path, mobility]
    slope: jax.Array  # [path, mobility] lengthening per unit speed


@functools.cache
def paths_of(model):
    """Compiled length, moment arms and whole slopes of all paths, from (params, q)."""

    def paths(params, q):
        instance = realize_instance(model, params)
        joints = realize_joints(model, params, q)
        path = realize_paths(model, params, instance, realize_pose(model, instance, joints), q)
        speed = functools.partial(lengthening_speed, model, params, path, joints, q)
        slope = jax.vmap(speed, out_axes=1)(jnp.eye(len(q))[model.tree.mobility])
        return Geometry(path.length, moment_arms(model, path), slope)

    return jax.jit(paths)


@functools.cache
def length_slope_of(model):
    """Compiled dL/dq of (params, q)."""
    return jax.jit(jax.jacrev(lambda p, q: paths_of(model)(p, q).length, argnums=1))


def hopper_pose(knee, seed=0):
    model, params = hopper_model.load(hopper_model.HOPPER)
    q = hopper_model.random_state(model, params, seed).q
    return model, params, q.at[KNEE].set(knee)


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "world", [CROSSING, hopper_model.HOPPER, WELDED], ids=["crossing", "hopper", "welded"]
)
def test_lengths_speeds_and_moment_arms_are_opensims(opensim, world):
    states = random_states(hopper_model.oracle_of(world), PARITY_STATES, seed=2)
    model, _ = hopper_model.load(world)
    if world in (CROSSING, WELDED):
        rng = np.random.default_rng(3)
        states["q"] = rng.uniform(-1.2, 1.2, states["q"].shape)
    else:
        low, high = hopper_model.CONDITION
        edges = [low - 2 * EDGE, low - EDGE / 2, low, high, high + EDGE / 2, high + 2 * EDGE]
        states["q"][: len(edges), KNEE] = edges
        states["q"][len(edges) : len(edges) + 3, KNEE] = hopper_model.SPLINE_KNOTS[1:]
    hopper_model.assert_parity(world, states, only=("paths", "record values"))


# property


@pytest.mark.parametrize("knee", [-1.1, -0.7, -0.35, -0.1, 0.3, 0.7])
def test_moment_arm_is_minus_the_slope_of_length(knee):
    """In the coordinate's range and off the jumps; every flexible segment here joins two bodies."""
    model, params, q = hopper_pose(knee)
    path = paths_of(model)(params, q)
    slope = np.asarray(length_slope_of(model)(params, q))[:, model.tree.mobility]
    np.testing.assert_allclose(path.moment_arm[FLEXOR], -slope[FLEXOR], rtol=0, atol=ARM_TOLERANCE)
    np.testing.assert_allclose(path.slope, slope, rtol=0, atol=ARM_TOLERANCE)


def test_moment_arm_on_a_tree_of_many_axes():
    model, params = hopper_model.load(CROSSING)
    for seed in range(3):
        q = jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, 5))
        path = paths_of(model)(params, q)
        joints = jax.jit(realize_joints)(model, params, q)
        slope = length_slope_of(model)(params, q)
        rates = np.asarray(slope).copy()
        rates[:, :3] = slope[:, :3] @ joints.q_dot_map[0]  # the ball's speeds are not its rates
        np.testing.assert_allclose(path.moment_arm, -rates, rtol=0, atol=ARM_TOLERANCE)
        assert np.abs(rates).max() > 0.05


def test_a_moving_point_next_to_its_own_body_lengthens_without_pull():
    model, params, q = hopper_pose(0.3)
    path = paths_of(model)(params, q)
    knee = int(np.flatnonzero(model.tree.mobility == KNEE)[0])
    stretch = np.asarray(path.slope + path.moment_arm)
    assert abs(stretch[EXTENSOR, knee]) > 1e-3
    np.testing.assert_allclose(stretch[FLEXOR], 0.0, rtol=0, atol=ARM_TOLERANCE)


def test_a_moving_point_beyond_its_range_stands_still_in_length_only():
    model, params, q = hopper_pose(0.95)  # the range ends at 0.8
    path = paths_of(model)(params, q)
    slope = np.asarray(length_slope_of(model)(params, q))[:, model.tree.mobility]
    whole = np.asarray(path.slope)
    assert np.abs(whole - slope)[EXTENSOR].max() > 1e-3
    np.testing.assert_allclose(whole[FLEXOR], slope[FLEXOR], rtol=0, atol=ARM_TOLERANCE)


@pytest.mark.parametrize("edge, outwards", list(zip(hopper_model.CONDITION, (-1, 1), strict=True)))
def test_a_conditional_point_comes_and_goes_just_outside_its_range(edge, outwards):
    lengths = {}
    for steps in (0.0, 0.9, 1.1):
        model, params, q = hopper_pose(edge + outwards * steps * EDGE)
        lengths[steps] = float(paths_of(model)(params, q).length[FLEXOR])
    jump = abs(lengths[1.1] - lengths[0.9])
    assert abs(lengths[0.9] - lengths[0.0]) < EDGE
    assert jump > 10 * EDGE
    assert lengths[1.1] < lengths[0.9]  # a bypass is shorter


@pytest.mark.parametrize("knee, speed", [(-1.1, 2.0), (-0.9, 2.0), (-0.9, -2.0), (0.0, -0.5)])
def test_next_switch_is_when_the_coordinate_meets_an_edge_of_the_range(knee, speed):
    model, params, q = hopper_pose(knee)
    rate = jnp.zeros_like(q).at[KNEE].set(speed)
    low, high = hopper_model.CONDITION[0] - EDGE, hopper_model.CONDITION[1] + EDGE
    expected = min(t for t in ((low - knee) / speed, (high - knee) / speed) if t > 0)
    time, count = next_event(model, params, q, rate, jnp.asarray(0.0), jnp.asarray(10.0))
    np.testing.assert_allclose([time, count], [expected, 1.0], rtol=1e-12)
    moved = q + (expected + 1e-9) * rate, q + (expected - 1e-9) * rate
    assert bool(conditions(model, params, moved[0])) != bool(conditions(model, params, moved[1]))


def test_there_is_no_switch_ahead_at_rest_behind_or_too_soon():
    model, params, q = hopper_pose(-0.2)
    rate = jnp.zeros_like(q).at[KNEE].set(-1.0)
    meeting = 0.1 - EDGE
    for own, after, before, expected in (
        (0 * rate, 0.0, 10.0, [np.inf, 0]),
        (-rate, 0.0, 10.0, [np.inf, 0]),
        (rate, meeting + 1e-3, 10.0, [0.8 + EDGE, 1]),  # the other edge
        (rate, 0.0, meeting - 1e-3, [meeting, 0]),
    ):
        arguments = jnp.asarray(after), jnp.asarray(before)
        obtained = next_event(model, params, q, own, *arguments)
        np.testing.assert_allclose(obtained, expected, rtol=1e-12)
    model, params = hopper_model.load(CROSSING)  # has no such points
    obtained = next_event(model, params, jnp.zeros(5), jnp.ones(5), jnp.zeros(()), jnp.ones(()))
    np.testing.assert_array_equal(obtained, [np.inf, 0])


@pytest.mark.parametrize("inside", [True, False])
def test_points_can_be_told_to_be_present(inside):
    """As on the other side of the edge."""
    model, params, q = hopper_pose(-0.31 if inside else -0.29)

    @jax.jit
    def length(at, active_points):
        instance = realize_instance(model, params)
        bodies = realize_pose(model, instance, realize_joints(model, params, at))
        return realize_paths(model, params, instance, bodies, at, active_points).length[FLEXOR]

    edge = q.at[KNEE].set(-0.3)
    told = [length(edge, jnp.array([whether])) for whether in (not inside, inside)]
    lengths = [length(q, None), *told]
    assert abs(lengths[0] - lengths[2]) < 1e-3 < 5e-3 < abs(lengths[1] - lengths[2])


def test_lengthening_speed_is_the_rate_of_length():
    model, params, q = hopper_pose(-0.5)
    u = jnp.asarray(np.random.default_rng(1).standard_normal(len(q))) * (~model.locked).astype(
        float
    )
    speed = paths_of(model)(params, q).slope @ u[model.tree.mobility]
    rate = jax.jvp(lambda x: paths_of(model)(params, x).length, (q,), (u,))[1]
    np.testing.assert_allclose(speed, rate, rtol=0, atol=ARM_TOLERANCE)


def test_tension_pulls_by_the_moment_arms():
    model, params, q = hopper_pose(-0.5)
    tension = jnp.array([3.0, 7.0])

    def force(params, q):
        instance = realize_instance(model, params)
        bodies = realize_pose(model, instance, realize_joints(model, params, q))
        path = realize_paths(model, params, instance, bodies, q)
        return tension_generalized_force(model, path, tension)

    expected = tension @ paths_of(model)(params, q).moment_arm
    np.testing.assert_allclose(jax.jit(force)(params, q), expected, rtol=0, atol=ARM_TOLERANCE)


def test_lengths_ignore_where_the_model_stands():
    model, params, q = hopper_pose(-0.5)
    here, there = (paths_of(model)(params, q.at[1].set(x)) for x in (0.0, 1000.0))
    np.testing.assert_array_equal(here.length, there.length)
    np.testing.assert_array_equal(here.moment_arm, there.moment_arm)


# gradient


@functools.cache
def number_of_paths(model):
    """Compiled number that is made of the paths, of (params, q), and its gradient."""

    def scalar(at):
        path = paths_of(model)(*at)
        return jnp.sum(path.length) + jnp.sum(jnp.sin(10 * path.moment_arm))

    return jax.jit(scalar), jax.jit(jax.grad(scalar))


@pytest.mark.parametrize("knee", [-1.2, -0.7, 0.1, 0.5])
def test_gradient_by_params_and_pose_equals_differences(knee):
    model, params, q = hopper_pose(knee)
    scalar, gradient = number_of_paths(model)
    slopes = gradient((params, q))
    slopes = jax.tree.map(lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, 0.0), slopes)
    still = jax.tree.map(jnp.zeros_like, (params, q))
    moved = dataclasses.replace(
        still[0],
        paths=dataclasses.replace(
            still[0].paths, location=hopper_model.random_direction(params.paths.location, 1)
        ),
    )
    directions = [(moved, still[1])]
    if knee not in hopper_model.SPLINE_KNOTS:  # the pose's second derivative kinks at the ends
        directions.append((still[0], hopper_model.random_direction(q, 2)))
    for direction in directions:
        expected = hopper_model.slope_along(scalar, (params, q), direction, 1e-5)
        obtained = hopper_model.inner(slopes, direction)
        assert abs(expected - obtained) < GRADIENT_TOLERANCE * max(1.0, abs(expected))


def test_gradient_is_finite_where_points_coincide():
    """Muscle three has two points in one place; with b on a, also points of two bodies."""
    model, params = hopper_model.load(CROSSING)
    joined = dataclasses.replace(
        params,
        paths=dataclasses.replace(params.paths, location=jnp.zeros_like(params.paths.location)),
        joints=jax.tree.map(lambda x: x, params.joints),
    )
    joined = dataclasses.replace(
        joined,
        joints=dataclasses.replace(
            params.joints, parent_translation=jnp.zeros_like(params.joints.parent_translation)
        ),
    )
    gradient = jax.jit(
        jax.grad(
            lambda p, q: sum(jnp.sum(x) for x in jax.tree.leaves(paths_of(model)(p, q))),
            argnums=(0, 1),
        )
    )
    for numbers in (params, joined):
        assert hopper_model.all_finite(gradient(numbers, jnp.zeros(5)))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    model, params, _ = hopper_pose(0.0)
    q = jnp.stack([hopper_pose(k, seed=i)[2] for i, k in enumerate((-0.9, -0.2, 0.4))])
    together = jax.jit(jax.vmap(paths_of(model), (None, 0)))(params, q)
    for index in range(3):
        alone = paths_of(model)(params, q[index])
        for a, b in zip(
            jax.tree.leaves(alone), jax.tree.leaves(hopper_model.row(together, index)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)
    assert paths_of(model)._cache_size() == 1


def test_walker_has_moving_and_conditional_points():
    """The bundled walkers have what the hopper stands for; tests/parity compares them."""
    model, _ = jaxosim.load_model("gait9dof18musc")
    assert len(model.paths.moving_point) and len(model.paths.conditional_point)
