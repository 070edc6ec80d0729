"""Random states that satisfy OpenSim's constraints."""

import numpy as np
import pytest

from jaxosim.opensim.sampling import SATISFIED, on_constraints, random_states
from tests import hopper_model
from tests.constraints import worlds

pytestmark = [pytest.mark.opensim, pytest.mark.thorough]


def errors_at(oracle, states, index):
    state = oracle.state_of({name: states[name][index] for name in ("q", "u")})
    oracle.model.realizeVelocity(state)
    return state.getQErr().to_numpy().copy(), state.getUErr().to_numpy().copy()


def test_states_satisfy_the_constraints_and_keep_what_is_locked(opensim):
    oracle = hopper_model.oracle_of(worlds.everything())
    drawn = random_states(oracle, 3, seed=1)
    states, reached = on_constraints(oracle, drawn, seed=2)
    assert reached.any()
    for index in np.flatnonzero(reached):
        before, after = (errors_at(oracle, some, index) for some in (drawn, states))
        assert min(np.abs(part).max() for part in before) > 1e-2
        assert max(np.abs(part).max() for part in after) < 1e-13 < SATISFIED
    np.testing.assert_array_equal(states["q"][:, oracle.locked], drawn["q"][:, oracle.locked])


def test_states_without_constraints_stay(opensim):
    oracle = hopper_model.oracle_of("arm2dof6musc")
    drawn = random_states(oracle, 3, seed=1)
    states, reached = on_constraints(oracle, drawn, seed=2)
    assert reached.all()
    for name in ("q", "u", "activation"):
        np.testing.assert_array_equal(states[name], drawn[name])
