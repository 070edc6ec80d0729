"""The materials of forces between contact geometries, and the geometries made of each.

Source: OpenSim `HuntCrossleyForce::ContactParametersSet`, `ElasticFoundationForce::
ContactParametersSet`.
"""

from dataclasses import dataclass

from jaxosim.errors import quote
from jaxosim.models.osim.context import Context, member_list
from jaxosim.models.osim.values import words
from jaxosim.models.osim.xml import Element


@dataclass(frozen=True)
class ContactParametersSpec:
    """One material of a force and the names of the geometries made of it."""

    geometry: tuple[str, ...]
    stiffness: float
    dissipation: float
    static_friction: float
    dynamic_friction: float
    viscous_friction: float


def read_contact_parameters(
    context: Context, element: Element, set_class: str
) -> tuple[ContactParametersSpec, ...]:
    """All materials of a force.

    Args:
      context: of the file.
      element: the force.
      set_class: the class of its property `contact_parameters`.

    Raises:
      OsimFormatError: a material names no contact geometry of the model.
    """
    holder = context.object_property(element, "contact_parameters", (set_class,))
    return tuple(_read_material(context, one) for one in member_list(holder, "objects"))


def read_transition_velocity(context: Context, element: Element) -> float:
    """The slip speed (m/s) at which friction is largest.

    Raises:
      OsimFormatError: it is not above 0.
    """
    # OpenSim differs: it divides by it.
    return context.number(element, "transition_velocity", 0.01, above=0)


def _read_material(context: Context, element: Element) -> ContactParametersSpec:
    names = words(context.property(element, "geometry"))
    # A path to the geometry is as good as its name.
    names = tuple(name.removeprefix("/").removeprefix("contactgeometryset/") for name in names)
    for name in names:
        if name not in context.contact_geometry:
            raise element.error(f"expected the name of a contact geometry, found {quote(name)}")
    return ContactParametersSpec(
        geometry=names,
        stiffness=context.number(element, "stiffness", 0.0),
        dissipation=context.number(element, "dissipation", 0.0),
        static_friction=context.number(element, "static_friction", 0.0),
        dynamic_friction=context.number(element, "dynamic_friction", 0.0),
        viscous_friction=context.number(element, "viscous_friction", 0.0),
    )
