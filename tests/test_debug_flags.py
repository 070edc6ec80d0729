"""JAX's modes that stop at the first infinity or NaN: nothing that users call makes one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim import fused
from tests import hopper_model

KERNELS = ("fused", pytest.param("xla", marks=pytest.mark.thorough))
SUBSTEPS = {"ros3w": 1, "merson": 1, "rk4": 40}
MODELS = ("gait14dof22musc_pros", "gait9dof18musc", "arm2dof6musc")


@pytest.fixture(autouse=True)
def both_flags():
    """An infinity or a NaN raises, and JAX says which it was."""
    with jax.debug_infs(True), jax.debug_nans(True):
        yield


@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_models_are_finite_and_so_are_functions_of_them(name):
    _, params = jaxosim.load_model(name)
    for leaf in jax.tree.leaves(params):
        assert np.all(np.isfinite(leaf + jnp.zeros_like(leaf)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_state_is_found_and_moves_in_every_method(kernel):
    with fused.using(kernel):
        model, params = hopper_model.load(hopper_model.HOPPER)  # one of everything
        state = jaxosim.initial_state(model, params)
        controls = np.full((2, len(model.muscle_names)), 0.3)
        for method, substeps in SUBSTEPS.items():
            options = jaxosim.Options(method=method, kernel=kernel, substeps=substeps)
            states = jaxosim.rollout(model, params, state, controls, options)
            assert np.all(np.isfinite(states.q))
        end = jaxosim.step(model, params, state, controls[0], options)
        np.testing.assert_allclose(states.q[0], end.q, atol=1e-9)
        description = jaxosim.describe(model, params, end, controls[0])
        assert np.all(np.isfinite(description.mass_center.position))


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_episode_begins_and_goes_on_compiled_or_not(kernel):
    env = jaxosim.make("Arm2DEnv", options=jaxosim.Options(kernel=kernel))
    action = np.full(env.action_size, 0.3)
    es = env.step(env.reset(jax.random.key(0)), action)
    again = jax.jit(env.step)(jax.jit(env.reset)(jax.random.key(0)), action)
    np.testing.assert_allclose(es.obs, again.obs, atol=1e-9)
