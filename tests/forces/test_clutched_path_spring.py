"""ClutchedPathSpring: beside OpenSim at rest and in motion, engaged and released, refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.state_variables import state_variables
from jaxosim.system import realize_position
from tests import hopper_model
from tests.models import osim_text as osim

POINTS = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p3", "/bodyset/b", location="0 -0.5 0"
)


def spring(name, **values):
    """A ClutchedPathSpring."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", POINTS))
    values = {"stiffness": "300", "dissipation": "0.2", "initial_stretch": "0.05"} | values
    return osim.element("ClutchedPathSpring", name, path, **values)


BODIES = {
    "bodies": osim.body("a") + osim.body("b"),
    "joints": osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
}
WORLD = osim.model(
    spring("one"),
    spring("off", appliesForce="false"),
    spring("slow", relaxation_time_constant="0.1", dissipation="0"),
    **BODIES,
)
ENGAGED = jnp.array([0.6, 0.3, 1.0])
RELEASED = jnp.zeros(3)


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(WORLD)
    state = hopper_model.initial(model, params)
    return (
        model,
        params,
        dataclasses.replace(state, q=jnp.array([0.3, 0.2]), u=jnp.array([0.3, 0.4])),
    )


# parity


@pytest.mark.opensim
def test_tensions_and_rates_are_opensims(opensim, world):
    model, params, state = world
    assert model.clutched_path_springs.names == ("one", "off", "slow")
    names = tuple(variable.path for variable in state_variables(model))
    assert names == hopper_model.oracle_of(WORLD).state_names
    np.testing.assert_array_equal(state.force_states, [0.05] * 3)
    rng = np.random.default_rng(1)
    q, u = rng.uniform(-1, 1, (2, 24, 2))
    states = hopper_model.states_at(model, params, q, u)
    states["excitation"] = rng.choice([0.0, -0.5, 1e-15, 1e-3, 0.7, 2.0], (24, 3))
    hopper_model.assert_parity(WORLD, states)


@pytest.mark.opensim
def test_motion_is_opensims(opensim, world):
    model, params, state = world
    controls = np.repeat([[0.5, 0.2, 1.0], [0.0, 0.0, 0.0]], 5, axis=0)
    start = {name: np.asarray(getattr(state, name)) for name in ("q", "u", "force_states")}
    expected = hopper_model.oracle_of(WORLD).trajectory(controls, accuracy=1e-9, start=start)
    options = jaxosim.Options.reference(1e-9)
    states = hopper_model.rollout_of(model, options)(params, state, jnp.asarray(controls))
    for name in ("q", "u", "force_states"):
        np.testing.assert_allclose(getattr(states, name), expected[name][1:], rtol=0, atol=1e-7)


@pytest.mark.parametrize("tag", ["stiffness", "dissipation", "initial_stretch"])
def test_negative_numbers_are_refused(tag):
    with pytest.raises(OsimFormatError, match=rf"Spring\[s\].*expected a {tag} of 0 or more"):
        hopper_model.load(osim.model(spring("s", **{tag: "-1"}), **BODIES))


def test_a_time_constant_of_zero_is_refused():
    with pytest.raises(OsimFormatError, match="a relaxation_time_constant above 0, found 0.0"):
        hopper_model.load(osim.model(spring("s", relaxation_time_constant="0"), **BODIES))


# property


def length_at(model, params, state):
    """Length (m) of the first path."""
    return jax.jit(realize_position, static_argnums=0)(model, params, state).paths.length[0]


@pytest.mark.thorough
def test_stretches_follow_the_path_while_engaged_and_vanish_when_released(world):
    model, params, state = world
    run = hopper_model.rollout_of(model, jaxosim.Options())
    engaged = run(params, state, jnp.tile(ENGAGED, (10, 1)))
    last = hopper_model.row(engaged, -1)
    stretched = length_at(model, params, last) - length_at(model, params, state)
    assert abs(float(stretched)) > 1e-3
    np.testing.assert_allclose(last.force_states, 0.05 + stretched, rtol=0, atol=2e-5)
    released = run(params, last, jnp.tile(RELEASED, (10, 1)))
    assert hopper_model.all_finite(released)
    left = np.asarray(released.force_states[-1]) / np.asarray(last.force_states)
    assert np.abs(left[:2]).max() < 1e-6  # a hundred time constants
    assert left[2] == pytest.approx(np.exp(-1), rel=1e-3)


# gradient


@pytest.mark.thorough
@pytest.mark.parametrize("controls", [ENGAGED, RELEASED, -ENGAGED, 2 * ENGAGED])
def test_gradients_are_finite_and_equal_differences(world, controls):
    model, params, state = world

    def scalar(numbers, q, stretch):
        changed = dataclasses.replace(params, clutched_path_springs=numbers)
        at = dataclasses.replace(state, q=q, force_states=stretch)
        rates = hopper_model.rates(model, changed, at, controls)
        return jnp.sum(rates.u) + jnp.sum(rates.force_states)

    at = params.clutched_path_springs, state.q, state.force_states
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.grad(scalar, argnums=(0, 1, 2))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-4)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-6)


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once(world):
    model, params, state = world
    step = jax.jit(lambda controls: jaxosim.step(model, params, state, controls))
    together = jax.vmap(step)(jnp.stack([ENGAGED, RELEASED]))
    for index, controls in enumerate((ENGAGED, RELEASED)):
        alone = step(controls)
        for name in ("u", "force_states"):
            expected = getattr(alone, name)
            np.testing.assert_allclose(
                getattr(together, name)[index], expected, rtol=1e-11, atol=1e-12
            )
    assert step._cache_size() == 1
