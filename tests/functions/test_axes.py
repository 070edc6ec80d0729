"""Functions of every class on the axes of a joint: the motion beside live OpenSim's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.models import osim_text as osim

KNOTS = {"x": "-2 -1 -0.3 0.4 1 1.7 2.2 3", "y": "0.3 -0.2 0.4 0.5 1.3 -0.7 0.2 0"}


def world():
    """A body that one coordinate turns and moves by a GCVSpline, a Sine and a StepFunction."""
    function = lambda tag, **values: osim.element(tag, "function", **values)  # noqa: E731
    step = {"transition_start_time": "-1", "transition_end_time": "1.5", "end_value": "0.6"}
    axes = (
        osim.axis("rotation1", "q", "0 0 1", osim.linear())
        + osim.axis("rotation2", "r", "1 0 0", function("GCVSpline", half_order="3", **KNOTS))
        + osim.axis("rotation3", "s", "0 1 0", function("Sine", amplitude="0.4", omega="2"))
        + osim.axis("translation1", "q", "1 0 0", function("StepFunction", **step))
        + osim.axis("translation2", "r", "0 1 0", function("GCVSpline", half_order="2", **KNOTS))
        + osim.axis("translation3", "s", "0 0 1", osim.linear("0.5 0"))
    )
    body = osim.body("a", "2", mass_center="0.1 0.2 -0.1", inertia="0.2 0.3 0.25 0.02 0 0")
    return osim.model(bodies=body, joints=osim.custom(axes))


WORLD = world()


@pytest.mark.opensim
def test_joints_move_as_in_opensim(opensim):
    model, params = hopper_model.load(WORLD)
    rng = np.random.default_rng(0)
    shape = (12, len(model.coordinate_names))
    q, u = rng.uniform(-1.4, 1.4, shape), rng.standard_normal(shape)
    hopper_model.assert_parity(WORLD, hopper_model.states_at(model, params, q, u))


@pytest.mark.thorough
@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-13), (jnp.float32, 1e-5)])
def test_the_fused_kernel_computes_the_same(dtype, tolerance):
    model, params = hopper_model.load(WORLD)
    state = hopper_model.random_state(model, params, seed=1, spread=0.5)
    params, state = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (params, state))
    fused, xla = (
        hopper_model.step_of(model, jaxosim.Options(method="euler", substeps=1, kernel=kernel))(
            params, state, jnp.zeros(0, dtype)
        )
        for kernel in ("fused", "xla")
    )
    assert fused.q.dtype == dtype
    np.testing.assert_allclose(fused.q, xla.q, rtol=0, atol=tolerance)
    np.testing.assert_allclose(fused.u, xla.u, rtol=0, atol=10 * tolerance)
