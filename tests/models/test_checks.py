"""What a model is warned of when it is loaded."""

import warnings

import pytest

from tests import hopper_model
from tests.constraints.worlds import coinciding
from tests.models import osim_text as osim

ARC = "<neutral_angle_x_z_y>0.1 -0.2 0.15</neutral_angle_x_z_y><length>0.3</length>"


def branches(first, second):
    """Two bodies beyond an arc, held together, or one of them held by ground."""
    joints = osim.joint("ConstantCurvatureJoint", "arc", "/ground", "/bodyset/root", ARC)
    for name in ("a", "b"):
        joints += osim.joint("PinJoint", name, "/bodyset/root", f"/bodyset/{name}", "")
    return osim.model(
        bodies="".join(
            osim.body(name, "1", mass_center="0.1 -0.2 0.1", inertia="0.1 0.1 0.1 0 0 0")
            for name in ("root", "a", "b")
        ),
        joints=joints,
        rest=osim.members("ConstraintSet", coinciding("held", first, "0 0 0", second, "0 0 0")),
    )


@pytest.mark.parametrize("pair", [("/ground", "/bodyset/b"), ("/bodyset/a", "/ground")])
def test_constraints_across_an_arc_are_warned_of(pair):
    with pytest.warns(UserWarning, match="constraint.s. held hold bodies on both sides of a Const"):
        hopper_model.load(branches(*pair))


def test_constraints_beyond_an_arc_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hopper_model.load(branches("/bodyset/a", "/bodyset/b"))
