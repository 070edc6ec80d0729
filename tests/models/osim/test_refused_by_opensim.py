"""Values and elements that OpenSim refuses, found by damaging files at random."""

import pytest

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from tests import hopper_model
from tests.models import osim_text as osim

PATH = osim.element(
    "GeometryPath",
    "path",
    osim.members("PathPointSet", osim.point("p1") + osim.point("p2", "/bodyset/a")),
)
LIMITS = {"coordinate": "q", "upper_limit": "5", "lower_limit": "-5", "transition": "10"}


def limit(**values):
    """A pendulum with a limit force."""
    return osim.model(osim.element("CoordinateLimitForce", "l", **LIMITS | values))


def millard(damping, **curve):
    """A pendulum with a Millard muscle, whose curve has other slopes."""
    inside = PATH.replace("0 0 0", "0.3 0.4 0.1", 1)
    inside += osim.element("ForceVelocityCurve", "c", **curve)
    values = {"max_isometric_force": "10", "optimal_fiber_length": "0.3"}
    values |= {"tendon_slack_length": "0.2", "fiber_damping": damping}
    return osim.model(osim.element("Millard2012EquilibriumMuscle", "m", inside, **values))


def turned(second):
    """A body on a CustomJoint, with something in place of its second rotation."""
    first = osim.axis("rotation1", "q", "0 0 1", osim.linear())
    third = osim.axis("rotation3", "", "0 1 0")
    return osim.model(joints=osim.custom(first + second + third, osim.coordinates("q")))


def wrapped(tag, quadrant="x", method="hybrid"):
    """A spring over a sphere, by an element of some class."""
    ball = osim.element("WrapSphere", "ball", radius="0.05", quadrant=quadrant)
    wrap = osim.element(tag, "w", wrap_object="ball", method=method)
    wraps = osim.members("PathWrapSet", wrap)
    spring = osim.element(
        "PathSpring",
        "s",
        PATH.replace("</GeometryPath>", f"{wraps}</GeometryPath>"),
        resting_length="0.3",
        stiffness="5",
        dissipation="0.1",
    )
    ground = osim.element("Ground", "ground", osim.members("WrapObjectSet", ball))
    return osim.model(spring, rest=ground)


def multiplied(scale):
    """A rotation that is a multiple of another function."""
    inner = f"<function>{osim.element('Constant', 'c', value='0.2')}</function>"
    function = osim.element("MultiplierFunction", "function", inner, scale=scale)
    return turned(osim.axis("rotation2", "", "1 0 0", function))


def holding(tag, member):
    """A model with an object in one of its sets."""
    return osim.model(rest=osim.members(tag, member))


HALF_SPACE = osim.element("ContactHalfSpace", "h", socket_frame="/ground")
PROBE = osim.element("SystemEnergyProbe", "p")


def formula(text):
    """A force that is a formula."""
    return osim.model(
        osim.element("ExpressionBasedCoordinateForce", "e", coordinate="q", expression=text)
    )


def moving(function):
    """A spring by a point that moves."""
    names = {f"socket_{axis}_coordinate": "/jointset/j/q" for axis in "xyz"}
    functions = "".join(f"<{axis}_location>{function}</{axis}_location>" for axis in "xyz")
    point = osim.point("m", "/bodyset/a", "MovingPathPoint", functions, location=None, **names)
    path = PATH.replace("</objects>", f"{point}</objects>")
    values = {"resting_length": "0.3", "stiffness": "5", "dissipation": "0.1"}
    return osim.model(osim.element("PathSpring", "s", path, **values))


def constant(value):
    """A rotation that is constant."""
    return turned(
        osim.axis("rotation2", "", "1 0 0", osim.element("Constant", "function", value=value))
    )


SOUND = {
    "limits": limit(),
    "damped": millard("0.1", concentric_slope_at_vmax="0.5", eccentric_slope_at_vmax="0.5"),
    "undamped": millard("0", concentric_slope_at_vmax="-1", eccentric_slope_at_vmax="0.15"),
    "constant": constant("0.2"),
    "wrap": wrapped("PathWrap"),
    "formula": formula("q"),
    "function": moving("<Constant><value>0.2</value></Constant>"),
    "multiple": multiplied("0.5"),
    "contact geometry": holding("ContactGeometrySet", HALF_SPACE),
    "probe": holding("ProbeSet", PROBE),
}
REFUSED = {
    "above": (limit(upper_limit="1e300"), "transition"),
    "below": (limit(lower_limit="-1e300"), "transition"),
    "damped": (millard("0.1", concentric_slope_at_vmax="-0.1"), "concentric_.*of 0 or more"),
    "damped, eccentric": (millard("0.1", eccentric_slope_at_vmax="-0.1"), "eccentric_.*0 or more"),
    "undamped": (millard("0", concentric_slope_at_vmax="0.25"), "concentric_.*below 0.25"),
    "undamped, eccentric": (millard("0", eccentric_slope_at_vmax="0.16"), "at most 0.15"),
    "constant": (constant(" "), "value.*expected a number"),
    "axis": (turned('<PinJoint name="rotation2"><axis>1 0 0</axis></PinJoint>'), "TransformAxis"),
    "wrap": (wrapped("SimmSpline"), "expected a PathWrap"),
    "formula": (formula(" "), "expression"),
    "function": (moving(""), "expected a function"),
    "method": (wrapped("PathWrap", method=""), "method: expected a word"),
    "quadrant": (wrapped("PathWrap", quadrant=" "), "quadrant: expected a word"),
    "multiple": (multiplied(""), "scale: expected a number"),
    "contact geometry": (holding("ContactGeometrySet", PROBE), "SystemEnergyProbe"),
    "probe": (holding("ProbeSet", HALF_SPACE), "ContactHalfSpace"),
    "unknown": (holding("ContactGeometrySet", "<Foo name='x'/>"), "Foo"),
}


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_ones_are_read(name):
    hopper_model.load(SOUND[name])


@pytest.mark.parametrize("name", REFUSED)
def test_they_are_refused_by_name(name):
    text, words = REFUSED[name]
    with pytest.raises((OsimFormatError, UnsupportedComponentError), match=words):
        hopper_model.load(text)


@pytest.mark.parametrize(
    ("mass_center", "orientation", "words"),
    [
        ("0 1e151 0", "0 0 0", "Body.*mass_center: expected numbers of 1e.150 or less"),
        ("0 0.1 0", "0 -1e10 0", "Frame.*expected an orientation of 1e.09 rad or less"),
    ],
)
def test_numbers_that_overflow_are_refused(mass_center, orientation, words):
    frame = osim.offset("f", "/ground", "0 0.1 0", orientation)
    inside = osim.coordinates("q") + osim.frames(frame)
    joints = osim.joint("PinJoint", "j", "f", "/bodyset/a", inside)
    with pytest.raises(OsimFormatError, match=words):
        hopper_model.load(osim.model(bodies=osim.body("a", mass_center=mass_center), joints=joints))


@pytest.mark.opensim
@pytest.mark.parametrize("text", [*SOUND.values(), *(text for text, _ in REFUSED.values())])
def test_opensim_does_the_same(opensim, text):
    def realize():
        model = opensim.Model(str(hopper_model.path_of(text)))
        model.realizeAcceleration(model.initSystem())

    if text in SOUND.values():
        realize()
        return
    with pytest.raises(RuntimeError):
        realize()
