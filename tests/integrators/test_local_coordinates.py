"""Charts of floating joints: the same physics, and no gimbal lock within a control step."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.arrays.positive_definite import symmetric
from jaxosim.dynamics.multibody import mass_matrix
from jaxosim.integrators.local_coordinates import from_local, to_local
from jaxosim.system import StepContext, realize_derivative, realize_position
from tests import hopper_model
from tests.models import osim_text as osim

ROUNDING = 1e-12
LOCK = np.pi / 2
LIVE_TOLERANCE = 1e-6  # (rad) 0.2 s through gimbal lock, 40 substeps; without a chart 0.1
ENERGY = 0.01  # relative, a second of tumbling through gimbal lock in float32
X, Y, Z = "1 0 0", "0 1 0", "0 0 1"
AXES = {"right": (Z, X, Y), "left": (Z, X, "0 -1 0"), "stopped": (Z, X, Y), "shared": (Z, X, Y)}
LINES = {"right": ("1 0",) * 3, "left": ("-1 0.2", "1 0", "0.5 -0.1")}
KINDS = {"ball": "BallJoint", "free": "FreeJoint", "gimbal": "GimbalJoint"}
FLOAT = ("right", "left", *KINDS)


def custom(name):
    """Three angles and three shifts, as of a pelvis."""
    shifts = [("t" + name, X), ("", Y), ("", Z)]
    if name == "shared":
        shifts[1] = (f"a{name}0", Y)  # an angle that shifts the body too
    lines = LINES.get(name, LINES["right"])
    parts = [
        osim.axis(f"rotation{i + 1}", f"a{name}{i}", axis, osim.linear(lines[i]))
        for i, axis in enumerate(AXES[name])
    ]
    parts += [
        osim.axis(
            f"translation{i + 1}",
            coordinate,
            axis,
            osim.linear() if coordinate else "<Constant><value>0</value></Constant>",
        )
        for i, (coordinate, axis) in enumerate(shifts)
    ]
    names = [f"a{name}{i}" for i in range(3)] + ["t" + name]
    return f"<SpatialTransform>{''.join(parts)}</SpatialTransform>", names


def forest():
    """Bodies on ground that float and some that do not, each with a pin on it."""
    bodies, joints = "", ""
    inside = {}
    for name in AXES:
        transform, names = custom(name)
        inside[name] = "CustomJoint", osim.coordinates(*names) + transform
    for name, kind in KINDS.items():
        count = 6 if name == "free" else 3
        inside[name] = kind, osim.coordinates(*(f"{name}{i}" for i in range(count)))
    for name, (kind, text) in inside.items():
        for part in ("root", "tip"):
            bodies += osim.body(
                part + name, "1.5", mass_center="0.05 -0.03 0.02", inertia="0.2 0.3 0.25 0.02 0 0"
            )
        joints += osim.joint(kind, name, "/ground", f"/bodyset/root{name}", text)
        joints += osim.pin("pin" + name, f"/bodyset/root{name}", f"/bodyset/tip{name}", "p" + name)
    stop = osim.element(
        "CoordinateLimitForce",
        "stop",
        coordinate="astopped1",
        upper_stiffness="20",
        upper_limit="50",
        lower_stiffness="15",
        lower_limit="-60",
        damping="0.25",
        transition="10",
    )
    return osim.model(stop, *actuators(), bodies=bodies, joints=joints)


def actuators():
    """Forces along angles that float, and one along a pin."""
    names = [f"a{name}{i}" for name in ("right", "left") for i in range(3)]
    for name in (*names, "ball0", "gimbal1", "gimbal2", "pright"):
        yield osim.element("CoordinateActuator", f"to_{name}", coordinate=name, optimal_force="0.7")
    yield osim.element("ActivationCoordinateActuator", "slow", coordinate="aleft1")


FOREST = forest()
SPIN, AHEAD = 4.0, 0.4  # (rad/s) of the second angle, and how far it is from gimbal lock (rad)


def pelvis(driven=False):
    """A body before gimbal lock, with or without an actuator of each angle."""
    transform, names = custom("right")
    actuators = [
        osim.element("CoordinateActuator", f"to_{name}", coordinate=name) for name in names[:3]
    ]
    values = (0.2, LOCK - AHEAD, -0.3, 0.0)
    coordinates = "".join(
        osim.element("Coordinate", name, default_value=value)
        for name, value in zip(names, values, strict=True)
    )
    return osim.model(
        *(actuators if driven else ()),
        bodies=osim.body("a", "10", inertia="0.3 0.2 0.4 0 0 0", mass_center="0.02 0.05 0"),
        joints=osim.joint(
            "CustomJoint",
            "right",
            "/ground",
            "/bodyset/a",
            f"<coordinates>{coordinates}</coordinates>{transform}",
        ),
        rest="<gravity>0 0 0</gravity>",
    )


PELVIS, DRIVEN = pelvis(), pelvis(driven=True)
TORQUES = np.array([[0.3, -0.5, -0.2]])  # N·m


def spinning(gap, dtype=jnp.float64, text=PELVIS):
    """Model, Params and a State whose second angle will come as near to gimbal lock (rad)."""
    model, params = hopper_model.load(text)
    u = jnp.array([SPIN * gap / AHEAD**2, SPIN, 0.0, 0.0])
    state = dataclasses.replace(hopper_model.initial(model, params), u=u)
    return model, *jax.tree.map(lambda x: jnp.asarray(x, dtype), (params, state))


def drawn(model, params, seed):
    """Any orientation, however far the angles have gone."""
    state = hopper_model.random_state(model, params, seed)
    rng = np.random.default_rng(seed)
    turns, activation = rng.uniform(-7, 7, len(state.q)), rng.normal(size=len(state.force_states))
    return dataclasses.replace(
        state, q=jnp.asarray(turns), force_states=jnp.asarray(activation, state.q.dtype)
    )


@functools.cache
def round_trip_of(model):
    def both(params, state):
        local, reference = to_local(model, params, state)
        return local, from_local(model, params, reference, local, state)

    return jax.jit(both)


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(("text", "gap", "controls"), [(PELVIS, 0.02, []), (DRIVEN, 0.05, TORQUES)])
def test_a_body_passes_gimbal_lock_as_in_opensim(opensim, text, gap, controls):
    """Actuators turn it about angles that are counted from elsewhere while it passes."""
    model, params, state = spinning(gap, text=text)
    controls = np.tile(np.reshape(controls, (1, -1)), (20, 1))
    live = hopper_model.oracle_of(text).trajectory(
        controls,
        accuracy=1e-10,
        start={"q": np.asarray(state.q), "u": np.asarray(state.u)},
    )
    assert np.abs(live["u"]).max() > 10  # it has been there
    options = jaxosim.Options(substeps=40)
    states = hopper_model.rollout_of(model, options)(params, state, jnp.asarray(controls))
    np.testing.assert_allclose(states.q, live["q"][1:], rtol=0, atol=LIVE_TOLERANCE)


# property


def test_which_joints_float():
    """Those with three angles of their own on which no force depends."""
    model, _ = hopper_model.load(FOREST)
    names = [model.joint_names[joint] for joint in model.tree.joint[model.floating.mobod]]
    assert sorted(names) == sorted(FLOAT)
    assert sorted(names[i] for i in model.floating.driven) == ["gimbal", "left", "right"]
    for name in jaxosim.bundled_models():
        model, _ = jaxosim.load_model(name)
        floats = "gait14" in name and "planar" not in name
        assert len(model.floating.mobod) == floats, name


@pytest.mark.parametrize("seed", range(8))
def test_a_chart_is_left_as_it_was_entered(seed):
    model, params = hopper_model.load(FOREST)
    state = drawn(model, params, seed)
    local, back = round_trip_of(model)(params, state)
    for name in ("q", "u"):
        given, told = getattr(state, name), getattr(back, name)
        np.testing.assert_allclose(told, given, rtol=1e-10, atol=1e-10)
    floating = model.floating.coordinate.reshape(-1)
    others = np.setdiff1d(np.arange(len(state.q)), floating)
    np.testing.assert_array_equal(local.q[others], state.q[others])
    assert np.abs(local.q[floating]).max() < 0.45  # only what the file adds to an angle is left


@functools.cache
def rates_of(model):
    """Compiled rates of (params, state) by way of the chart, and without it."""
    controls = jnp.linspace(-1.0, 2.0, len(model.control_names))

    def told_rates(params, state):
        local, reference = to_local(model, params, state)
        context = StepContext.of(model, params, reference)
        rates = realize_derivative(model, params, local, controls, context)

        def told(t):
            ahead = jax.tree.map(lambda x, f: x + t * f, local, rates)
            return from_local(model, params, reference, ahead, state)

        return jax.jvp(told, (0.0,), (1.0,))[1]

    return jax.jit(
        lambda params, state: (
            told_rates(params, state),
            jaxosim.state_derivative(model, params, state, controls),
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_poses_and_velocities_are_the_same_in_local_coordinates(seed):
    """The rates in the chart, expressed in the model's coordinates, are the model's rates."""
    model, params = hopper_model.load(FOREST)
    obtained, expected = rates_of(model)(params, drawn(model, params, seed))
    for name in ("q", "u"):
        given, wanted = np.asarray(getattr(obtained, name)), np.asarray(getattr(expected, name))
        scale = 1 + np.abs(wanted).max()
        np.testing.assert_allclose(given, wanted, rtol=0, atol=1e4 * ROUNDING * scale)


@pytest.mark.parametrize("gap", [0.03, 1e-3, 1e-5, 0.0])
def test_tumbling_through_gimbal_lock_keeps_its_energy(gap):
    """In float32, and at distances from the lock that a substep jumps over."""
    model, params, state = spinning(gap, jnp.float32)
    roll = hopper_model.rollout_of(model, jaxosim.Options())
    states = roll(params, state, jnp.zeros((100, 0), jnp.float32))
    assert hopper_model.all_finite(states)
    energy = np.asarray(kinetic_energies(model, params, states))
    np.testing.assert_allclose(energy, energy[0], rtol=ENERGY)


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0))
def kinetic_energies(model, params, state):
    """½ uᵀ M u (J) of states `[state, …]`."""
    position = realize_position(model, params, state)
    mass = symmetric(mass_matrix(model, position.bodies, position.inertia))
    u = state.u[model.tree.mobility]
    return 0.5 * jnp.sum(u * (mass @ u))


# gradient


@functools.cache
def end_of_step(model):
    """Compiled number that a step makes of (state, params), and its gradient by the state."""

    def scalar(state, params):
        after = jaxosim.step(model, params, state, jnp.zeros(len(model.control_names)) + 0.3)
        return jnp.sum(jnp.sin(after.q)) + 0.01 * jnp.sum(after.u)

    return jax.jit(scalar), jax.jit(jax.grad(scalar))


@pytest.mark.parametrize(("text", "gap"), [(PELVIS, 0.3), (PELVIS, 0.01), (DRIVEN, 0.3)])
def test_gradient_of_a_step_equals_differences(text, gap):
    model, params, state = spinning(gap, text=text)
    state = dataclasses.replace(state, q=state.q.at[1].set(LOCK - gap))
    value, gradient = end_of_step(model)
    slopes, direction = gradient(state, params), hopper_model.random_direction(state, seed=2)
    expected = hopper_model.slope_along(lambda x: value(x, params), state, direction, 1e-6)
    assert hopper_model.all_finite(slopes)
    assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-6 * max(1.0, abs(expected))


@pytest.mark.thorough
def test_gradient_with_actuators_is_finite_in_gimbal_lock():
    """There an actuator has no finite torque, and ours the largest."""
    model, params, state = spinning(0.0, text=DRIVEN)
    state = dataclasses.replace(state, q=state.q.at[1].set(LOCK))
    assert hopper_model.all_finite(end_of_step(model)[1](state, params))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(FOREST)
    states = [drawn(model, params, seed) for seed in range(3)]
    one = round_trip_of(model)
    together = jax.jit(jax.vmap(one, (None, 0)))(params, hopper_model.stack(states))
    for index, state in enumerate(states):
        alone = one(params, state)
        for a, b in zip(
            jax.tree.leaves(hopper_model.row(together, index)), jax.tree.leaves(alone), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=1e-11)
    assert one._cache_size() == 1
