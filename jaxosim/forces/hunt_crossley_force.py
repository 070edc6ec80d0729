"""HuntCrossleyForce: spheres and ellipsoids on half-spaces and on each other.

Elastic force by Hertz, damping by Hunt and Crossley, friction regularised around zero slip. One row
per pair of surfaces that can touch; a pair that does not touch has force zero and finite gradients.

Source: OpenSim `HuntCrossleyForce`; Simbody `HuntCrossleyForceImpl`, `ContactTrackerSubsystem`; see
docs/theory/contact.md, "Force" and "Early exit".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.linalg import constant_matmul, cross, dot, matmul, matvec, scale_rows
from jaxosim.arrays.safe import safe_norm
from jaxosim.arrays.spatial import body_xyz_rotation, point_velocity, spatial
from jaxosim.errors import OsimFormatError
from jaxosim.forces.contact_parameters import (
    ContactParametersSpec,
    read_contact_parameters,
    read_transition_velocity,
)
from jaxosim.forces.force import BodyFrames, Description, Kinematics
from jaxosim.forces.hunt_crossley_jacobian import jacobian
from jaxosim.forces.hunt_crossley_material import (
    combine_materials,
    friction_per_slip,
    friction_rate,
)
from jaxosim.forces.hunt_crossley_records import Info, Instance, Outputs, Params, Structure
from jaxosim.forces.hunt_crossley_surfaces import overlaps, stopped, surfaces
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.spec import ContactGeometrySpec

__all__ = ["FIELD", "TAGS", "Info", "Outputs", "Params", "Spec", "Structure", "jacobian"]

FIELD = "contacts"
TAGS = ("HuntCrossleyForce",)
MAX_PAIRS = 500_000  # of contact geometries
_CONTACT_SET = "HuntCrossleyForce_ContactParametersSet"
_HALF_SPACE, _SPHERE, _ELLIPSOID = "ContactHalfSpace", "ContactSphere", "ContactEllipsoid"


@dataclass(frozen=True)
class Spec:
    """Contact among all geometries that its materials name."""

    name: str
    contact_parameters: tuple[ContactParametersSpec, ...]
    transition_velocity: float = 0.01
    applies_force: bool = True


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force."""
    element = component.element
    assert element is not None
    applies_force = context.boolean(element, "appliesForce", True)
    velocity = read_transition_velocity(context, element)
    parameters = read_contact_parameters(context, element, _CONTACT_SET)
    for material in parameters:
        if material.geometry and material.stiffness <= 0.0:
            # OpenSim differs: it raises the stiffness to 2/3, divides by it, and forces become NaN.
            raise element.error(f"expected a stiffness above 0, found {material.stiffness}")
    for name in (name for material in parameters for name in material.geometry):
        shape = context.contact_geometry[name]
        if shape.tag == _ELLIPSOID:
            # OpenSim differs: it takes the squares of negative ones, and divides by zero.
            radii = context.vector(shape, "radii", (0.0, 0.0, 0.0))
            if min(radii) <= 0.0:
                raise shape.error(f"expected radii above 0, found {radii}")
        elif applies_force and shape.tag not in (_HALF_SPACE, _SPHERE):
            context.refuse(shape.tag, name, "contact of this shape is not simulated; put spheres")
    return Spec(element.name, parameters, velocity, applies_force)


def _pairs(
    element: np.ndarray, half_space: np.ndarray, ellipsoid: np.ndarray, mobod: np.ndarray
) -> list[list[tuple[int, int]]]:
    """Pairs of surfaces of one element that can push bodies apart, by kind, as `Structure` says.

    Two surfaces on one mobilized body push on nothing, and two half-spaces never touch.
    """
    kinds: list[list[tuple[int, int]]] = [[], [], [], []]
    of_element = [np.flatnonzero(element == e).tolist() for e in np.unique(element)]
    for a, b in (pair for own in of_element for pair in combinations(own, 2)):
        if mobod[a] == mobod[b] or (half_space[a] and half_space[b]):
            continue
        on_half_space, is_round = half_space[a] or half_space[b], ellipsoid[a] < 0 > ellipsoid[b]
        pair = (b, a) if half_space[b] else (a, b)
        kinds[2 * (not on_half_space) + (not is_round)].append(pair)
    return kinds


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """One geometry row per use, one material row per parameter set.

    Raises:
      OsimFormatError: a force names more geometries than can be simulated.
    """
    known = lookup.contact_geometry
    uses_of = [sum(len(m.geometry) for m in spec.contact_parameters) for spec in specs]
    if sum(count * (count - 1) // 2 for count in uses_of) > MAX_PAIRS:
        raise OsimFormatError(
            f"{lookup.source}: expected at most {MAX_PAIRS} pairs of contact geometries within "
            f"HuntCrossleyForces, found {max(uses_of)} geometries in one"
        )
    materials = [(e, m) for e, spec in enumerate(specs) for m in spec.contact_parameters]
    uses = [(e, i, known[g]) for i, (e, m) in enumerate(materials) for g in m.geometry]
    element = np.array([e for e, _, _ in uses], int)
    half_space = np.array([g.kind == _HALF_SPACE for _, _, g in uses], bool)
    body = lookup.bodies([g.frame.body for _, _, g in uses])
    carrier = lookup.carriers(body)
    is_ellipsoid = np.array([g.kind == _ELLIPSOID for _, _, g in uses], bool)
    ellipsoid = np.where(is_ellipsoid, np.cumsum(is_ellipsoid) - 1, -1)
    kinds = _pairs(element, half_space, ellipsoid, carrier)
    pairs = [pair for kind in kinds for pair in kind]
    first, second = (np.array([pair[side] for pair in pairs], int) for side in (0, 1))
    support = np.append(lookup.support, np.zeros((1, lookup.support.shape[1])), axis=0)
    structure = Structure(
        geometry_names=tuple(g.name for _, _, g in uses),
        geometry_body=body,
        geometry_mobod=carrier,
        is_half_space=half_space,
        ellipsoid=ellipsoid,
        material=np.array([i for _, i, _ in uses], int),
        element=element,
        first=first,
        second=second,
        pair_element=element[first],
        pair_moves=support[carrier[second]] - support[carrier[first]],
        half_space_count=len(kinds[0]) + len(kinds[1]),
        sphere_counts=(len(kinds[0]), len(kinds[2])),
        element_names=tuple(spec.name for spec in specs),
        record_geometry=tuple(
            tuple(int(g) for g in np.flatnonzero(element == e)) for e in range(len(specs))
        ),
    )
    return structure, _params(specs, [m for _, m in materials], [g for _, _, g in uses])


def _params(
    specs: Sequence[Spec],
    materials: Sequence[ContactParametersSpec],
    geometry: Sequence[ContactGeometrySpec],
) -> Params:
    """Numbers of all uses of a geometry, of all materials, and of all forces."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(material, name) for material in materials], float)

    return Params(
        location=np.array([g.frame.translation for g in geometry], float).reshape(-1, 3),
        orientation=np.array([g.frame.orientation for g in geometry], float).reshape(-1, 3),
        radius=np.array([g.radius for g in geometry], float),
        semi_axes=np.array([g.semi_axes for g in geometry if g.kind == _ELLIPSOID], float).reshape(
            -1, 3
        ),
        stiffness=column("stiffness"),
        dissipation=column("dissipation"),
        static_friction=column("static_friction"),
        dynamic_friction=column("dynamic_friction"),
        viscous_friction=column("viscous_friction"),
        transition_velocity=np.array([spec.transition_velocity for spec in specs], float),
    )


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return {
        "material": len(params.stiffness),
        "pair": structure.pair_count,
        "ellipsoid": len(params.semi_axes),
    }


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"geometry": structure.geometry_names, "element": structure.element_names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """Geometry in the frames of the mobilized bodies that carry it."""
    rotation = body_xyz_rotation(params.orientation)
    ellipsoids = np.flatnonzero(structure.ellipsoid >= 0)
    return Instance(
        location=frames.carried(structure.geometry_body, params.location),
        normal=-matvec(frames.rotation[structure.geometry_body], rotation[..., 0]),
        ellipsoid_axes=matmul(
            frames.rotation[structure.geometry_body[ellipsoids]], rotation[ellipsoids]
        ),
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all pairs of contact surfaces."""
    material = combine_materials(structure, params)
    placed = surfaces(structure, instance, kinematics.pose)
    depth, n, middle, radius = overlaps(structure, params, placed)
    point = middle + scale_rows(n, depth * (0.5 - material.share))
    slip_velocity = _relative_velocity(structure, kinematics.velocity, point)
    approach = dot(slip_velocity, n)
    touching = depth > 0
    pressed = jnp.where(touching, depth, 0.0)
    k = material.stiffness
    hertz = 4 / 3 * k * pressed * _root(radius * k * pressed)
    force = hertz * (1 + 1.5 * material.dissipation * approach)
    applied = ~stopped(structure, params, placed.center, touching & (force <= 0)) & touching
    normal_force = jnp.where(applied, force, 0.0)
    tangential = slip_velocity - scale_rows(n, approach)
    slip = safe_norm(tangential)
    friction = normal_force * friction_per_slip(material, slip)
    force = scale_rows(n, normal_force) + scale_rows(tangential, friction)
    return Info(
        position=point,
        normal=n,
        depth=depth,
        velocity=slip_velocity,
        hertz_force=hertz,
        normal_force=normal_force,
        friction_slope=friction,
        sliding_slope=normal_force * friction_rate(material, slip),
        dissipation=material.dissipation,
        force=force,
        wrench=contact_wrenches(structure, point, force, len(kinematics.pose) - 1),
    )


def _root(x: jax.Array) -> jax.Array:
    """Square root with gradient zero at zero, where it multiplies a zero anyway."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _relative_velocity(structure: Structure, V: jax.Array, point: jax.Array) -> jax.Array:
    """Velocity of the first surface over the second, at the contact point."""
    owner = structure.geometry_mobod
    first, second = owner[structure.first], owner[structure.second]
    return point_velocity(take(V, first) - take(V, second), point)


def contact_wrenches(
    structure: Structure, point: jax.Array, force: jax.Array, count: int
) -> jax.Array:
    """Wrenches of all contacts `[mobod, 6]` (N·m, N), about the common point.

    Args:
      structure: static structure.
      point: `[pair, 3]` (m) where they act, from the common point.
      force: `[pair, 3]` (N) on the second surface's body.
      count: of the mobilized bodies.
    """
    owner = structure.geometry_mobod
    first, second = owner[structure.first], owner[structure.second]
    mobod = np.arange(count)[:, None]
    sign = (mobod == second).astype(float) - (mobod == first)
    return constant_matmul(sign, spatial(cross(point, force), force))


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays.

    Args:
      structure: static structure.
      info: forces.
      body_position: `[body + 1, 3]` (m) origins from the common point, ground's last.
    """
    body = structure.geometry_body
    first, second = body[structure.first], body[structure.second]
    same_element = structure.element[:, None] == structure.pair_element
    sign = (body[:, None] == second).astype(float) - (body[:, None] == first)
    sign = jnp.asarray(same_element * sign, info.force.dtype)
    force = sign @ info.force
    torque = sign @ cross(info.position, info.force) - cross(body_position[body], force)
    return Outputs(force=force, torque=torque)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and torque on the body of each geometry."""
    rows = np.concatenate([outputs.force, outputs.torque], axis=-1)
    return {
        name: rows[list(geometry)].reshape(-1).tolist()
        for name, geometry in zip(structure.element_names, structure.record_geometry, strict=True)
    }


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the geometry that each makes touch."""
    ellipsoids = int(np.sum(structure.ellipsoid >= 0))
    spheres = len(structure.geometry_names) - int(np.sum(structure.is_half_space)) - ellipsoids
    rows = []
    for index, name in enumerate(structure.element_names):
        members = np.flatnonzero(structure.element == index)
        rows.append((name, ", ".join(structure.geometry_names[member] for member in members)))
    also = f", {ellipsoids} ellipsoids" if ellipsoids else ""
    return Description(f"{len(rows)} forces, {spheres} spheres{also}", rows)
