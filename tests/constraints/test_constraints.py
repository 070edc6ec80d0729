"""Constraints: beside OpenSim, their derivatives, drift, gradients, batches, refusals."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.constraints import realize_constraints
from jaxosim.dynamics.joints import coordinate_rates, realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.integrators import projection
from jaxosim.integrators.projection import assemble, constraint_error, project
from jaxosim.system import StepContext, realize_derivative
from tests import hopper_model
from tests.constraints import worlds
from tests.models import osim_text as osim

SINGLE_ROUNDING = 5e-7  # of an equation's error in float32


@functools.cache
def assemble_all(model):
    """Compiled: poses and speeds of (params, states) on the constraints, and their errors."""

    def assembled(params, state):
        onto = assemble(model, params, state)
        return onto, constraint_error(model, params, onto)

    return jax.jit(jax.vmap(assembled, (None, 0)))


def random_states(model, params, count, seed=0, spread=0.3):
    """States near the default pose, on the constraints, `[state]` leading."""
    start = jaxosim.initial_state(model, params)
    rng = np.random.default_rng(seed)
    shape = (count, len(model.coordinate_names))
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), start)
    states = dataclasses.replace(
        states,
        time=jnp.asarray(rng.uniform(0, 0.5, count)),
        q=states.q + spread * rng.standard_normal(shape),
        u=jnp.asarray(rng.standard_normal(shape)),
    )
    assembled, error = assemble_all(model)(params, states)
    assert float(jnp.max(error)) < 1e-11
    return assembled


def live_state(opensim, live, initial, state):
    """An OpenSim state with the values of ours."""
    at = opensim.State(initial)
    at.setTime(float(state.time))
    for index in range(live.getCoordinateSet().getSize()):
        coordinate = live.getCoordinateSet().get(index)
        coordinate.setValue(at, float(state.q[index]), False)
        coordinate.setSpeedValue(at, float(state.u[index]))
    return at


@pytest.fixture(scope="module")
def everything():
    return hopper_model.load(worlds.EVERYTHING)


@pytest.fixture(scope="module")
def linkage():
    return hopper_model.load(worlds.LINKAGE)


# parity


@pytest.mark.opensim
def test_accelerations_under_every_class_of_constraints_are_opensims(opensim, everything):
    model, params = everything
    live = opensim.Model(str(hopper_model.path_of(worlds.EVERYTHING)))
    initial = live.initSystem()
    states = random_states(model, params, 16)
    ours = jax.jit(jax.vmap(lambda s: jaxosim.state_derivative(model, params, s, jnp.zeros(0))))
    found = np.asarray(ours(states).u)
    coordinates = [live.getCoordinateSet().get(i) for i in range(found.shape[1])]
    assert [c.getName() for c in coordinates] == list(model.coordinate_names)
    for index in range(len(found)):
        at = live_state(opensim, live, initial, hopper_model.row(states, index))
        live.realizeAcceleration(at)
        assert np.abs(at.getQErr().to_numpy()).max() < 1e-10
        assert np.abs(at.getUErr().to_numpy()).max() < 1e-10
        expected = np.array([c.getAccelerationValue(at) for c in coordinates])
        error = np.abs(found[index] - expected) / np.maximum(1, np.abs(expected))
        assert error.max() < 1e-8


@pytest.mark.opensim
@pytest.mark.parametrize("text", [worlds.EVERYTHING, worlds.LINKAGE], ids=["everything", "linkage"])
def test_the_initial_pose_is_assembled_as_opensim_assembles_it(opensim, text):
    """OpenSim's assembler stops early, and near a minimum a small gain moves q by its root."""
    model, params = hopper_model.load(text)
    live = opensim.Model(str(hopper_model.path_of(text)))
    at = live.initSystem()
    expected = [
        live.getCoordinateSet().get(i).getValue(at) for i in range(model.sizes["coordinate"])
    ]
    ours = jaxosim.initial_state(model, params)
    aims = ~model.dependent
    missed = [
        np.sum((np.asarray(q) - params.coordinates.default_value)[aims] ** 2)
        for q in (ours.q, expected)
    ]
    assert missed[0] <= missed[1] + 1e-12
    np.testing.assert_allclose(ours.q, expected, rtol=0, atol=1e-6)
    assert float(constraint_error(model, params, ours)) < 1e-12


def test_a_steep_coupler_does_not_pull_at_what_it_depends_on():
    """OpenSim's assembler stops here before it gets there, at 0.0994."""
    text = osim.model(
        bodies=osim.body("a") + osim.body("b"),
        joints=osim.joint(
            "PinJoint", "j", "/ground", "/bodyset/a", osim.coordinates("k", default_value="0.1")
        )
        + osim.joint("SliderJoint", "i", "/bodyset/a", "/bodyset/b", osim.coordinates("l")),
        rest=osim.members(
            "ConstraintSet",
            worlds.coupler(
                "c", "k", "l", worlds.function("LinearFunction", coefficients="5000 -497")
            ),
        ),
    )
    model, params = hopper_model.load(text)
    found = jaxosim.initial_state(model, params).q
    np.testing.assert_allclose(found, [0.1, 3.0], rtol=1e-7)


@pytest.mark.opensim
def test_a_prescribed_angle_moves_no_other_at_the_start(opensim):
    names = "abcdef"
    text = osim.model(
        joints=osim.joint(
            "FreeJoint", "j", "/ground", "/bodyset/a", osim.coordinates(*names, default_value="0.3")
        )
    ).replace(
        '<Coordinate name="b">',
        '<Coordinate name="b"><prescribed>true</prescribed><prescribed_function>'
        "<Constant><value>-0.4</value></Constant></prescribed_function>",
    )
    live = opensim.Model(str(hopper_model.path_of(text)))
    at = live.initSystem()
    expected = [live.getCoordinateSet().get(i).getValue(at) for i in range(len(names))]
    found = jaxosim.initial_state(*hopper_model.load(text)).q
    np.testing.assert_allclose(expected, [0.3, -0.4, 0.3, 0.3, 0.3, 0.3], rtol=1e-12)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.opensim
def test_moment_arms_are_those_of_coupled_coordinates(opensim, linkage):
    model, params = linkage
    live = opensim.Model(str(hopper_model.path_of(worlds.LINKAGE)))
    initial = live.initSystem()
    muscle = live.getMuscles().get(0)
    state = hopper_model.row(random_states(model, params, 1), 0)
    arms = hopper_model.describe(model, params, state, jnp.zeros(1)).muscles.moment_arm[0]
    at = live_state(opensim, live, initial, state)
    live.realizePosition(at)
    for index, arm in enumerate(arms):
        coordinate = live.getCoordinateSet().get(index)
        assert float(arm) == pytest.approx(muscle.computeMomentArm(at, coordinate), abs=1e-10)


# property


def errors_along(model, params, state):
    """Errors of the equations on the parabola through a state with its accelerations."""
    rates = jaxosim.state_derivative(model, params, state, jnp.zeros(len(model.control_names)))
    context = StepContext.of(model, params)

    def error(q, time):
        joints = realize_joints(model, params, q)
        pose = realize_pose(model, context.instance, joints)
        at = dataclasses.replace(state, q=q, time=time)
        info = realize_constraints(model, params, context.instance, joints, pose, at)
        assert info is not None
        return info.error

    def velocity(q, u, time):
        q_dot = coordinate_rates(model, realize_joints(model, params, q), u)
        return jax.jvp(error, (q, time), (q_dot, jnp.ones_like(time)))[1]

    q_dot = coordinate_rates(model, realize_joints(model, params, state.q), state.u)
    moving = (q_dot, rates.u, jnp.ones_like(state.time))
    return jax.jvp(velocity, (state.q, state.u, state.time), moving)


@pytest.mark.slow
def test_errors_have_no_first_and_second_derivative_along_the_motion(everything):
    model, params = everything
    states = random_states(model, params, 4, seed=3)
    rate, acceleration = jax.jit(jax.vmap(lambda s: errors_along(model, params, s)))(states)
    assert float(jnp.max(jnp.abs(rate))) < 1e-10
    assert float(jnp.max(jnp.abs(acceleration))) < 1e-9


def energy(model, params, state):
    """Kinetic and potential energy of bodies that turn about z."""
    info = jaxosim.describe(model, params, state, jnp.zeros(1))
    R, w = info.bodies.rotation, info.bodies.angular_velocity
    arm = jnp.einsum("bij,bj->bi", R, params.bodies.mass_center)
    position, velocity = info.bodies.position + arm, info.bodies.velocity + jnp.cross(w, arm)
    mass = params.bodies.mass[:, None]
    moving = jnp.sum(mass * velocity**2) / 2 - jnp.sum(mass * position * params.gravity[None])
    return moving + jnp.sum(w[:, 2] ** 2 * params.bodies.inertia[:, 2]) / 2


def without_muscle(params):
    muscles = dataclasses.replace(params.muscles, max_isometric_force=jnp.full(1, 1e-9))
    return dataclasses.replace(params, muscles=muscles)


@pytest.mark.thorough
@pytest.mark.parametrize("method", [pytest.param("ros3w", marks=pytest.mark.slow), "rk4"])
def test_steps_stay_on_the_constraints_and_keep_the_energy(linkage, method):
    model, params = linkage
    params = without_muscle(params)
    options = jaxosim.Options(method=method, substeps=10)
    start = jaxosim.initial_state(model, params)
    states = jaxosim.rollout(model, params, start, jnp.zeros((60, 1)), options)
    errors = jax.vmap(lambda s: constraint_error(model, params, s))(states)
    assert float(jnp.max(errors)) < 1e-10
    assert float(jnp.max(jnp.abs(states.u))) > 0.5
    found = jax.vmap(lambda s: energy(model, params, s))(states)
    np.testing.assert_allclose(found, energy(model, params, start), atol=1e-4)


@pytest.mark.thorough
def test_a_projection_is_the_least_change():
    """From (0.4, 0) to the line x1 = 2 x0 + 0.1: (0.04, 0.18), and speeds (1, 0): (0.2, 0.4)."""
    joints = osim.joint("SliderJoint", "i", "/ground", "/bodyset/a", osim.coordinates("x0"))
    joints += osim.joint("SliderJoint", "j", "/ground", "/bodyset/b", osim.coordinates("x1"))
    line = worlds.function("LinearFunction", coefficients="2 0.1")
    text = osim.model(
        bodies=osim.body("a") + osim.body("b", "3"),
        joints=joints,
        rest=osim.members("ConstraintSet", worlds.coupler("c", "x0", "x1", line)),
    )
    model, params = hopper_model.load(text)
    start = hopper_model.initial(model, params, jnp.array([0.4, 0.0]), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(start.q, [0.4, 0.9], atol=1e-9)  # an assembly keeps x0
    np.testing.assert_allclose(start.u, [0.2, 0.4], atol=1e-12)
    away = dataclasses.replace(start, q=jnp.array([0.4, 0.0]), u=jnp.array([1.0, 0.0]))
    moved = jax.jit(project)(model, params, away)
    np.testing.assert_allclose(moved.q, [0.04, 0.18], atol=1e-12)
    np.testing.assert_allclose(moved.u, [0.2, 0.4], atol=1e-12)


# gradient


def numbers_at(params, start, at):
    """Params and a state of the linkage with some numbers of its constraints, and speeds."""
    point = dataclasses.replace(params.point_constraints, location_body_1=at["location"])
    coupler = dataclasses.replace(params.coordinate_couplers, scale_factor=at["scale"])
    numbers = dataclasses.replace(params, point_constraints=point, coordinate_couplers=coupler)
    return numbers, dataclasses.replace(start, u=at["u"])


def differentiated(params):
    """Where the gradients are taken."""
    return {
        "location": params.point_constraints.location_body_1,
        "scale": params.coordinate_couplers.scale_factor,
        "u": jnp.array([0.4, -0.2, 0.3, 0.1]),
    }


def assert_gradient(scalar, at, h, tolerance):
    """The gradient's part along a random direction is the difference quotient of step h."""
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.jit(jax.grad(scalar))(at)
    expected = hopper_model.slope_along(jax.jit(scalar), at, direction, h)
    assert hopper_model.all_finite(slopes)
    assert all(hopper_model.nonzero(slope) for slope in slopes.values())
    assert hopper_model.inner(slopes, direction) == pytest.approx(expected, rel=tolerance)


@pytest.mark.thorough
def test_gradients_through_projection_and_accelerations_equal_differences(linkage):
    model, params = linkage
    start = hopper_model.initial(model, params)

    def scalar(at):
        numbers, state = numbers_at(params, start, at)
        state = project(model, numbers, state)
        rates = realize_derivative(model, numbers, state, jnp.array([0.3]))
        return jnp.sum(rates.u) + jnp.sum(state.u**2) + jnp.sum(state.q)

    assert_gradient(scalar, differentiated(params), h=1e-4, tolerance=1e-7)


@pytest.mark.thorough
def test_the_gradient_of_a_step_equals_differences(linkage):
    """By a short difference: where the constraints move, the projection strains the tendon.

    A hundred times longer one crosses a kink of the muscle's law, and is 5 % off.
    """
    model, params = linkage
    start = hopper_model.initial(model, params)

    def scalar(at):
        numbers, state = numbers_at(params, start, at)
        end = jaxosim.step(model, numbers, state, jnp.array([0.3]))
        return jnp.sum(end.q) + jnp.sum(end.u**2)

    assert_gradient(scalar, differentiated(params), h=1e-6, tolerance=1e-6)


# batch, compile


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["xla", "fused"])
def test_vmap_equals_loop_and_kernels_agree(linkage, kernel):
    model, params = linkage
    states = random_states(model, params, 3, seed=1, spread=0.05)
    options = jaxosim.Options(kernel=kernel)
    step = jax.jit(lambda s: jaxosim.step(model, params, s, jnp.array([0.4]), options))
    expected = hopper_model.step_of(model, jaxosim.Options(kernel="xla"))
    together = jax.vmap(step)(states)
    for index in range(3):
        alone = expected(params, hopper_model.row(states, index), jnp.array([0.4]))
        for ours, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(ours[index], theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.thorough
def test_one_trace_for_one_model(linkage):
    """Of a step, whatever the numbers of the constraints are."""
    model, params = linkage
    start = hopper_model.initial(model, params)
    traces = []

    @jax.jit
    def step(params, state, controls):
        traces.append(state)
        return jaxosim.step(model, params, state, controls)

    for scale in (1.0, 2.0):
        couplers = dataclasses.replace(params.coordinate_couplers, scale_factor=jnp.full(1, scale))
        changed = dataclasses.replace(params, coordinate_couplers=couplers)
        jax.eval_shape(step, changed, start, jnp.full(1, scale / 10))
    assert len(traces) == 1


@pytest.mark.thorough
def test_another_pose_is_assembled_by_the_same_program(linkage, monkeypatch):
    model, params = linkage
    state = jaxosim.initial_state(model, params)
    monkeypatch.setattr(projection, "realize_constraints", None)  # nothing can be traced again
    other = jaxosim.initial_state(model, params, q=state.q + 0.1)
    assert np.abs(other.q - state.q).max() > 0.01
    assert constraint_error(model, params, other) < 1e-12


@pytest.mark.thorough
@pytest.mark.parametrize("x64", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_single_precision_steps_stay_on_the_constraints(x64):
    """In both of JAX's modes, with both kernels."""
    with jax.enable_x64(x64):
        model, params = hopper_model.load(worlds.LINKAGE)
        params = jax.tree.map(lambda x: x.astype(jnp.float32), params)
        start, controls = hopper_model.initial(model, params), jnp.full(1, 0.3, jnp.float32)
        ends = []
        for kernel in ("xla", "fused"):
            step = hopper_model.step_of(model, jaxosim.Options(kernel=kernel))
            end = step(params, start, controls)
            assert {x.dtype for x in jax.tree.leaves(end)} == {jnp.dtype(jnp.float32)}
            assert float(constraint_error(model, params, end)) < SINGLE_ROUNDING
            assert float(jnp.max(jnp.abs(end.u))) > 0.1
            ends.append(end)
    for ours, theirs in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


# errors

PENDULUM = {"bodies": osim.body("a"), "joints": osim.pin()}


@pytest.mark.parametrize(
    "constraint, message",
    [
        (worlds.coupler("c", "q", "p", worlds.SPLINE), "name of a coordinate, found 'p'"),
        (worlds.coupler("c", "q", "q", ""), "expected a function in coupled_coordinates_function"),
        (
            worlds.coupler("c", "q", "q", "<coupled_coordinates_function/>"),
            "expected a function in coupled_coordinates_function",
        ),
        (worlds.coupler("c", "q q", "q", worlds.SPLINE), r"function of 2 coordinate\(s\)"),
        (worlds.ROD.replace("/bodyset/c", "/bodyset/a").replace("0.3<", "0<"), "above 0, found"),
        (worlds.ROD.replace("/bodyset/c", "/bodyset/zz"), "expected in socket_body_2"),
        (
            worlds.LINE.replace("/bodyset/d", "/ground").replace(">1 2 -0.5<", ">0 0 0<"),
            "not zero",
        ),
    ],
)
def test_bad_constraints_are_refused_by_name(constraint, message):
    text = osim.model(**PENDULUM, rest=osim.members("ConstraintSet", constraint))
    with pytest.raises(OsimFormatError, match=message):
        hopper_model.load(text)


def test_a_class_that_is_not_simulated_is_refused_unless_switched_off():
    rolling = osim.element("RollingOnSurfaceConstraint", "roll", isEnforced="{}")
    text = osim.model(**PENDULUM, rest=osim.members("ConstraintSet", rolling))
    with pytest.raises(UnsupportedComponentError, match="RollingOnSurfaceConstraint.*'roll'"):
        hopper_model.load(text.replace("{}", "true"))
    assert hopper_model.load(text.replace("{}", "false"))[0].sizes["equation"] == 0


def test_a_coordinate_that_is_locked_and_moves_is_refused():
    moving = "<prescribed_function><LinearFunction><coefficients>1 0</coefficients>"
    moving += "</LinearFunction></prescribed_function>"
    coordinate = osim.element("Coordinate", "q", moving, prescribed="true", locked="true")
    joint = osim.joint(
        "PinJoint", "j", "/ground", "/bodyset/a", f"<coordinates>{coordinate}</coordinates>"
    )
    with pytest.raises(UnsupportedComponentError, match="cannot be locked and move"):
        hopper_model.load(osim.model(bodies=osim.body("a"), joints=joint))


def test_constraints_of_old_files_are_upgraded():
    """Version 20303 names bodies, and gives a WeldConstraint poses in place of frames."""
    weld = osim.element(
        "WeldConstraint",
        "w",
        body_1="ground",
        body_2="a",
        location_body_1="0.1 0 0",
        orientation_body_1="0 0 0.5",
        location_body_2="0 0 0",
        orientation_body_2="0 0 0",
        isDisabled="false",
    )
    point = osim.element(
        "PointConstraint", "p", body_1="ground", body_2="a", location_body_2="0 1 0"
    )
    joint = osim.element("FreeJoint", "j", parent_body="ground")
    body = osim.element(
        "Body",
        "a",
        f"<Joint>{joint}</Joint>",
        mass="1",
        mass_center="0 0 0",
        **{f"inertia_{k}": "1" if k[0] == k[1] else "0" for k in ("xx", "yy", "zz", "xy")},
    )
    text = osim.document(
        osim.members("BodySet", osim.element("Body", "ground"), body)
        + osim.members("ConstraintSet", weld, point),
        version=20303,
    )
    model, params = hopper_model.load(text)
    assert model.weld_constraints.names == ("w",) and model.point_constraints.names == ("p",)
    np.testing.assert_array_equal(params.weld_constraints.orientation1, [[0, 0, 0.5]])
    np.testing.assert_array_equal(params.weld_constraints.translation1, [[0.1, 0, 0]])
    np.testing.assert_array_equal(params.point_constraints.location_body_2, [[0, 1, 0]])
    assert list(model.weld_constraints.first) == [-1] and list(model.weld_constraints.second) == [0]


def test_the_error_of_a_world_that_is_nan_is_nan_in_every_batch():
    model, params = hopper_model.load(worlds.EVERYTHING)
    count = 4096 // model.sizes["equation"] + 1
    states = random_states(model, params, 2)
    one = hopper_model.row(states, 0)
    lost = dataclasses.replace(one, q=one.q * jnp.nan)
    batch = jax.tree.map(lambda a, b: jnp.stack([a] * count + [b]), one, lost)
    error = jax.jit(jax.vmap(lambda state: constraint_error(model, params, state)))(batch)
    assert np.isfinite(error[:-1]).all() and np.isnan(error[-1])
