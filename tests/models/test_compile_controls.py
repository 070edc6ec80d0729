"""Controls of a model: owners, order and bounds are OpenSim's, whatever set the owners stand in."""

import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.models import osim_text as osim


def actuator(name, **values):
    """A CoordinateActuator."""
    return osim.element("CoordinateActuator", name, coordinate="q", **values)


def muscle(name, **values):
    """A muscle of some length."""
    points = osim.point("p1", location="0.3 0 0") + osim.point("p2", "/bodyset/a", location="0 1 0")
    return osim.muscle(name, points, **values)


WORLD = osim.model(
    actuator("second", appliesForce="false", min_control="-2", max_control="3"),
    muscle("third", appliesForce="false"),
    osim.element("BodyActuator", "fourth", socket_body="/bodyset/a"),
    muscle("fifth", min_control="0.1", max_control="0.8"),
    rest=f"<components>{actuator('first')}</components>"
    + osim.members("ComponentSet", actuator("last", max_control="1")),
)


@pytest.mark.opensim
def test_owners_and_bounds_are_in_opensims_order(opensim):
    live = opensim.Model(str(hopper_model.path_of(WORLD)))
    state = live.initSystem()
    model, _ = hopper_model.load(WORLD)
    live.realizeVelocity(state)
    live.setControls(state, opensim.Vector.createFromMat(np.arange(11.0)))
    assert live.getNumControls() == len(model.control_names) == 11
    seen = 0
    for component in live.getComponentsList():
        owner = opensim.ScalarActuator.safeDownCast(component)
        if owner is not None:
            index = model.control_names.index(owner.getName())
            assert owner.getControl(state) == index
            assert model.min_control[index] == owner.getMinControl()
            assert model.max_control[index] == owner.getMaxControl()
            seen += 1
    assert seen == 5


def test_names_are_those_of_the_owners():
    model, _ = hopper_model.load(WORLD)
    six = tuple(f"fourth_{i}" for i in range(6))
    assert model.control_names == ("first", "second", "third", *six, "fifth", "last")
    assert model.muscle_names == ("third", "fifth")
    np.testing.assert_array_equal(model.muscle_control, [2, 9])


def test_a_name_in_two_places_is_refused():
    twice = osim.model(actuator("a"), rest=f"<components>{actuator('a')}</components>")
    with pytest.raises(OsimFormatError, match=r"CoordinateActuator\[a\]: expected another name"):
        hopper_model.load(twice)
