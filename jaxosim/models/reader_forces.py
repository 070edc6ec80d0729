"""Passive forces of a file → specs: contact, coordinate limits, springs.

Source: OpenSim `HuntCrossleyForce`, `CoordinateLimitForce`, `SpringGeneralizedForce`; see
docs/theory/contact.md, "Geometry" and "Materials", and docs/theory/coordinate_forces.md.
"""

from jaxosim.errors import quote
from jaxosim.models.osim_values import words
from jaxosim.models.osim_xml import Element
from jaxosim.models.reader_context import Context, member_list
from jaxosim.models.reader_frames import Component, resolve_pose
from jaxosim.models.spec import (
    ContactGeometrySpec,
    ContactParametersSpec,
    CoordinateLimitForceSpec,
    HuntCrossleyForceSpec,
    SpringGeneralizedForceSpec,
)

_CONTACT_SET = "HuntCrossleyForce_ContactParametersSet"


def read_contact_geometry(context: Context, geometry: Component) -> ContactGeometrySpec | None:
    """A sphere or half-space; None for any other shape, which is inert unless a force names it."""
    element = geometry.element
    assert element is not None
    if element.tag not in ("ContactSphere", "ContactHalfSpace"):
        return None
    frame = resolve_pose(context, geometry, "socket_frame")
    radius = context.number(element, "radius", 0.0) if element.tag == "ContactSphere" else 0.0
    if radius < 0.0:
        # OpenSim differs: forces become NaN.
        raise element.error(f"expected a radius of 0 or more, found {radius}")
    return ContactGeometrySpec(element.tag, element.name, frame, radius)


def read_hunt_crossley(
    context: Context, element: Element, geometry: dict[str, Element]
) -> HuntCrossleyForceSpec:
    """A HuntCrossleyForce; `geometry` are all members of the ContactGeometrySet by name."""
    applies_force = context.boolean(element, "appliesForce", True)
    velocity = context.number(element, "transition_velocity", 0.01)
    if velocity <= 0.0:
        # OpenSim differs: it divides by it.
        raise element.error(f"expected a transition_velocity above 0, found {velocity}")
    holder = context.object_property(element, "contact_parameters", (_CONTACT_SET,))
    materials = member_list(holder, "objects")
    parameters = tuple(_read_material(context, material, geometry) for material in materials)
    for name in (name for material in parameters for name in material.geometry):
        shape = geometry[name].tag
        if applies_force and shape not in ("ContactSphere", "ContactHalfSpace"):
            context.refuse(shape, name, "contact of this shape is not simulated; put spheres")
    return HuntCrossleyForceSpec(element.name, parameters, velocity, applies_force)


def _read_material(
    context: Context, element: Element, geometry: dict[str, Element]
) -> ContactParametersSpec:
    names = words(context.property(element, "geometry"))
    # A path to the geometry is as good as its name.
    names = tuple(name.removeprefix("/").removeprefix("contactgeometryset/") for name in names)
    for name in names:
        if name not in geometry:
            raise element.error(f"expected the name of a contact geometry, found {quote(name)}")
    stiffness = context.number(element, "stiffness", 0.0)
    if names and stiffness <= 0.0:
        # OpenSim differs: it raises the stiffness to 2/3 and divides by it, and forces become NaN.
        raise element.error(f"expected a stiffness above 0, found {stiffness}")
    return ContactParametersSpec(
        geometry=names,
        stiffness=stiffness,
        dissipation=context.number(element, "dissipation", 0.0),
        static_friction=context.number(element, "static_friction", 0.0),
        dynamic_friction=context.number(element, "dynamic_friction", 0.0),
        viscous_friction=context.number(element, "viscous_friction", 0.0),
    )


def read_limit(context: Context, element: Element) -> CoordinateLimitForceSpec:
    """A CoordinateLimitForce."""
    # OpenSim differs: asked to compute dissipated energy, it adds a state that moves nothing.
    spec = CoordinateLimitForceSpec(
        name=element.name,
        coordinate=_coordinate(context, element),
        upper_stiffness=context.number(element, "upper_stiffness", 1.0),
        upper_limit=context.number(element, "upper_limit", 0.0),
        lower_stiffness=context.number(element, "lower_stiffness", 1.0),
        lower_limit=context.number(element, "lower_limit", 0.0),
        damping=context.number(element, "damping", 0.001),
        transition=context.number(element, "transition", 0.1),
        applies_force=context.boolean(element, "appliesForce", True),
    )
    if spec.transition <= 0.0:
        # OpenSim differs: it accepts a negative one, whose steps then run backwards.
        raise element.error(f"expected a transition above 0, found {spec.transition}")
    if 0.0 in (spec.upper_stiffness, spec.lower_stiffness):
        # OpenSim differs: it divides by them, and the torque becomes NaN.
        raise element.error("expected stiffnesses other than 0")
    return spec


def read_spring(context: Context, element: Element) -> SpringGeneralizedForceSpec:
    """A SpringGeneralizedForce."""
    return SpringGeneralizedForceSpec(
        name=element.name,
        coordinate=_coordinate(context, element),
        stiffness=context.number(element, "stiffness", 0.0),
        rest_length=context.number(element, "rest_length", 0.0),
        viscosity=context.number(element, "viscosity", 0.0),
        applies_force=context.boolean(element, "appliesForce", True),
    )


def _coordinate(context: Context, element: Element) -> str:
    name = context.text(element, "coordinate")
    if name not in context.coordinates:
        raise element.error(f"expected the name of a coordinate, found {quote(name)}")
    return name
