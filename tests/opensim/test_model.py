"""OpenSim's side of comparisons: which members of a model it reports."""

import numpy as np
import pytest

from tests import hopper_model
from tests.models import osim_text as osim

pytestmark = pytest.mark.opensim

POINTS = osim.point("p1") + osim.point("p2", "/b", location="0 0.4 0.1")
COMPONENTS = osim.document(
    "<components>"
    + osim.body("a")
    + osim.body("b", "2")
    + osim.pin("j", "/ground", "/a")
    + osim.pin("k", "/a", "/b", "p")
    + osim.muscle(points=POINTS)
    + "</components>"
)

MIXED = osim.document(
    osim.members("BodySet", osim.body("a"), osim.body("c"))
    + osim.members("JointSet", osim.pin("j"), osim.pin("l", "/bodyset/a", "/bodyset/c", "r"))
    + osim.members("ForceSet", osim.muscle("m2"))
    + "<components>"
    + osim.body("b", "2")
    + osim.pin("k", "/bodyset/a", "/b", "p")
    + osim.muscle("m1", points=POINTS)
    + "</components>"
    + osim.members("ComponentSet", osim.muscle("m3"))
)


def test_bodies_joints_and_muscles_among_the_components_are_reported(opensim):
    model, params = hopper_model.load(COMPONENTS)
    q, u = np.random.default_rng(2).uniform(-0.4, 0.4, (2, 3, 2))
    hopper_model.assert_parity(COMPONENTS, hopper_model.states_at(model, params, q, u))
    assert hopper_model.oracle_of(COMPONENTS).muscle_names == ("m1",)


def test_components_come_before_the_members_of_sets(opensim):
    model, _ = hopper_model.load(MIXED)
    oracle = hopper_model.oracle_of(MIXED)
    for kind, names in (
        ("body", ("b", "a", "c")),
        ("joint", ("k", "j", "l")),
        ("coordinate", ("p", "q", "r")),
        ("muscle", ("m1", "m2", "m3")),
    ):
        assert getattr(oracle, f"{kind}_names") == names == getattr(model, f"{kind}_names"), kind
