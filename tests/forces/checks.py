"""What the tests of forces between bodies share: bodies, states, and the checks of every class."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.models import osim_text as osim

_AXES = [("rotation", 0), ("rotation", 1), ("rotation", 2)] + [("translation", i) for i in range(3)]
_FREE = "".join(
    osim.axis(
        f"{kind}{i + 1}",
        f"{kind[0]}{i}",
        " ".join("1" if i == k else "0" for k in range(3)),
        osim.linear(),
    )
    for kind, i in _AXES
)
_INNER = osim.offset("o", "..", "0.1 -0.1 0.2", "0.4 0.5 -0.6")
# A free body, one on a gimbal joint with a frame of its own, one welded to that.
BODIES = {
    "bodies": osim.body("a", "2", mass_center="0.1 0 0", inertia="0.3 0.2 0.4 0 0 0")
    + osim.body("b", "1", inertia="0.1 0.2 0.15 0 0 0").replace(
        "</Body>", f"<components>{_INNER}</components></Body>"
    )
    + osim.body("w", "0.5", mass_center="0 0.1 0", inertia="0.1 0.1 0.1 0 0 0"),
    "joints": osim.custom(_FREE, osim.coordinates(*(f"{kind[0]}{i}" for kind, i in _AXES)))
    + osim.joint("GimbalJoint", "g", "/bodyset/a", "/bodyset/b", osim.coordinates("x", "y", "z"))
    + osim.joint(
        "WeldJoint",
        "weld",
        "weld_frame",
        "/bodyset/w",
        osim.frames(osim.offset("weld_frame", "/bodyset/b", "0.3 0.1 0", "0.1 0.2 0.3")),
    ),
}
DAMPING = {"rotational_damping": "0.1 0.2 0.3", "translational_damping": "1 2 3"}
POINTS = {"point1": "0.1 0.2 0.3", "point2": "-0.2 0.4 0.1"}


def bushing(name, first, second, tag="BushingForce", inside="", **values):
    """A bushing between frames of its own, fixed on two frames."""
    own = osim.frames(
        osim.offset("f1", first, "0.1 0.2 0.3", "0.2 -0.3 0.4"),
        osim.offset("f2", second, "0.05 -0.1 0.2", "-0.5 0.1 0.3"),
    )
    sockets = {"socket_frame1": "f1", "socket_frame2": "f2"}
    return osim.element(tag, name, own + inside, **sockets, **values)


def bushings(make=bushing, **values):
    """Bushings from ground, between bodies, to a welded body, within a mobilized body, bare."""
    bare = make("bare", "/ground", "/bodyset/b/o", **values)
    bare = bare.replace(">f1<", ">/bodyset/b/o<").replace(">f2<", ">/ground<")
    return osim.model(
        make("on_ground", "/ground", "/bodyset/a", **values),
        make("between", "/bodyset/b", "/bodyset/a", **values),
        make("welded", "/bodyset/a", "/bodyset/w", **values),
        make("still", "/bodyset/b", "/bodyset/w", **values),
        bare,
        **BODIES,
    )


def states(model, params, count, seed=1, spread=0.7):
    """Arrays for the oracle, around zero."""
    rng = np.random.default_rng(seed)
    q = rng.uniform(-spread, spread, (count, len(model.coordinate_names)))
    return hopper_model.states_at(model, params, q, rng.standard_normal(q.shape))


def state_at(model, params, seed=1, spread=0.7):
    """The first of the states."""
    drawn = states(model, params, 1, seed, spread)
    start = hopper_model.initial(model, params)
    return dataclasses.replace(start, q=jnp.asarray(drawn["q"][0]), u=jnp.asarray(drawn["u"][0]))


def no_controls():
    """Of a model without muscles."""
    return jnp.zeros(0)


def assert_gradients_equal_differences(model, params, field, state, h=1e-4, others=()):
    """By the numbers of a class, coordinates and speeds, of the sum of all accelerations.

    Args:
      model: static structure.
      params: model parameters.
      field: of the class.
      state: where the gradients equal differences.
      h: of the differences.
      others: states in which the gradients have to be finite.
    """

    def scalar(x):
        numbers = dataclasses.replace(params, **{field: x[0]})
        at = dataclasses.replace(state, q=x[1], u=x[2])
        return jnp.sum(hopper_model.rates(model, numbers, at, no_controls()).u)

    at = (getattr(params, field), state.q, state.u)
    rng = np.random.default_rng(2)
    direction = jax.tree.map(lambda x: rng.standard_normal(x.shape) * (0.1 + jnp.abs(x)), at)
    slopes_at = jax.jit(jax.grad(scalar))
    slopes = slopes_at(at)
    expected = hopper_model.slope_along(scalar, at, direction, h)
    assert hopper_model.all_finite(slopes) and hopper_model.nonzero(slopes[1])
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-6)
    for other in others:
        assert hopper_model.all_finite(slopes_at((at[0], other.q, other.u)))


def assert_batches_equal_single_steps(model, params, at):
    """A batch by the fused kernel, in both precisions, and single steps by XLA, traced once."""
    hopper_model.assert_batches_equal_single_worlds(
        jaxosim.step, model, params, at, tolerances=(1e-10, 1e-3)
    )


def power_on_bodies(model, params, state, field):
    """Power (W) of what a class reports on each pair of bodies, first and second, summed.

    Args:
      model: static structure.
      params: model parameters.
      state: one world.
      field: of the class, whose Outputs have force and torque `[pair, 2, 3]` about the bodies.
    """
    info = hopper_model.describe(model, params, state, no_controls())
    out, body = info.forces[field], getattr(model, field).pairs.body

    def motion(values):
        return jnp.concatenate([values, jnp.zeros((1, 3))])[body.T]

    linear = jnp.sum(out.force * motion(info.bodies.velocity))
    return float(linear + jnp.sum(out.torque * motion(info.bodies.angular_velocity)))


def energy_rate(model, params, state, energy):
    """Rate (W) of an energy that is a function of the state's coordinates."""
    from jaxosim.system import realize

    @jax.jit
    def rate(state):
        q_dot = jaxosim.state_derivative(model, params, state, no_controls()).q

        def at(q):
            moved = dataclasses.replace(state, q=q)
            return energy(realize(model, params, moved, no_controls())[2].forces)

        return jax.jvp(at, (state.q,), (q_dot,))[1]

    return float(rate(state))
