"""OpenSim's side of comparisons: which members of a model it reports."""

import numpy as np
import pytest

from tests import hopper_model
from tests.models import osim_text as osim

pytestmark = pytest.mark.opensim

COMPONENTS = osim.document(
    "<components>"
    + osim.body("a")
    + osim.body("b", "2")
    + osim.pin("j", "/ground", "/a")
    + osim.pin("k", "/a", "/b", "p")
    + osim.muscle(points=osim.point("p1") + osim.point("p2", "/b", location="0 0.4 0.1"))
    + "</components>"
)


def test_bodies_joints_and_muscles_among_the_components_are_reported(opensim):
    model, params = hopper_model.load(COMPONENTS)
    oracle = hopper_model.oracle_of(COMPONENTS)
    assert oracle.body_names == ("a", "b") == model.body_names
    assert oracle.joint_names == ("j", "k")
    assert len(oracle.muscle_names) == 1 and oracle.muscle_names == model.muscle_names
    q, u = np.random.default_rng(2).uniform(-0.4, 0.4, (2, 3, 2))
    hopper_model.assert_parity(COMPONENTS, hopper_model.states_at(model, params, q, u))
