"""Actions: order and bounds of controls, for muscles and for actuators without bounds."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.envs.actions import OSIM_RL_CONTROL_RANGE, Actions

MODEL = types.SimpleNamespace(
    min_control=np.array([0.01, -np.inf, -2.0]), max_control=np.array([1.0, np.inf, 3.0])
)
ORDER = np.array([2, 0, 1])  # the place of each control in the action


def test_bounds_are_the_files_in_the_order_of_the_action():
    actions = Actions.of(MODEL, ORDER, None)
    np.testing.assert_array_equal(actions.low, [-np.inf, -2.0, 0.01])
    np.testing.assert_array_equal(actions.high, [np.inf, 3.0, 1.0])


def test_tasks_of_osim_rl_have_one_range_for_all():
    actions = Actions.of(MODEL, ORDER, OSIM_RL_CONTROL_RANGE)
    np.testing.assert_array_equal(actions.low, np.zeros(3))
    np.testing.assert_array_equal(actions.high, np.ones(3))


def test_controls_are_clipped_where_they_have_bounds():
    actions = Actions.of(MODEL, ORDER, None)
    controls = actions.controls(jnp.array([50.0, -7.0, 0.0]), jnp.float32)
    np.testing.assert_array_equal(controls, np.array([0.01, 50.0, -2.0], np.float32))
    assert controls.dtype == jnp.float32


def test_an_action_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="one control for each of action_names"):
        Actions.of(MODEL, ORDER, None).controls(jnp.zeros(2), jnp.float32)
