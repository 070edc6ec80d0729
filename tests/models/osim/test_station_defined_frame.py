"""StationDefinedFrame: OpenSim's pose for all directions of axes, frames on frames, refusals."""

import numpy as np
import pytest

from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.models.osim.frames import rotation
from jaxosim.models.osim.reader import parse_model
from tests import hopper_model
from tests.models import live
from tests.models import osim_text as osim

OFFSET = osim.offset("o", "..", "0.1 -0.2 0.3", "0.4 0.5 -0.6")
STATIONS = (
    osim.element("Station", "a", socket_parent_frame="..", location="0.3 0.1 -0.2")
    + osim.element("Station", "b", socket_parent_frame="../o", location="-0.4 0.7 0.1")
    + osim.element("Marker", "c", socket_parent_frame="../o")
    + osim.element("Station", "e", socket_parent_frame="..", location="0.5 0.6 0.7")
)
BODY = osim.body("a").replace("</Body>", f"<components>{OFFSET}{STATIONS}</components></Body>")


def frame(name, points="abce", home="/bodyset/a", **values):
    """A frame by four stations of a body."""
    tags = ("socket_point_a", "socket_point_b", "socket_point_c", "socket_origin_point")
    sockets = dict(zip(tags, (f"{home}/{point}" for point in points), strict=True))
    return osim.element("StationDefinedFrame", name, **sockets, **values)


def world(*frames, child="/f", more=""):
    """A body on a pin at a frame."""
    rest = f"<components>{more}{''.join(frames)}</components>"
    return osim.model(bodies=BODY, joints=osim.pin(child=child), rest=rest)


def child_of(text):
    """The frame that the joint holds."""
    return parse_model(text.encode(), "m.osim").joints[0].child


def assert_opensims(text):
    """The frame that the joint holds is OpenSim's."""
    joint = hopper_model.oracle_of(text).model.getJointSet().get(0)
    live.assert_pose(child_of(text), joint.getChildFrame())


AXES = [
    {},
    {"ab_axis": "-x"},
    {"ab_axis": "+y", "ab_x_ac_axis": "-x"},
    {"ab_axis": "z", "ab_x_ac_axis": "X"},
    {"ab_axis": "-z", "ab_x_ac_axis": "-y"},
    {"ab_axis": "x", "ab_x_ac_axis": "-z"},
]
FALLBACKS = [
    {"ab_axis": "y"},  # along the default of the other
    {"ab_axis": "none"},
    {"ab_axis": "-z", "ab_x_ac_axis": "-"},
    {"ab_axis": "-z", "ab_x_ac_axis": "+z"},
    {"ab_axis": ""},
]


@pytest.mark.opensim
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_axes_are_opensims(axes, opensim):
    assert_opensims(world(frame("f", **axes)))


@pytest.mark.opensim
@pytest.mark.parametrize("axes", FALLBACKS, ids=str)
def test_directions_that_are_none_are_replaced_as_by_opensim_with_a_warning(axes, opensim):
    with pytest.warns(OsimFormatWarning, match=r"line 1: .*Frame\[f\]: took another ab_"):
        assert_opensims(world(frame("f", **axes)))


@pytest.mark.opensim
def test_frames_hang_on_station_defined_frames(opensim):
    on_it = osim.offset("g", "/f", "0.1 0.2 0.3", "0.3 -0.2 0.1")
    assert_opensims(world(frame("f"), on_it, child="/g"))


def test_axes_are_those_of_the_points():
    """A right triangle in the plane of x and y: numbers by hand."""
    points = {"a": "1 0 0", "b": "1 2 0", "c": "0 0 0", "e": "5 6 7"}
    stations = "".join(
        osim.element("Station", name, socket_parent_frame="/bodyset/a", location=at)
        for name, at in points.items()
    )
    spec = child_of(world(frame("f", home=""), more=stations))
    assert (spec.body, spec.translation) == ("a", (5.0, 6.0, 7.0))
    columns = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]).T  # b − a, its product with c − a, rest
    np.testing.assert_allclose(rotation(spec.orientation), columns, atol=1e-15)


REFUSED = {
    "no triangle": (world(frame("f", "aabe")), r"\[f\]: expected points a, b and c that form a"),
    "no station": (world(frame("f", "abxe")), r"expected in socket_point_c the path of a Station"),
    "a frame": (world(frame("f", "aboe")), r"expected in socket_point_c the path of a Station"),
    "nothing": (
        world(osim.element("StationDefinedFrame", "f")),
        r"socket_point_a the path of a St",
    ),
    "two bodies": (
        world(
            frame("f", "abcz", home=""),
            more="".join(
                osim.element("Station", name, socket_parent_frame=at)
                for name, at in {"a": "/bodyset/a", "b": "/bodyset/a/o"}.items()
            )
            + osim.element("Station", "c", socket_parent_frame="/bodyset/a", location="1 0 0")
            + osim.element("Station", "z", socket_parent_frame="/ground"),
        ),
        r"expected points of one body, found a, ground",
    ),
    "itself": (
        world(
            frame("f", "abcs", home=""),
            more="".join(
                osim.element("Station", name, socket_parent_frame="/f") for name in "abcs"
            ),
        ),
        r"hangs on itself",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_frames_without_a_pose_are_refused(case):
    text, message = REFUSED[case]
    with pytest.raises(OsimFormatError, match=message):
        child_of(text)


def test_points_on_one_line_are_refused():
    line = osim.element("Station", "l", socket_parent_frame="/bodyset/a", location="0.6 0.2 -0.4")
    start = osim.element("Station", "s", socket_parent_frame="/bodyset/a")
    end = osim.element("Station", "t", socket_parent_frame="/bodyset/a", location="0.3 0.1 -0.2")
    text = world(frame("f", "stls", home=""), more=line + start + end)
    with pytest.raises(OsimFormatError, match="form a triangle"):
        child_of(text)


def test_a_long_chain_of_frames_is_read():
    """Deeper than Python may recurse."""
    chain = osim.offset("g0", "/f", "1 0 0")
    chain += "".join(osim.offset(f"g{i}", f"/g{i - 1}") for i in range(1, 3000))
    assert child_of(world(frame("f"), chain, child="/g2999")).body == "a"
