"""Elements without content: OpenSim passes over them and keeps the default, as does the reader."""

import warnings

import pytest

from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.models.osim.reader import parse_model
from tests import hopper_model
from tests.models import osim_text as osim
from tests.models.live import assert_same_bodies, assert_same_joints

EMPTY = osim.model(
    bodies=osim.body("a", mass_center="", inertia=" "),
    joints=osim.pin(default_value="", range="  ", clamped="", locked=""),
)


def read(text):
    """What the file says."""
    return parse_model(text.encode(), "m.osim")


def test_each_has_its_default_and_one_warning_names_the_first():
    with pytest.warns(OsimFormatWarning) as caught:
        spec = read(EMPTY)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("m.osim: line 1: Model[m]/BodySet") and "is empty" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        absent = read(
            osim.model(bodies=osim.body("a", mass_center=None, inertia=None), joints=osim.pin())
        )
    assert spec == absent


@pytest.mark.opensim
def test_opensim_has_the_same_numbers(opensim):
    with pytest.warns(OsimFormatWarning):
        spec = read(EMPTY)
    live = hopper_model.oracle_of(EMPTY).model
    assert_same_bodies(spec, live)
    assert_same_joints(spec, live)
    coordinate, expected = spec.joints[0].coordinates[0], live.getCoordinateSet().get(0)
    assert coordinate.range == (expected.getRangeMin(), expected.getRangeMax())
    assert coordinate.default_value == expected.getDefaultValue()
    assert (coordinate.clamped, coordinate.locked) == (
        expected.getDefaultClamped(),
        expected.getDefaultLocked(),
    )


def test_the_defaults_of_the_file_come_first():
    spring = osim.element("SpringGeneralizedForce", "s", coordinate="q", stiffness="")
    default = osim.element("SpringGeneralizedForce", "default", stiffness="7")
    text = osim.model(spring, rest=f"<defaults>{default}</defaults>")
    with pytest.warns(OsimFormatWarning):
        (spec,) = read(text).forces
    assert spec.stiffness == 7


def test_a_number_that_has_no_default_is_missing():
    with pytest.raises(OsimFormatError, match="expected a mass"):
        read(osim.model(bodies=osim.body("a", mass="")))


@pytest.mark.parametrize("value", ["abc", "1 2"])
def test_other_faults_are_refused(value):
    with pytest.raises(OsimFormatError, match="default_value: expected"):
        read(osim.model(joints=osim.pin(default_value=value)))
