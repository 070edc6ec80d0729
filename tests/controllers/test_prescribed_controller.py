"""PrescribedController: beside OpenSim over time; actuators of each dialect; sums; refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.controls import total_controls
from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from tests import hopper_model
from tests.forces import checks
from tests.models import osim_text as osim

KNOTS = "<x>0 0.05 0.12 0.3</x><y>0.1 0.9 0.2 0.6</y>"
SPLINE = f"<SimmSpline>{KNOTS}</SimmSpline>"
LINES = f"<PiecewiseLinearFunction>{KNOTS}</PiecewiseLinearFunction>"
SINE = "<Sine><amplitude>0.3</amplitude><omega>20</omega><phase>0.2</phase></Sine>"
STEP = "<StepFunction><start_time>0.02</start_time><end_time>0.15</end_time></StepFunction>"
RAMP = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"
TIMES = (-0.1, 0.03, 0.1, 0.21, 0.5)


def constant(value):
    """A constant function."""
    return f"<Constant><value>{value}</value></Constant>"


def actuator(name, tag="CoordinateActuator", **values):
    """An actuator of the pendulum."""
    values = {"optimal_force": "2", "coordinate": "q"} | values
    return osim.element(tag, name, **values)


def controller(name, *functions, **values):
    """A controller with these functions."""
    inside = osim.element("FunctionSet", "ControlFunctions", objects="".join(functions))
    return osim.element("PrescribedController", name, inside, **values)


TWO = (actuator("a"), actuator("b"))


def world(*controllers, forces=TWO, version=40600, rest=""):
    """The pendulum with these controllers."""
    sets = osim.members("ControllerSet", *controllers) + rest
    return osim.model(*forces, rest=sets, version=version)


def muscle(kind, name, **values):
    """A muscle across the pendulum's joint."""
    points = osim.point("p1", location="0.2 0.1 0")
    points += osim.point("p2", "/bodyset/a", location="0.1 -0.3 0")
    values = {
        "max_isometric_force": "300",
        "optimal_fiber_length": "0.2",
        "tendon_slack_length": "0.2",
    } | values
    return osim.muscle(name, points, kind=kind, **values)


# Two muscles, of which one takes its control for its activation, and actuators. Two controllers
# share an actuator, one is off, one stands outside the set.
DRIVEN = world(
    controller("c1", SPLINE, SINE, STEP, socket_actuators="/forceset/b /forceset/m1 /forceset/a"),
    controller("c2", LINES, constant(0.25), socket_actuators="/forceset/m2 /forceset/b"),
    controller("off", constant(9), socket_actuators="/forceset/a", enabled="false"),
    forces=(
        actuator("a"),
        muscle("Thelen2003Muscle", "m1"),
        muscle("Millard2012EquilibriumMuscle", "m2", ignore_activation_dynamics="true"),
        actuator("b"),
        actuator("free"),
    ),
    rest=f"<components>{controller('c3', SINE, socket_actuators='/forceset/a')}</components>",
)
# Without muscles, whose programs are long.
ACTUATED = world(
    controller("c1", SPLINE, SINE, socket_actuators="/forceset/a /forceset/b"),
    controller("c2", STEP, LINES, socket_actuators="/forceset/b /forceset/a"),
)


@jax.jit
def added(model, params, time, controls):
    """The controls at work while no muscle moves."""
    return total_controls(model, params, time, controls, jnp.zeros(len(model.muscle_names)))


# parity


@pytest.mark.opensim
def test_controls_rates_and_equilibrium_are_opensims_at_several_times(opensim):
    model, params = hopper_model.load(DRIVEN)
    oracle, states = hopper_model.oracle_of(DRIVEN), checks.states(model, params, len(TIMES))
    start = hopper_model.initial(model, params)
    for index, time in enumerate(TIMES):
        values = {name: column[index] for name, column in states.items()}
        live = oracle.state_of(values)
        live.setTime(time)
        oracle.model.realizeAcceleration(live)
        fields = ("q", "u", "activation", "fiber_length")
        given = {name: jnp.asarray(values[name]) for name in fields}
        state = dataclasses.replace(start, time=jnp.asarray(time), **given)
        controls = jnp.asarray(values["excitation"])
        np.testing.assert_allclose(
            added(model, params, state.time, controls),
            oracle.model.getControls(live).to_numpy(),
            rtol=1e-12,
            atol=1e-12,
        )
        rates = hopper_model.rates(model, params, state, controls)
        rate = oracle.model.getStateVariableDerivativeValue
        expected = [rate(live, f"/forceset/{m}/fiber_length") for m in ("m1", "m2")]
        expected += [rate(live, "/forceset/m1/activation"), rate(live, "/jointset/j/q/speed")]
        found = np.array([*rates.fiber_length, rates.activation[0], rates.u[0]])
        scale = np.maximum(1, np.abs(expected))
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-8)
        still = dataclasses.replace(state, u=0 * state.u)
        oracle.model.updCoordinateSet().get("q").setSpeedValue(live, 0.0)
        oracle.model.equilibrateMuscles(live)
        expected = oracle.read(live)["fiber_length"]
        balanced = balance(model, params, still, controls).fiber_length
        np.testing.assert_allclose(balanced, expected, rtol=0, atol=1e-7)


balance = jax.jit(jaxosim.equilibrate_muscles)


@pytest.mark.thorough
@pytest.mark.opensim
def test_a_trajectory_is_opensims(opensim):
    model, params = hopper_model.load(DRIVEN)
    controls = np.random.default_rng(3).uniform(0, 0.3, (20, len(model.control_names)))
    live = hopper_model.oracle_of(DRIVEN).trajectory(controls)
    first = {name: jnp.asarray(live[name][0]) for name in ("q", "u", "fiber_length")}
    start = dataclasses.replace(hopper_model.initial(model, params), **first)
    rollout = hopper_model.rollout_of(model, jaxosim.Options(substeps=50))
    found = rollout(params, start, jnp.asarray(controls))
    for name in ("q", "u", "fiber_length"):
        np.testing.assert_allclose(getattr(found, name), live[name][1:], rtol=0, atol=1e-6)


LISTS = {
    "paths": (40600, {"socket_actuators": "/forceset/b /forceset/a"}, [2, 1, 0]),
    "path of a component": (40600, {"socket_actuators": "/k /forceset/b"}, [0, 2, 1]),
    "names": (40000, {"actuator_list": "b a"}, [2, 1, 0]),
    "names of a component": (40000, {"actuator_list": "k a"}, [2, 0, 1]),
    "paths in an old file": (40500, {"socket_actuators": "/forceset/a /forceset/b"}, [1, 2, 0]),
}


def listed(version, actuators, count=2):
    """Two actuators, a third among the components, and a controller of two."""
    functions = [constant(1 + i) for i in range(count)]
    component = f"<components>{actuator('k')}</components>"
    return world(controller("c", *functions, **actuators), version=version, rest=component)


@pytest.mark.parametrize("case", LISTS)
def test_functions_belong_to_actuators_in_the_order_listed(case):
    version, actuators, expected = LISTS[case]
    assert_controls(listed(version, actuators), expected)


@pytest.mark.parametrize("word", ["ALL", "all", "b ALL"])
def test_old_files_may_list_all_actuators_in_one_word(word):
    assert_controls(listed(40500, {"actuator_list": word}, 3), [2, 3, 1])


def assert_controls(text, expected):
    """What controllers add to controls of zero, of the actuators a, b, k."""
    model, params = hopper_model.load(text)
    found = added(model, params, jnp.zeros(()), jnp.zeros(3))
    names = dict(zip(model.control_names, found.tolist(), strict=True))
    assert [names[name] for name in "abk"] == expected


@pytest.mark.opensim
@pytest.mark.parametrize("case", LISTS)
def test_opensim_reads_the_same_lists(case, opensim):
    version, actuators, expected = LISTS[case]
    oracle = hopper_model.oracle_of(listed(version, actuators))
    live = oracle.state_of({"q": np.zeros(1), "u": np.zeros(1)})
    oracle.model.realizeVelocity(live)
    found = oracle.model.getControls(live).to_numpy()
    assert [found[i] for i in (1, 2, 0)] == expected  # the component is first


# property


@pytest.mark.thorough
def test_controllers_add_to_each_other_and_to_given_controls():
    twice = [controller(c, constant(0.25), socket_actuators="/forceset/a") for c in ("c", "d")]
    model, params = hopper_model.load(world(*twice))
    state, ones = hopper_model.initial(model, params), jnp.ones(2)
    info = hopper_model.describe(model, params, state, ones)
    assert info.forces["coordinate_actuators"].actuation.tolist() == [3.0, 2.0]


@pytest.mark.thorough
def test_a_controller_of_nobody_changes_nothing():
    for text in (world(controller("c")), world()):
        model, params = hopper_model.load(text)
        controls = jnp.ones(2)
        found = total_controls(model, params, jnp.zeros(()), controls, jnp.zeros(0))
        assert found is controls


@pytest.mark.thorough
def test_a_control_that_grows_with_time_is_integrated_within_a_step():
    """By each method, from 3 s on: a ramp of 2 N/s from t to t + 0.1 s gives 0.2 t + 0.01 N·s."""
    joint = osim.joint("SliderJoint", "s", "/ground", "/bodyset/a", osim.coordinates("q"))
    text = osim.model(
        actuator("a"),
        joints=joint,
        rest=osim.members("ControllerSet", controller("c", RAMP, socket_actuators="/forceset/a")),
    )
    model, params = hopper_model.load(text)
    start = dataclasses.replace(hopper_model.initial(model, params), time=jnp.array(3.0))
    for method, tolerance in {"ros3w": 1e-10, "rk4": 1e-10, "merson": 1e-8}.items():
        options = jaxosim.Options(method=method, step_size=0.1)
        end = hopper_model.step_of(model, options)(params, start, jnp.zeros(1))
        assert float(end.u[0]) == pytest.approx(0.61, rel=tolerance), method


# gradient


@pytest.mark.thorough
def test_gradients_by_functions_time_and_controls_equal_differences():
    model, params = hopper_model.load(ACTUATED)
    weights = jnp.array([1.0, 2.0])

    @jax.jit
    def scalar(x):
        numbers = dataclasses.replace(params, prescribed_controllers=x[0])
        return weights @ added(model, numbers, x[1], x[2])

    slopes = jax.jit(jax.grad(scalar))
    at = (params.prescribed_controllers, jnp.array(0.1), jnp.full(2, 0.3))
    direction = hopper_model.random_direction(at, 2)
    found = slopes(at)
    assert all(hopper_model.nonzero(part) for part in found)
    expected = hopper_model.slope_along(scalar, at, direction, 1e-4)
    assert hopper_model.inner(found, direction) == pytest.approx(expected, rel=1e-6)
    for time in (0.0, 0.05, 0.15, 0.3):  # knots, and the end of the step
        assert hopper_model.all_finite(slopes((at[0], jnp.array(time), at[2])))


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(ACTUATED)
    at = [
        dataclasses.replace(checks.state_at(model, params, seed), time=jnp.array(0.1 * seed))
        for seed in range(3)
    ]
    checks.assert_batches_equal_single_steps(model, params, at)


# errors


@pytest.mark.parametrize(
    "version, count, actuators, message",
    [
        (40600, 1, {"socket_actuators": "a"}, "absolute paths of actuators in socket_actuators"),
        (40600, 3, {"socket_actuators": "ALL"}, "absolute paths of actuators in socket_actuators"),
        (40500, 1, {"actuator_list": "x"}, "names of actuators in actuator_list, found x"),
        (40500, 1, {"actuator_list": "/forceset/a"}, "names of actuators in actuator_list"),
        (40500, 2, {"actuator_list": "a a"}, "every actuator once in actuator_list, found a again"),
        (40600, 2, {"actuator_list": "a b"}, "for each of 0 actuators, found 2"),
        (40600, 2, {"socket_actuators": "/forceset/a"}, "for each of 1 actuators, found 2"),
    ],
)
def test_lists_that_opensim_would_not_take_are_refused(version, count, actuators, message):
    with pytest.raises(OsimFormatError, match=rf"PrescribedController\[c\]: expected .*{message}"):
        hopper_model.load(listed(version, actuators, count))


def test_functions_of_several_arguments_are_refused():
    plane = "<LinearFunction><coefficients>1 2 3</coefficients></LinearFunction>"
    text = world(controller("c", plane, socket_actuators="/forceset/a"))
    with pytest.raises(OsimFormatError, match="functions of one argument, found 2"):
        hopper_model.load(text)


def refused(text):
    """Class and name of all that is refused, and the message."""
    with pytest.raises(UnsupportedComponentError) as error:
        hopper_model.load(text)
    return [(one.class_name, one.name) for one in error.value.unsupported], str(error.value)


def test_what_a_controller_cannot_drive_or_would_read_from_a_file_is_refused_by_name():
    body = osim.element("BodyActuator", "w", socket_body="/bodyset/a")
    driven = controller("c", constant(1), socket_actuators="/forceset/w")
    names, message = refused(world(driven, forces=(body,)))
    assert names == [("PrescribedController", "c")] and "w has 6" in message
    played = controller("c", socket_actuators="", controls_file="x.sto")
    names, message = refused(world(played))
    assert names == [("PrescribedController", "c")] and "never opened" in message


def test_other_controllers_are_refused_by_name():
    other = osim.element("CorrectionController", "r", socket_actuators="/forceset/a")
    names, message = refused(world(other))
    assert names == [("CorrectionController", "r")] and "set enabled to false" in message


def test_a_force_of_an_unknown_class_is_refused_rather_than_missed_by_its_controller():
    unknown = osim.element("Millard2012AccelerationMuscle", "m")
    driven = controller("c", constant(1), socket_actuators="/forceset/m")
    other = osim.element("CorrectionController", "r")
    names, _ = refused(world(driven, other, forces=(unknown,)))
    assert sorted(names) == [("CorrectionController", "r"), ("Millard2012AccelerationMuscle", "m")]
