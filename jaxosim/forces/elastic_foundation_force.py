"""ElasticFoundationForce: a bed of springs, one for each triangle of a mesh, on spheres and planes.

A spring acts at its triangle's center while that is within the other surface. Meshes on meshes are
refused by name.

Source: OpenSim `ElasticFoundationForce`; Simbody `ElasticFoundationForceImpl`; see
docs/theory/contact.md, "Elastic foundation".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack, take
from jaxosim.arrays.linalg import (
    constant_matmul,
    cross,
    dot,
    matmul,
    matmul_nt,
    scale_rows,
    sum_leading,
    weighted_gram,
)
from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.arrays.spatial import compose
from jaxosim.errors import OsimFormatError
from jaxosim.forces.contact_mesh import Mesh, find_mesh_file, read_mesh
from jaxosim.forces.contact_parameters import (
    ContactParametersSpec,
    read_contact_parameters,
    read_transition_velocity,
)
from jaxosim.forces.elastic_foundation_records import (
    Info,
    Instance,
    Outputs,
    Pair,
    Params,
    Structure,
)
from jaxosim.forces.force import BodyFrames, Description, Kinematics, MobilityJacobian
from jaxosim.forces.wrenches import force_wrenches
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.xml import Element

__all__ = ["FIELD", "TAGS", "Info", "Outputs", "Params", "Spec", "Structure"]
FIELD = "elastic_foundations"
TAGS = ("ElasticFoundationForce",)
MAX_CONTACTS = 200_000  # triangles times surfaces
_BLOCK = 16  # springs that are evaluated at once
_CONTACT_SET = "ElasticFoundationForce_ContactParametersSet"
_MESH, _HALF_SPACE, _SPHERE = "ContactMesh", "ContactHalfSpace", "ContactSphere"


class _Sums(NamedTuple):
    """What springs do together to the mesh, about the common point."""

    wrench: jax.Array  # [6] (N·m, N)
    damping: jax.Array  # [6, 6] of it by the velocity of the other surface over the mesh
    stiffness: jax.Array  # [6, 6] of it by the displacement of that surface over the mesh


@dataclass(frozen=True)
class Spec:
    """Contact of meshes with the other geometries that the materials name."""

    name: str
    contact_parameters: tuple[ContactParametersSpec, ...]
    meshes: Mapping[str, Mesh]  # by name of the geometry
    transition_velocity: float = 0.01
    applies_force: bool = True


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: a material or its geometry is none, or a mesh cannot be read.
    """
    element = component.element
    assert element is not None
    applies_force = context.boolean(element, "appliesForce", True)
    parameters = read_contact_parameters(context, element, _CONTACT_SET)
    used = [name for material in parameters for name in material.geometry]
    shapes = {name: context.contact_geometry[name] for name in used}
    meshes: dict[str, Mesh] = {}
    if applies_force:
        for name, shape in shapes.items():
            if shape.tag == _MESH:
                meshes[name] = _read_mesh(context, shape)
            elif shape.tag not in (_HALF_SPACE, _SPHERE):
                reason = "contact of this shape with meshes is not simulated; put a sphere"
                context.refuse(shape.tag, name, reason)
        if sum(name in meshes for name in used) > 1:
            reason = "contact of meshes with meshes is not simulated; give each a force of its own"
            context.refuse(element.tag, element.name, reason)
    velocity = read_transition_velocity(context, element)
    return Spec(element.name, parameters, meshes, velocity, applies_force)


def _read_mesh(context: Context, geometry: Element) -> Mesh:
    try:
        path = find_mesh_file(context.text(geometry, "filename"), context.home)
        context.files.append(path)
        return read_mesh(path)
    except (OsimFormatError, OSError) as error:
        raise geometry.error(str(error)) from error


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """One geometry row per use, one material row per parameter set, one spring per triangle.

    Raises:
      OsimFormatError: there are more triangles than can be simulated.
    """
    known = lookup.contact_geometry
    materials = [(e, m) for e, spec in enumerate(specs) for m in spec.contact_parameters]
    uses = [(e, i, known[g]) for i, (e, m) in enumerate(materials) for g in m.geometry]
    element = np.array([e for e, _, _ in uses], int)
    meshes = [specs[e].meshes.get(g.name) for e, _, g in uses]
    counts = [0 if mesh is None else len(mesh.area) for mesh in meshes]
    ends = np.cumsum([0, *counts]).tolist()
    body = lookup.bodies([g.frame.body for _, _, g in uses])
    mobod = lookup.carriers(body)
    pairs = []
    for mesh in np.flatnonzero(counts).tolist():
        springs = slice(ends[mesh], ends[mesh + 1])
        for other in np.flatnonzero(element == element[mesh]).tolist():
            if not counts[other] and mobod[other] != mobod[mesh]:
                on_sphere = uses[other][2].kind == _SPHERE
                pairs.append(Pair(mesh, other, on_sphere, springs, uses[mesh][1], element[mesh]))
    if sum(counts[pair.mesh] for pair in pairs) > MAX_CONTACTS:
        raise OsimFormatError(
            f"{lookup.source}: expected at most {MAX_CONTACTS} triangles of meshes, times the "
            f"surfaces that they may touch, in {TAGS[0]}s"
        )
    support = np.append(lookup.support, np.zeros((1, lookup.support.shape[1])), axis=0)
    moves = [support[mobod[p.mesh]] - support[mobod[p.other]] for p in pairs]
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        geometry_names=tuple(g.name for _, _, g in uses),
        geometry_body=body,
        geometry_mobod=mobod,
        element=element,
        spring_geometry=np.repeat(np.arange(len(uses)), counts),
        pairs=tuple(pairs),
        pair_moves=np.array(moves).reshape(len(pairs), support.shape[1]),
    )

    def column(name: str) -> np.ndarray:
        return np.array([getattr(material, name) for _, material in materials], float)

    present = [mesh for mesh in meshes if mesh is not None]
    params = Params(
        location=np.array([g.frame.translation for _, _, g in uses], float).reshape(-1, 3),
        orientation=np.array([g.frame.orientation for _, _, g in uses], float).reshape(-1, 3),
        radius=np.array([g.radius for _, _, g in uses], float),
        position=np.concatenate([np.zeros((0, 3)), *(mesh.center for mesh in present)]),
        area=np.concatenate([np.zeros(0), *(mesh.area for mesh in present)]),
        stiffness=column("stiffness"),
        dissipation=column("dissipation"),
        static_friction=column("static_friction"),
        dynamic_friction=column("dynamic_friction"),
        viscous_friction=column("viscous_friction"),
        transition_velocity=np.array([spec.transition_velocity for spec in specs], float),
    )
    return structure, params


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    return {
        "foundation_spring": len(structure.spring_geometry),
        "foundation_material": len(params.stiffness),
        "foundation_pair": len(structure.pairs),
    }


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {
        "elastic_foundation": structure.names,
        "foundation_geometry": structure.geometry_names,
    }


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """Geometry in the frames of the mobilized bodies that carry it."""
    body = structure.geometry_body
    location = frames.carried(body, params.location)
    rotation = frames.turned(body, params.orientation)
    return Instance(pose=concatenate([rotation, location[..., None]], axis=-1))


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all springs."""
    size, dtype = len(kinematics.pose) - 1, kinematics.pose.dtype
    if not structure.pairs:
        none = jnp.zeros((0, 6, 6), dtype)
        still = jnp.zeros((size, 6), dtype)
        return Info(pair_wrench=none[:, 0], pair_damping=none, pair_stiffness=none, wrench=still)
    mobod = structure.geometry_mobod
    pose = compose(take(kinematics.pose, mobod), instance.pose)
    velocity = take(kinematics.velocity, mobod)
    sums = [_pair(params, pair, pose, velocity) for pair in structure.pairs]
    wrench, damping, stiffness = (stack(parts) for parts in zip(*sums, strict=True))
    mesh, other = (mobod[side] for side in _sides(structure))
    rows = np.arange(size)[:, None]
    sign = (rows == mesh).astype(float) - (rows == other)
    return Info(
        pair_wrench=wrench,
        pair_damping=damping,
        pair_stiffness=stiffness,
        wrench=constant_matmul(sign, wrench),
    )


def _sides(structure: Structure) -> tuple[list[int], list[int]]:
    """The meshes and the other geometries of all pairs."""
    return [pair.mesh for pair in structure.pairs], [pair.other for pair in structure.pairs]


def _pair(params: Params, pair: Pair, pose: jax.Array, velocity: jax.Array) -> _Sums:
    """Sums over the springs of one pair, block by block: a program of any mesh is as short."""
    own, base = take(pose, np.array([pair.mesh])), take(pose, np.array([pair.other]))
    motion = take(velocity, np.array([pair.other])) - take(velocity, np.array([pair.mesh]))
    count = pair.springs.stop - pair.springs.start
    rows = min(count, _BLOCK)
    blocks = -(-count // rows)

    def in_blocks(values: jax.Array) -> jax.Array:
        padding = jnp.zeros((blocks * rows - count, *values.shape[1:]), values.dtype)
        padded = jnp.concatenate([values[pair.springs], padding])
        return padded.reshape(blocks, rows, *values.shape[1:])

    def add(sums: _Sums, block: tuple[jax.Array, jax.Array]) -> tuple[_Sums, None]:
        position, area = block
        center = matmul_nt(position, own[0, :, :3]) + own[:, :, 3]
        more = _block(params, pair, base, motion, center, area)
        return _Sums(*(x + y for x, y in zip(sums, more, strict=True))), None

    zero = jnp.zeros((6, 6), pose.dtype)
    given = in_blocks(params.position), in_blocks(params.area)
    return jax.lax.scan(add, _Sums(zero[0], zero, zero), given)[0]


def _block(
    params: Params,
    pair: Pair,
    base: jax.Array,
    motion: jax.Array,
    center: jax.Array,
    area: jax.Array,
) -> _Sums:
    """Sums over a block of springs.

    Args:
      params: model parameters.
      pair: which the springs belong to.
      base: `[1, 3, 4]` pose of the other surface, from the common point.
      motion: `[1, 6]` its velocity over the mesh, about the common point.
      center: `[spring, 3]` (m) of the triangles, from the common point.
      area: `[spring]` (m²) of the triangles.
    """
    depth, normal = _overlap(params, pair, base, center)
    point = center + scale_rows(normal, depth)
    velocity = motion[:, 3:] + cross(jnp.tile(motion[:, :3], (len(point), 1)), point)
    leaving = dot(velocity, normal)
    tangential = velocity - scale_rows(normal, leaving)
    dissipation = params.dissipation[pair.material]
    elastic = params.stiffness[pair.material] * area
    push = elastic * depth * (1 + dissipation * leaving)
    acts = (depth > 0) & (push > 0)
    push = jnp.where(acts, push, 0.0)
    friction = push * _friction_per_slip(params, pair, safe_norm(tangential))
    force = scale_rows(normal, push) + scale_rows(tangential, friction)
    press = jnp.where(acts, elastic * depth * dissipation, 0.0)
    spring = jnp.where(acts, elastic * (1 + dissipation * leaving), 0.0)
    axes = [jnp.tile(jnp.asarray(axis, point.dtype), (len(point), 1)) for axis in np.eye(3)]
    along = force_wrenches(point, normal)
    every = concatenate([along, *(force_wrenches(point, axis) for axis in axes)])
    weight = concatenate([press - friction, *[friction] * 3])
    return _Sums(
        wrench=sum_leading(force_wrenches(point, force)),
        damping=weighted_gram(every, weight),
        stiffness=weighted_gram(along, spring),
    )


def _overlap(
    params: Params, pair: Pair, base: jax.Array, center: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Depths `[spring]` (m) below the other surface, and its normals `[spring, 3]` there."""
    apart = center - base[:, :, 3]
    if not pair.on_sphere:
        normal = jnp.tile(-base[:, :, 0], (len(center), 1))
        return -dot(apart, normal), normal
    distance = safe_norm(apart)
    depth = jnp.where(distance > 0, params.radius[pair.other] - distance, 0.0)
    return depth, scale_rows(apart, safe_divide(jnp.ones_like(distance), distance))


def _friction_per_slip(params: Params, pair: Pair, slip: jax.Array) -> jax.Array:
    """Friction coefficient divided by slip speed (s/m): finite at zero slip."""
    limit, row = params.transition_velocity[pair.element], pair.material
    ratio = slip / limit
    dynamic, static = params.dynamic_friction[row], params.static_friction[row]
    coefficient = dynamic + 2 * (static - dynamic) / (1 + ratio * ratio)
    return coefficient / clip(slip, low=limit) + params.viscous_friction[row]


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Damping and stiffness of all pairs, each by the motion of its mesh over the other surface.

    Friction enters by its secant over slip, which is safe where a slip may end within the step.
    """
    size, dtype = structure.pair_moves.shape[1], info.pair_damping.dtype
    damping = stiffness = jnp.zeros((size, size), dtype)
    for number, moves in enumerate(structure.pair_moves):
        hinge = kinematics.hinge * jnp.asarray(moves[:, None], dtype)
        damping += matmul_nt(matmul(hinge, info.pair_damping[number]), hinge)
        stiffness += matmul_nt(matmul(hinge, info.pair_stiffness[number]), hinge)
    return MobilityJacobian(damping=damping, stiffness=stiffness)


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays.

    Args:
      structure: static structure.
      info: forces.
      body_position: `[body + 1, 3]` (m) origins from the common point, ground's last.
    """
    body = structure.geometry_body
    mesh, other = (body[side] for side in _sides(structure))
    same = structure.element[:, None] == np.array([p.element for p in structure.pairs], int)
    sign = same * ((body[:, None] == mesh).astype(float) - (body[:, None] == other))
    wrench = jnp.asarray(sign, info.pair_wrench.dtype) @ info.pair_wrench
    force = wrench[:, 3:]
    return Outputs(force=force, torque=wrench[:, :3] - jnp.cross(body_position[body], force))


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and torque on the body of each geometry."""
    rows = np.concatenate([outputs.force, outputs.torque], axis=-1)
    return {
        name: rows[structure.element == number].reshape(-1).tolist()
        for number, name in enumerate(structure.names)
    }


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are, and the geometry that each makes touch."""
    rows = []
    for number, name in enumerate(structure.names):
        members = np.flatnonzero(structure.element == number)
        rows.append((name, ", ".join(structure.geometry_names[member] for member in members)))
    springs = len(structure.spring_geometry)
    return Description(f"{len(rows)} forces, {springs} springs", rows)
