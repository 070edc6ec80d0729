"""The larger model is so many times the bundled one, and its copies do not touch each other."""

import numpy as np
import pytest
from larger import side_by_side

import jaxosim


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["gait14dof22musc_pros", "arm2dof6musc"])
def test_every_copy_starts_and_moves_as_the_bundled_model(name, tmp_path):
    model, params = jaxosim.load_model(name)
    larger, numbers = jaxosim.load_model(side_by_side(name, 2, tmp_path))
    count = len(model.coordinate_names)
    assert larger.coordinate_names[count:] == tuple(f"{c}_2" for c in model.coordinate_names)
    assert len(larger.muscle_names) == 2 * len(model.muscle_names)
    controls = np.full(len(model.muscle_names), 0.3)
    rates = []
    for one, own, given in ((model, params, controls), (larger, numbers, np.tile(controls, 2))):
        state = jaxosim.initial_state(one, own)
        rates.append(np.asarray(jaxosim.state_derivative(one, own, state, given).u))
    scale = np.abs(rates[0]).max()
    np.testing.assert_allclose(rates[1], np.tile(rates[0], 2), rtol=1e-4, atol=1e-5 * scale)
