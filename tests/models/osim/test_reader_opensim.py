"""The reader against a live OpenSim 4.6: the same numbers, names and order."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jaxosim.forces import coordinate_limit_force, hunt_crossley_force, spring_generalized_force
from jaxosim.functions import FUNCTIONS
from jaxosim.models import spec
from jaxosim.models.osim.reader import read_model
from jaxosim.muscles import thelen2003
from jaxosim.muscles.thelen2003.properties import PROPERTY_TAGS
from tests.models.live import assert_pose, assert_same_bodies, assert_same_joints, vec

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "reference" / "models"
FILES = sorted(SHARED.glob("*/*.osim"))

pytestmark = [
    pytest.mark.opensim,
    pytest.mark.skipif(not FILES, reason="the original models are not at hand"),
]


@pytest.fixture(scope="module", params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def pair(request, opensim):
    """A model as we read it and as OpenSim does."""
    live = opensim.Model(str(request.param))
    library = pytest.importorskip("jaxosim.opensim.library", exc_type=ImportError)
    library.restore_defaults()  # or the next model would have those of this file
    live.initSystem()
    return read_model(request.param), live


def properties(opensim, live_object):
    """All properties of an OpenSim object as XML, numbers with all their digits."""
    opensim.OpenSimObject.setSerializeAllDefaults(True)
    try:
        return ET.fromstring(live_object.dump().replace("::", "_"))
    finally:
        opensim.OpenSimObject.setSerializeAllDefaults(False)


def test_bodies_and_joints(pair):
    assert_same_bodies(*pair)
    assert_same_joints(*pair)


def test_coordinates(pair):
    ours, live = pair
    for joint in ours.joints:
        expected = live.getJointSet().get(joint.name)
        assert len(joint.coordinates) == expected.numCoordinates()
        for i, coordinate in enumerate(joint.coordinates):
            other = expected.get_coordinates(i)
            assert coordinate == spec.CoordinateSpec(
                name=other.getName(),
                default_value=other.getDefaultValue(),
                default_speed_value=other.getDefaultSpeedValue(),
                range=(other.getRangeMin(), other.getRangeMax()),
                clamped=other.getDefaultClamped(),
                locked=other.getDefaultLocked(),
            )


def test_transforms(pair, opensim):
    ours, live = pair
    for joint in ours.joints:
        if joint.kind != "CustomJoint":
            assert joint.transform is None
            continue
        expected = opensim.CustomJoint.safeDownCast(live.getJointSet().get(joint.name))
        for i, axis in enumerate(joint.transform):
            other = expected.getSpatialTransform().getTransformAxis(i)
            names = other.getCoordinateNamesInArray()
            assert axis.axis == vec(other.getAxis())
            assert axis.coordinates == tuple(names.get(k) for k in range(names.getSize()))
            assert_function(axis.function, other.getFunction(), opensim)


def assert_function(function, expected, opensim):
    (tag,) = [module.TAG for module in FUNCTIONS if type(function) is module.Spec]
    assert tag == expected.getConcreteClassName()
    other = getattr(opensim, tag).safeDownCast(expected)
    match tag:
        case "Constant":
            assert function.value == other.getValue()
        case "LinearFunction":
            assert function.coefficients == vec_array(other.getCoefficients())
        case "PolynomialFunction":
            coefficients = other.getCoefficients()
            assert function.coefficients == tuple(
                coefficients.get(i) for i in range(coefficients.size())
            )
        case "SimmSpline" | "GCVSpline" | "PiecewiseLinearFunction":
            count = other.getNumberOfPoints()
            assert function.x == tuple(other.getX(i) for i in range(count))
            assert function.y == tuple(other.getY(i) for i in range(count))
        case "MultiplierFunction":
            assert function.scale == other.getScale()
            assert_function(function.function, other.getFunction(), opensim)
        case _:
            pytest.fail(f"no comparison for {tag}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_is_refused(path):
    assert read_model(path).unsupported == ()


def vec_array(array):
    return tuple(array.get(i) for i in range(array.getSize()))


def forces_of(ours, live, opensim, kind, spec_class):
    """Pairs of forces of one class, ours and OpenSim's, in order."""
    live_class = getattr(opensim, kind)
    forces = (live.getForceSet().get(i) for i in range(live.getForceSet().getSize()))
    found = [f for f in (live_class.safeDownCast(force) for force in forces) if f is not None]
    mine = [force for force in ours.forces if type(force) is spec_class]
    return list(zip(mine, found, strict=True))


def test_force_order(pair):
    ours, live = pair
    names = [live.getForceSet().get(i).getName() for i in range(live.getForceSet().getSize())]
    mine = [force.name for force in ours.forces]
    assert mine == [name for name in names if name in mine]


def test_muscles(pair, opensim):
    ours, live = pair
    for muscle, expected in forces_of(ours, live, opensim, "Thelen2003Muscle", thelen2003.Spec):
        assert muscle.name == expected.getName()
        assert muscle.applies_force == expected.get_appliesForce()
        values = properties(opensim, expected)
        for field in dataclasses.fields(muscle):
            if field.name not in ("name", "path", "applies_force"):
                value = getattr(muscle, field.name)
                tag = PROPERTY_TAGS.get(field.name, field.name)
                assert value == type(value)(json.loads(values.findtext(tag))), tag


def test_paths(pair, opensim):
    ours, live = pair
    for muscle, expected in forces_of(ours, live, opensim, "Thelen2003Muscle", thelen2003.Spec):
        points = opensim.GeometryPath.safeDownCast(expected.getPath()).getPathPointSet()
        for i, point in enumerate(muscle.path.points):
            assert_point(point, points.get(i), opensim)
        assert len(muscle.path.points) == points.getSize()


def assert_point(point, expected, opensim):
    kind = type(point).__name__.removesuffix("Spec")
    assert kind == expected.getConcreteClassName()
    assert point.name == expected.getName()
    other = getattr(opensim, kind).safeDownCast(expected)
    if kind == "MovingPathPoint":
        assert_pose(point.frame, other.getParentFrame())
        assert point.coordinate == other.getXCoordinate().getName()
        for axis, function in zip("xyz", point.location, strict=True):
            assert_function(function, getattr(other, f"get_{axis}_location")(), opensim)
        return
    assert point.body == other.getParentFrame().findBaseFrame().getName()
    assert point.location == vec(other.get_location())  # no offset frames in these models
    if kind == "ConditionalPathPoint":
        assert point.coordinate == other.getCoordinate().getName()
        assert point.range == (other.get_range(0), other.get_range(1))


def test_contact(pair, opensim):
    ours, live = pair
    for force, expected in forces_of(
        ours, live, opensim, "HuntCrossleyForce", hunt_crossley_force.Spec
    ):
        assert force.transition_velocity == expected.getTransitionVelocity()
        assert force.applies_force == expected.get_appliesForce()
        tag = "HuntCrossleyForce_ContactParameters"
        materials = list(properties(opensim, expected).iter(tag))
        for material, other in zip(force.contact_parameters, materials, strict=True):
            assert material.geometry == tuple(other.findtext("geometry").split())
            for field in ("stiffness", "dissipation", "static_friction", "viscous_friction"):
                assert getattr(material, field) == float(other.findtext(field))
            assert material.dynamic_friction == float(other.findtext("dynamic_friction"))


def test_contact_geometry(pair, opensim):
    ours, live = pair
    shapes = live.getContactGeometrySet()
    assert [s.name for s in ours.contact_geometry] == [
        shapes.get(i).getName() for i in range(shapes.getSize())
    ]
    for i, shape in enumerate(ours.contact_geometry):
        expected = shapes.get(i)
        assert shape.kind == expected.getConcreteClassName()
        assert_pose(shape.frame, expected.getFrame(), expected.getTransform())
        if shape.kind == "ContactSphere":
            assert shape.radius == opensim.ContactSphere.safeDownCast(expected).getRadius()


def test_limits_and_springs(pair, opensim):
    ours, live = pair
    for force, other in forces_of(
        ours, live, opensim, "CoordinateLimitForce", coordinate_limit_force.Spec
    ):
        assert force == coordinate_limit_force.Spec(
            other.getName(),
            other.get_coordinate(),
            other.getUpperStiffness(),
            other.getUpperLimit(),
            other.getLowerStiffness(),
            other.getLowerLimit(),
            other.getDamping(),
            other.getTransition(),
            other.get_appliesForce(),
        )
    for force, other in forces_of(
        ours, live, opensim, "SpringGeneralizedForce", spring_generalized_force.Spec
    ):
        assert force == spring_generalized_force.Spec(
            other.getName(),
            other.get_coordinate(),
            other.getStiffness(),
            other.getRestLength(),
            other.getViscosity(),
            other.get_appliesForce(),
        )


def test_markers_and_gravity(pair):
    ours, live = pair
    markers = [live.getMarkerSet().get(i) for i in range(live.getMarkerSet().getSize())]
    assert ours.gravity == vec(live.getGravity())
    assert [m.name for m in ours.markers] == [m.getName() for m in markers]
    for marker, expected in zip(ours.markers, markers, strict=True):
        assert marker.body == expected.getParentFrame().findBaseFrame().getName()
        assert marker.location == vec(expected.get_location())
