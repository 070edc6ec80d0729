"""Names that no path could hold: refused, as by OpenSim."""

import pytest

import jaxosim
from tests import hopper_model
from tests.models import osim_text as osim
from tests.models.mutation_texts import ACTUATORS, CONSTRAINTS, FORCES, OLD, WRAPS

ENDS = osim.point("p1", location="0.31 0 0") + osim.point("p2", "/bodyset/a", location="0 0.1 0")
MARKER = osim.element("Marker", "top", socket_parent_frame="/ground", location="0 0 0")
PENDULUM = osim.model(
    osim.muscle(points=ENDS), rest=osim.SHAPES + osim.members("MarkerSet", MARKER)
)
# By what they name: a sound text and, within it, the name that is changed.
NAMED = {
    "model": (PENDULUM, 'Model name="m"'),
    "set": (PENDULUM.replace("<BodySet>", '<BodySet name="bodyset">'), 'BodySet name="bodyset"'),
    "body": (PENDULUM, 'Body name="a"'),
    "joint": (PENDULUM, 'PinJoint name="j"'),
    "coordinate": (PENDULUM, 'Coordinate name="q"'),
    "force": (PENDULUM, 'Thelen2003Muscle name="m1"'),
    "path point": (PENDULUM, 'PathPoint name="p1"'),
    "marker": (PENDULUM, 'Marker name="top"'),
    "geometry": (PENDULUM, 'ContactSphere name="s"'),
    "frame": (FORCES, 'PhysicalOffsetFrame name="s_parent"'),
    "wrap": (WRAPS, 'PathWrap name="w1"'),
    "wrap object": (WRAPS, 'WrapCylinder name="cylinder"'),
    "constraint": (CONSTRAINTS, 'CoordinateCouplerConstraint name="coupler"'),
    "controller": (ACTUATORS, 'PrescribedController name="pc"'),
    "old force": (OLD, 'CoordinateActuator name="c"'),
}


def renamed(what, character):
    """The text with a character more in a name."""
    text, name = NAMED[what]
    assert name in text
    return text.replace(name, f'{name[:-1]}{character}"')


@pytest.mark.parametrize("what", NAMED)
def test_a_name_with_a_slash_is_refused(what):
    hopper_model.load(NAMED[what][0])
    with pytest.raises(jaxosim.OsimFormatError, match=r"expected a name without blanks.*found '"):
        hopper_model.load(renamed(what, "/"))


@pytest.mark.parametrize("character", [" ", "*", "+", "\\", "&#9;", "&#10;"])
def test_other_characters_are_refused_too(character):
    with pytest.raises(jaxosim.OsimFormatError, match="expected a name without blanks"):
        hopper_model.load(renamed("body", character))


def test_blanks_in_the_names_of_old_files_are_left_out():
    text = OLD.replace('Model name="m"', 'Model name="m n"').replace('name="c"', 'name="c d"')
    model, _ = hopper_model.load(text)
    assert model.name == "mn" and model.coordinate_actuators.names == ("cd",)


@pytest.mark.opensim
def test_opensim_refuses_them_too(opensim):
    refused = [renamed(what, "/") for what in NAMED]
    refused += [renamed("body", character) for character in " *+\\"]
    for text in refused:
        with pytest.raises(RuntimeError, match="invalid characters"):
            opensim.Model(str(hopper_model.path_of(text)))
