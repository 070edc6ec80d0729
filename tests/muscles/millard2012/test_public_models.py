"""Published models with Millard2012EquilibriumMuscles, beside live OpenSim.

They are looked for in the folder JAXOSIM_PUBLIC_MODELS and below, by default in that of the
originals; what is not there is skipped.
"""

import functools
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model

SHARED = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "reference" / "models"
FOLDER = pathlib.Path(os.environ.get("JAXOSIM_PUBLIC_MODELS") or SHARED)
NAMES = ("gait2392_millard2012muscle",)
STATES = 128
# OpenSim's accelerations leave up to 1e-8 in its own equations of motion, jaxosim's 1e-9 (below).
ACCELERATION_TOLERANCE = 1e-8  # relative to max(1, |value|)

pytestmark = [pytest.mark.opensim, pytest.mark.slow]


@functools.cache
def file_of(name):
    """The first file of that name."""
    return next(iter(sorted(FOLDER.rglob(f"{name}.osim"))), None)


@pytest.fixture(scope="module", params=NAMES)
def path(request):
    found = file_of(request.param)
    if found is None:
        pytest.skip(f"no {request.param}.osim in JAXOSIM_PUBLIC_MODELS")
    return found


@pytest.fixture(scope="module")
def comparison(path, opensim):
    from opensim_comparison.states import compare

    from jaxosim.opensim.model import OpenSimModel
    from jaxosim.opensim.sampling import random_states

    oracle = OpenSimModel(path)
    return compare(oracle, path, random_states(oracle, STATES, seed=1))


def test_every_quantity_is_live_opensims(comparison, path):
    from opensim_comparison.states import QUANTITIES

    for quantity in QUANTITIES:
        bound = ACCELERATION_TOLERANCE if "accel" in quantity.name else quantity.tolerance
        for key, error in comparison.part_errors(quantity).items():
            assert error.value <= bound, (key, error)
    assert comparison.motion_error().value < 1e-9


def test_equilibrium_is_live_opensims(comparison, path):
    from opensim_comparison.states import EQUILIBRIUM_TOLERANCE, equilibrium_error

    for moving in (False, True):
        error = equilibrium_error(comparison.oracle, path, comparison.states, moving)
        assert error.value <= EQUILIBRIUM_TOLERANCE, error


@functools.cache
def walker():
    """Model, params and start of gait10dof18musc."""
    model, params = jaxosim.load_model("gait10dof18musc")
    return model, params, hopper_model.initial(model, params)


def test_fixed_steps_follow_the_reference():
    """A fifth of a second of falling under changing excitations."""
    model, params, start = walker()
    rng = np.random.default_rng(0)
    excitations = jnp.asarray(rng.uniform(0.01, 1, (20, len(model.control_names))))

    @functools.partial(jax.jit, static_argnums=0)
    def end(options):
        return jaxosim.rollout(model, params, start, excitations, options).q[-1]

    exact = end(jaxosim.Options.reference(1e-7))
    for options, tolerance in ((jaxosim.Options(), 5e-4), (jaxosim.Options(substeps=24), 1e-5)):
        np.testing.assert_allclose(end(options), exact, rtol=0, atol=tolerance)


def test_the_gradient_of_a_step_is_finite():
    model, params, start = walker()
    options = jaxosim.Options(substeps=2)

    @jax.jit
    @jax.grad
    def slopes(excitation):
        return jaxosim.step(model, params, start, excitation, options).u.sum()

    found = slopes(jnp.full(len(model.control_names), 0.3))
    assert hopper_model.all_finite(found) and hopper_model.nonzero(found)
