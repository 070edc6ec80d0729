"""PrescribedForce: beside OpenSim at several times, in every frame; momentum; refusals."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.outputs import force_records
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES
from tests.models import osim_text as osim

KNOTS = "<x>0 0.3 0.7 1.2</x><y>1 -2 3 0.5</y>"
FUNCTIONS = [
    f"<SimmSpline>{KNOTS}</SimmSpline>",
    "<Constant><value>4</value></Constant>",
    f"<PiecewiseLinearFunction>{KNOTS}</PiecewiseLinearFunction>",
]
TIMES = (-0.2, 0.1, 0.5, 1.1, 2.0)


def functions(name, members=FUNCTIONS):
    """A set of functions of time in a property."""
    objects = "".join(members)
    return f'<FunctionSet name="{name}"><objects>{objects}</objects><groups/></FunctionSet>'


FORCE, POINT, TORQUE = (
    functions(f"{name}Functions", FUNCTIONS[i:] + FUNCTIONS[:i])
    for i, name in enumerate(("force", "point", "torque"))
)


def force(name, frame, inside, **values):
    """A prescribed force on a frame."""
    return osim.element("PrescribedForce", name, inside, socket_frame=frame, **values)


WORLD = osim.model(
    force("bare", "/bodyset/a", FORCE),
    force("at_point", "/bodyset/b/o", FORCE + POINT),
    force("in_frame", "/bodyset/b/o", FORCE + POINT + TORQUE, forceIsGlobal="false"),
    force("ground_point", "/bodyset/w", FORCE + POINT, pointIsGlobal="true"),
    force("torque", "/bodyset/b", TORQUE),
    force("no_force", "/bodyset/b", POINT),
    force("default_point", "/bodyset/b/o", FORCE, pointIsGlobal="true"),
    force("on_ground", "/ground", FORCE + POINT + TORQUE),
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_forces_in_all_frames_are_opensims_at_several_times(opensim):
    model, params = hopper_model.load(WORLD)
    oracle, states = hopper_model.oracle_of(WORLD), checks.states(model, params, len(TIMES))
    start = hopper_model.initial(model, params)
    for index, time in enumerate(TIMES):
        values = {name: column[index] for name, column in states.items()}
        live = oracle.state_of(values)
        live.setTime(time)
        oracle.model.realizeAcceleration(live)
        q, u = jnp.asarray(values["q"]), jnp.asarray(values["u"])
        state = dataclasses.replace(start, q=q, u=u, time=jnp.asarray(time))
        expected = [c.getAccelerationValue(live) for c in oracle.model.getCoordinateSet()]
        found = hopper_model.rates(model, params, state, checks.no_controls()).u
        scale = np.maximum(1, np.abs(expected))
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-9)
        info = hopper_model.describe(model, params, state, checks.no_controls())
        for name, record in force_records(model, info).items():
            live_record = oracle.model.getForceSet().get(name).getRecordValues(live)
            expected = [live_record.get(i) for i in range(live_record.getSize())]
            np.testing.assert_allclose(record, expected, rtol=1e-10, atol=1e-10, err_msg=name)


def test_the_body_of_old_files_is_found():
    text = osim.model(
        osim.element("PrescribedForce", "f", FORCE, body="a", isDisabled="false"), version=30505
    )
    model, _ = hopper_model.load(text)
    assert model.prescribed_forces.body.tolist() == [0]


@pytest.mark.parametrize(
    "members, message",
    [
        (FUNCTIONS[:2], "expected three functions in forceFunctions, or none, found 2"),
        (
            ["<LinearFunction><coefficients>1 2 3</coefficients></LinearFunction>"] * 3,
            "expected in forceFunctions functions of one argument, found 2",
        ),
    ],
)
def test_functions_that_opensim_would_not_take_are_refused(members, message):
    text = osim.model(force("f", "/bodyset/a", functions("forceFunctions", members)))
    with pytest.raises(OsimFormatError, match=rf"PrescribedForce\[f\]: {message}"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_a_constant_force_gives_its_impulse():
    """On a slider, 4 N for half a second move 2 kg by F t² / (2 m)."""
    constant = functions("forceFunctions", [FUNCTIONS[1]] * 3)
    joint = osim.joint("SliderJoint", "s", "/ground", "/bodyset/a", osim.coordinates("x"))
    text = osim.model(force("f", "/bodyset/a", constant), bodies=osim.body("a", "2"), joints=joint)
    model, params = hopper_model.load(text)
    start = hopper_model.initial(model, params)
    end = jaxosim.rollout(model, params, start, jnp.zeros((50, 0)))
    assert float(end.q[-1, 0]) == pytest.approx(4 * 0.5**2 / 4, rel=1e-10)
    assert float(end.u[-1, 0]) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.thorough
def test_a_force_that_grows_with_time_is_integrated_over_time():
    """By each method, from 3 s on: a ramp of 1 N/s from t to t + 0.1 s gives 0.1 t + 0.005 N·s."""
    ramp = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"
    joint = osim.joint("SliderJoint", "s", "/ground", "/bodyset/a", osim.coordinates("x"))
    text = osim.model(
        force("f", "/bodyset/a", functions("forceFunctions", [ramp] * 3)), joints=joint
    )
    model, params = hopper_model.load(text)
    start = dataclasses.replace(hopper_model.initial(model, params), time=jnp.array(3.0))
    for method, tolerance in {"ros3w": 1e-10, "rk4": 1e-10, "merson": 1e-8}.items():
        options = jaxosim.Options(method=method, step_size=0.1)
        step = hopper_model.step_of(model, options)
        end = step(params, start, checks.no_controls())
        assert float(end.u[0]) == pytest.approx(0.305, rel=tolerance), method


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = dataclasses.replace(checks.state_at(model, params), time=jnp.array(0.5))
    checks.assert_gradients_equal_differences(model, params, "prescribed_forces", state, 1e-6)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [
        dataclasses.replace(checks.state_at(model, params, seed), time=jnp.array(0.3 * seed))
        for seed in range(3)
    ]
    checks.assert_batches_equal_single_steps(model, params, at)
