"""What follows from Params alone: welds fused, points and surfaces carried along."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.instance import realize_instance
from tests import hopper_model
from tests.models import osim_text as osim

ROUNDING = 1e-12
PARITY_STATES = 32
POINT, FRAME, TURN = "0.1 0.2 -0.1", "0.3 -0.1 0.2", "0.4 -0.3 0.6"


def _weld(name, parent, child, turned=False):
    """A weld through a displaced and turned frame of either side."""
    frames = osim.frames(
        osim.offset(f"{name}_p", parent, FRAME, TURN),
        osim.offset(f"{name}_c", child, "0 0.1 0", "0.2 0 -0.5"),
    )
    ends = (f"{name}_p", f"{name}_c")
    return osim.joint("WeldJoint", name, *(ends[::-1] if turned else ends), frames)


def welded(turned=False):
    """Bodies a, b, c welded in a chain on a pin; d pinned to c; e welded to ground."""
    bodies = "".join(
        osim.body(n, m, mass_center="0.05 0.1 -0.02", inertia="0.3 0.2 0.25 0.01 0.02 -0.03")
        for n, m in {"a": "2", "b": "1.5", "c": "0.5", "d": "1", "e": "4"}.items()
    )
    joints = (
        osim.joint("UniversalJoint", "root", "/ground", "/bodyset/a", osim.coordinates("q1", "q2"))
        + _weld("ab", "/bodyset/a", "/bodyset/b", turned)
        + _weld("bc", "/bodyset/b", "/bodyset/c")
        + osim.pin("cd", "/bodyset/c", "/bodyset/d", "q3")
        + _weld("ge", "/ground", "/bodyset/e")
    )
    points = osim.point("p1", "/bodyset/c", location=POINT) + osim.point(
        "p2", "/bodyset/d", location="0.2 0.3 0"
    )
    more = osim.point("p3", "/bodyset/e", location="1 0 0") + osim.point("p4", "/bodyset/b")
    sphere = osim.element(
        "ContactSphere", "s", socket_frame="/bodyset/c", location=POINT, radius="0.5"
    )
    return osim.model(
        osim.muscle("m1", points, tendon_slack_length="0.1"),
        osim.muscle("m2", more, tendon_slack_length="0.5"),
        osim.contact("floor s", "20000"),
        bodies=bodies,
        joints=joints,
        rest=osim.members("ContactGeometrySet", hopper_model.FLOOR, sphere),
    )


WORLD = welded()


compiled_instance = jax.jit(realize_instance)


def state_of(model, params, q, u):
    return jaxosim.State(
        time=jnp.zeros(()),
        q=jnp.asarray(q),
        u=jnp.asarray(u),
        activation=params.muscles.default_activation,
        fiber_length=params.muscles.optimal_fiber_length,
        normalized_tendon_force=params.degroote_fregly2016.default_normalized_tendon_force,
        force_states=params.default_force_states,
    )


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "turned",
    [False, pytest.param(True, marks=pytest.mark.thorough)],
    ids=["outwards", "one weld backwards"],
)
def test_welded_bodies_move_as_opensims(opensim, turned):
    text = welded(turned)
    model, params = hopper_model.load(text)
    rng = np.random.default_rng(1)
    q, u = rng.uniform(-1, 1, (PARITY_STATES, 3)), rng.standard_normal((PARITY_STATES, 3))
    hopper_model.assert_parity(text, hopper_model.states_at(model, params, q, u))


@pytest.mark.opensim
def test_a_single_weld_is_where_opensim_has_it(opensim):
    """A level of one body: its row was once overwritten while it was being read."""
    text = osim.model(
        bodies=osim.body("a", mass_center="0.1 0.2 0.3") + osim.body("b", mass_center="0.3 0.2 0"),
        joints=osim.pin() + _weld("ab", "/bodyset/a", "/bodyset/b"),
    )
    model, params = hopper_model.load(text)
    q = np.random.default_rng(1).uniform(-1, 1, (4, 1))
    hopper_model.assert_parity(text, hopper_model.states_at(model, params, q, q))


@pytest.mark.thorough
def test_a_single_weld_is_compiled_as_it_is_meant():
    text = osim.model(
        bodies=osim.body("a") + osim.body("b"),
        joints=osim.pin() + _weld("ab", "/bodyset/a", "/bodyset/b"),
    )
    model, params = hopper_model.load(text)
    compiled = jax.jit(realize_instance)(model, params)
    expected = realize_instance(model, params)  # one operation after the other
    for ours, theirs in zip(jax.tree.leaves(compiled), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)


# property


def test_welds_are_fused_level_by_level():
    model, _ = hopper_model.load(WORLD)
    assert [list(level) for level in model.bodies.weld_levels] == [[1, 4], [2]]
    np.testing.assert_array_equal(model.bodies.mobod, [0, 0, 0, 1, -1])


def test_a_fused_body_is_one_body_of_the_same_mass():
    """Three welded bodies move like one body with their summed mass properties."""
    model, params = hopper_model.load(WORLD)
    instance = compiled_instance(model, params)
    center = np.asarray(instance.first_moment[0] / instance.mass[0])
    central = np.asarray(instance.inertia[0]) + float(instance.mass[0]) * (
        np.outer(center, center) - center @ center * np.eye(3)
    )
    order = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    alone = dataclasses.replace(
        params.bodies,
        mass=params.bodies.mass.at[:3].set(jnp.array([instance.mass[0], 0.0, 0.0])),
        mass_center=params.bodies.mass_center.at[0].set(center),
        inertia=params.bodies.inertia.at[:3]
        .set(0.0)
        .at[0]
        .set(jnp.array([central[i] for i in order])),
    )
    assert float(instance.mass[0]) == 4.0
    one = dataclasses.replace(params, bodies=alone)
    rng = np.random.default_rng(2)
    for q, u in zip(*rng.standard_normal((2, 4, 3)), strict=True):
        state = state_of(model, params, q, u)
        expected = hopper_model.rates(model, params, state, jnp.zeros(2)).u
        obtained = hopper_model.rates(model, one, state, jnp.zeros(2)).u
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(obtained, expected, rtol=0, atol=ROUNDING * 10 * scale)


def test_carried_frames_are_rigid():
    model, params = hopper_model.load(WORLD)
    instance = compiled_instance(model, params)
    R = np.asarray(instance.body_rotation)
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.tile(np.eye(3), (5, 1, 1)), atol=1e-14)
    np.testing.assert_allclose(instance.forces["contacts"].normal[0], [0, 1, 0], atol=1e-13)
    expected = R[2] @ np.array([0.1, 0.2, -0.1]) + np.asarray(instance.body_position[2])
    np.testing.assert_allclose(instance.point_location[0], expected, atol=1e-14)
    np.testing.assert_allclose(instance.forces["contacts"].location[1], expected, atol=1e-14)


def test_a_body_welded_to_ground_adds_no_mass_and_stays():
    model, params = hopper_model.load(WORLD)
    heavy = dataclasses.replace(
        params, bodies=dataclasses.replace(params.bodies, mass=params.bodies.mass.at[4].set(1e6))
    )
    np.testing.assert_array_equal(
        compiled_instance(model, heavy).mass, compiled_instance(model, params).mass
    )
    info = hopper_model.describe(
        model, params, state_of(model, params, jnp.ones(3), jnp.ones(3)), jnp.zeros(2)
    )
    np.testing.assert_array_equal(info.bodies.velocity[4], 0.0)


# gradient


def test_gradients_by_frames_and_masses_equal_differences():
    model, params = hopper_model.load(WORLD)

    @jax.jit
    def scalar(params):
        leaves = jax.tree.leaves(realize_instance(model, params))
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in leaves)

    slopes = jax.jit(jax.grad(scalar))(params)
    direction = jax.tree.map(jnp.zeros_like, params)
    moved = hopper_model.random_direction(params, seed=1)
    direction = dataclasses.replace(
        direction, joints=moved.joints, bodies=moved.bodies, paths=moved.paths
    )
    expected = hopper_model.slope_along(scalar, params, direction, 1e-4)
    assert hopper_model.all_finite(slopes.bodies) and abs(expected) > 0.1
    finite = jax.tree.map(lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, 0.0), slopes)
    assert abs(hopper_model.inner(finite, direction) - expected) < 1e-9 * max(1.0, abs(expected))


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(WORLD)
    many = [jax.tree.map(lambda leaf, s=scale: s * leaf, params) for scale in (1.0, 1.1)]
    together = jax.jit(jax.vmap(realize_instance, (None, 0)))(model, hopper_model.stack(many))
    compiled = jax.jit(lambda model, params: realize_instance(model, params))  # a cache of its own
    for index, one in enumerate(many):
        alone = compiled(model, one)
        for a, b in zip(
            jax.tree.leaves(hopper_model.row(together, index)), jax.tree.leaves(alone), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    assert compiled._cache_size() == 1
