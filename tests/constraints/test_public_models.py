"""Published models with constraints, beside live OpenSim, and their drift.

They are looked for in the folder JAXOSIM_PUBLIC_MODELS and below, by default in that of the
originals; what is not there is skipped.
"""

import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.integrators.projection import assemble, constraint_error, project_speeds
from tests import hopper_model

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "models"
FOLDER = pathlib.Path(os.environ.get("JAXOSIM_PUBLIC_MODELS") or SHARED)
STATES = 32
INNER = 0.98  # of their ranges, in which coordinates are drawn
ACCELERATION_TOLERANCE = 1e-8  # relative to max(1, |value|)
OUTSIDE = 1.5  # half ranges, within which coordinates are drawn to be outside of them
MOTION_TOLERANCE = 1e-10  # of the force missing in OpenSim's equations, relative to the largest
DRIFT_TOLERANCE = 1e-4  # of positions (rad | m) and speeds (rad/s | m/s)

pytestmark = pytest.mark.slow


def path_of(name):
    """The first file of that name; skips where it is missing."""
    found = next(iter(sorted(FOLDER.rglob(f"{name}.osim"))), None)
    if found is None:
        pytest.skip(f"no {name}.osim in JAXOSIM_PUBLIC_MODELS")
    return found


@pytest.mark.opensim
@pytest.mark.parametrize("name", ["Rajagopal2016", "leg6dof9musc", "leg39"])
def test_accelerations_at_assembled_states_are_live_opensims(opensim, name):
    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.sampling import random_states

    path = path_of(name)
    oracle, (model, params) = OpenSimModel(path), jaxosim.load_model(path)
    assert oracle.coordinate_names == model.coordinate_names
    drawn = random_states(oracle, STATES, seed=1)
    controls = drawn.pop("excitation")
    # Ends of ranges are at gimbal lock, where the mass matrix is singular.
    middle, half = oracle.ranges.mean(axis=1), np.diff(oracle.ranges).squeeze() / 2
    drawn["q"] = np.clip(drawn["q"], middle - INNER * half, middle + INNER * half)

    @jax.jit
    @jax.vmap
    def at_assembled(drawn, controls):
        state = assemble(model, params, jaxosim.State(**drawn))
        rates = jaxosim.state_derivative(model, params, state, controls)
        return state, rates.u, constraint_error(model, params, state)

    states, u_dot, errors = at_assembled(jax.tree.map(jnp.asarray, drawn), jnp.asarray(controls))
    assert float(jnp.max(errors)) < 1e-10
    for index in range(STATES):
        values = {**drawn, "q": states.q, "u": states.u, "excitation": controls}
        state = oracle.state_of({key: np.asarray(value[index]) for key, value in values.items()})
        oracle.model.realizeAcceleration(state)
        coordinates = map(oracle.model.getCoordinateSet().get, range(len(u_dot[index])))
        expected = np.array([c.getAccelerationValue(state) for c in coordinates])[~model.locked]
        error = np.abs(np.asarray(u_dot[index])[~model.locked] - expected)
        assert np.max(error / np.maximum(1, np.abs(expected))) < ACCELERATION_TOLERANCE


@pytest.mark.opensim
def test_accelerations_outside_of_the_ranges_satisfy_opensims_equations(opensim):
    """There the couplers' functions rise steeply, and multipliers of 1e8 N nearly cancel.

    OpenSim's own accelerations then miss its equations of motion by up to 5e-3 N·m, and differ from
    ours by up to 2e-5: lengths and forces of all muscles agree to rounding.
    """
    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.sampling import random_states

    path = path_of("DynamicJumperModel")
    oracle, (model, params) = OpenSimModel(path), jaxosim.load_model(path)
    drawn = random_states(oracle, STATES, seed=3)
    middle, half = oracle.ranges.mean(axis=1), np.diff(oracle.ranges).squeeze() / 2
    rng = np.random.default_rng(5)
    drawn["q"] = middle + OUTSIDE * half * rng.uniform(-1, 1, drawn["q"].shape)
    states = jaxosim.State(**{k: jnp.asarray(v) for k, v in drawn.items() if k != "excitation"})
    rates = jax.jit(jax.vmap(lambda s, e: jaxosim.state_derivative(model, params, s, e)))
    u_dot = np.asarray(rates(states, jnp.asarray(drawn["excitation"])).u)
    assert np.abs(u_dot).max() > 1e9  # else nothing large cancels
    for index in range(STATES):
        values = {key: value[index] for key, value in drawn.items()}
        assert oracle.motion_residual(values, u_dot[index]) < MOTION_TOLERANCE


@pytest.mark.parametrize("name", ["leg6dof9musc", "leg39"])
def test_ten_seconds_of_fixed_steps_stay_on_the_constraints(name):
    """Under excitations that change ten times a second; the pelvis falls freely."""
    model, params = jaxosim.load_model(path_of(name))
    start = hopper_model.initial(model, params)
    levels = np.random.default_rng(0).uniform(0.02, 0.6, (100, len(model.control_names)))
    excitations = jnp.asarray(np.repeat(levels, 10, axis=0))
    states = hopper_model.rollout_of(model, jaxosim.Options())(params, start, excitations)
    assert hopper_model.all_finite(states)
    knee = states.q[:, model.coordinate_names.index("knee_angle_r")]
    assert float(jnp.ptp(knee)) > 0.5  # else nothing that the couplers hold moves
    errors = jax.jit(jax.vmap(lambda s: constraint_error(model, params, s)))(states)
    projected = jax.jit(jax.vmap(lambda s: project_speeds(model, params, s)))(states)
    assert float(jnp.max(errors)) < DRIFT_TOLERANCE
    assert float(jnp.max(jnp.abs(projected.u - states.u))) < DRIFT_TOLERANCE
