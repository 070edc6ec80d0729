"""A chain of bodies for the tests of actuators that act on bodies, and what all of them check."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.models import osim_text as osim

_WELD = osim.joint(
    "WeldJoint",
    "w",
    "w_parent",
    "/bodyset/b",
    osim.frames(osim.offset("w_parent", "/bodyset/a", "0.1 0.4 -0.2", "0.3 -0.5 0.7")),
)
_UNIVERSAL = osim.joint("UniversalJoint", "j", "/ground", "/bodyset/a", osim.coordinates("q", "r"))
BODIES = {
    "bodies": osim.body("a", mass_center="0.1 0.2 0") + osim.body("b", "2") + osim.body("c"),
    "joints": _UNIVERSAL
    + _WELD
    + osim.joint("PinJoint", "k", "/bodyset/b", "/bodyset/c", osim.coordinates("s")),
    "rest": "<components>"
    + osim.offset("tilted", "/bodyset/b", "0.2 0.1 0", "0.4 0.8 -0.3")
    + "</components>",
}


def world(*forces):
    """The chain with forces."""
    return osim.model(*forces, **BODIES)


def a_state(model, params):
    """A state in which nothing is zero."""
    start = hopper_model.initial(model, params)
    return dataclasses.replace(start, q=jnp.array([0.3, -0.4, 0.5]), u=jnp.array([0.7, -0.2, 0.4]))


def assert_opensims(text):
    """Accelerations and records are OpenSim's at random states and controls."""
    model, params = hopper_model.load(text)
    q, u = np.random.default_rng(1).uniform(-1, 1, (2, 16, 3))
    states = hopper_model.states_at(model, params, q, u)
    states["excitation"] = np.random.default_rng(2).uniform(-9, 9, states["excitation"].shape)
    hopper_model.assert_parity(text, states)


def assert_power(text, power):
    """What the controls add to the rate of the bodies' energy is the actuators' power.

    Args:
      text: the model.
      power: of (model, params, description, controls), (W).
    """
    model, params = hopper_model.load(text)
    state = a_state(model, params)
    controls = jnp.linspace(0.5, 2.0, len(model.control_names))

    def kinetic_energy(u):
        info = jaxosim.describe(model, params, dataclasses.replace(state, u=u), 0 * controls)
        turned = jnp.einsum("bij,bi->bj", info.bodies.rotation, info.bodies.angular_velocity)
        center = jnp.einsum("bij,bj->bi", info.bodies.rotation, params.bodies.mass_center)
        velocity = info.bodies.velocity + jnp.cross(info.bodies.angular_velocity, center)
        moving = params.bodies.mass[:, None] * velocity**2
        return (jnp.sum(moving) + jnp.sum(params.bodies.inertia[:, :3] * turned**2)) / 2

    u_dot, at_rest = (
        hopper_model.rates(model, params, state, given).u for given in (controls, 0 * controls)
    )
    gained = jax.grad(kinetic_energy)(state.u) @ (u_dot - at_rest)
    info = hopper_model.describe(model, params, state, controls)
    assert float(gained) == pytest.approx(float(power(model, params, info, controls)), rel=1e-9)


def assert_gradients(text, field):
    """Slopes by the class's numbers, the controls and the pose are finite and equal differences."""
    model, params = hopper_model.load(text)
    state = a_state(model, params)
    controls = jnp.linspace(0.5, 2.0, len(model.control_names))

    def scalar(numbers, given, q):
        changed = dataclasses.replace(params, **{field: numbers})
        at = dataclasses.replace(state, q=q)
        return jnp.sum(hopper_model.rates(model, changed, at, given).u)

    at = getattr(params, field), controls, state.q
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.grad(scalar, argnums=(0, 1, 2))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-3)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)


def assert_batched(text):
    """A batch is a loop, and one program serves all its worlds."""
    model, params = hopper_model.load(text)
    state = a_state(model, params)
    given = jnp.linspace(0.5, 2.0, len(model.control_names))
    step = jax.jit(lambda controls: jaxosim.step(model, params, state, controls))
    together = jax.vmap(step)(jnp.stack([given, -given]))
    for index, controls in enumerate((given, -given)):
        np.testing.assert_allclose(together.u[index], step(controls).u, rtol=1e-11, atol=1e-12)
    assert step._cache_size() == 1
