"""SmoothSphereHalfSpaceForce: a sphere on a half-space, with a force that is smooth everywhere.

Hertz, Hunt and Crossley and friction as for a `HuntCrossleyForce`, but switched on by hyperbolic
tangents, so that a small force acts also at a distance.

Source: OpenSim `SmoothSphereHalfSpaceForce`; Simbody `SmoothSphereHalfSpaceForceImpl`; see
docs/theory/contact.md, "Smooth contact".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import dot, scale_rows
from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.arrays.spatial import point_velocity
from jaxosim.errors import quote
from jaxosim.forces import two_frames, wrenches
from jaxosim.forces.contact_parameters import read_transition_velocity
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics, MobilityJacobian
from jaxosim.models.lookup import Lookup, columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_pose
from jaxosim.models.spec import FrameSpec
from jaxosim.pytree import array, pytree

FIELD = "smooth_contacts"
TAGS = ("SmoothSphereHalfSpaceForce",)
_ROOTED = {"stiffness": 1.0, "constant_contact_force": 1e-5}
_DEFAULTS = {
    "dissipation": 0.0,
    "static_friction": 0.0,
    "dynamic_friction": 0.0,
    "viscous_friction": 0.0,
    "hertz_smoothing": 300.0,
    "hunt_crossley_smoothing": 50.0,
}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A sphere on a half-space; numbers are SI."""

    name: str
    frames: tuple[FrameSpec, FrameSpec]  # of the half-space, and of the sphere
    radius: float
    stiffness: float
    dissipation: float
    static_friction: float
    dynamic_friction: float
    viscous_friction: float
    transition_velocity: float
    constant_contact_force: float
    hertz_smoothing: float
    hunt_crossley_smoothing: float
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The bodies of the half-space and the sphere of each force."""

    names: tuple[str, ...]
    pairs: two_frames.Pairs


@pytree
class Material:
    """What the contacts are made of."""

    radius: jax.Array = array("smooth_contact", unit="m")
    stiffness: jax.Array = array("smooth_contact", unit="N/m²")
    dissipation: jax.Array = array("smooth_contact", unit="s/m")
    static_friction: jax.Array = array("smooth_contact", unit="1")
    dynamic_friction: jax.Array = array("smooth_contact", unit="1")
    viscous_friction: jax.Array = array("smooth_contact", unit="s/m")
    transition_velocity: jax.Array = array("smooth_contact", unit="m/s")
    constant_contact_force: jax.Array = array("smooth_contact", unit="m² | m²/s²")
    hertz_smoothing: jax.Array = array("smooth_contact", unit="1/m")
    hunt_crossley_smoothing: jax.Array = array("smooth_contact", unit="s/m")


@pytree
class Params:
    """Half-spaces and spheres, and what they are made of."""

    translation: jax.Array = array(2, "smooth_contact", 3, unit="m")  # on their bodies
    orientation: jax.Array = array(2, "smooth_contact", 3, unit="rad")
    material: Material


@pytree
class Info(ForceInfo):
    """What each contact does; forces act on the sphere's body."""

    position: jax.Array = array("smooth_contact", 3, unit="m")  # from the common point
    normal: jax.Array = array("smooth_contact", 3, unit="1")  # into the half-space
    depth: jax.Array = array("smooth_contact", unit="m")
    approach: jax.Array = array("smooth_contact", unit="m/s")
    friction_slope: jax.Array = array("smooth_contact", unit="N·s/m")  # friction over slip speed
    on_sphere: jax.Array = array("smooth_contact", 6, unit="N·m, N")  # about the common point
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each contact does to the bodies of its sphere and its half-space."""

    force: jax.Array = array("smooth_contact", 2, 3, unit="N")
    torque: jax.Array = array("smooth_contact", 2, 3, unit="N·m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: a socket leads to no sphere or half-space, or a number is out of range.
    """
    element = component.element
    assert element is not None
    sphere = _geometry(component, "socket_sphere", "ContactSphere", context)
    half_space = _geometry(component, "socket_half_space", "ContactHalfSpace", context)
    assert sphere.element is not None
    numbers = {tag: context.number(element, tag, value) for tag, value in _DEFAULTS.items()}
    # OpenSim differs: it takes roots of negative ones, and forces become NaN.
    rooted = {tag: context.number(element, tag, value, least=0) for tag, value in _ROOTED.items()}
    return Spec(
        name=element.name,
        frames=tuple(resolve_pose(context, one, "socket_frame") for one in (half_space, sphere)),
        radius=context.number(sphere.element, "radius", 0.0),
        transition_velocity=read_transition_velocity(context, element),
        applies_force=context.boolean(element, "appliesForce", True),
        **numbers,
        **rooted,
    )


def _geometry(component: Component, socket: str, tag: str, context: Context) -> Component:
    """The contact geometry of a socket, which must be of a class."""
    assert component.element is not None
    path = context.text(component.element, socket)
    found = component.find(path) if path else None
    if found is None or found.element is None or found.element.tag != tag:
        raise component.element.error(
            f"expected in {socket} the path of a {tag}, found {quote(path)}"
        )
    return found


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already."""
    frames = [spec.frames for spec in specs]
    bodies = [[pair[side].body for pair in frames] for side in (0, 1)]
    translation, orientation = two_frames.poses(frames)
    structure = Structure(
        names=tuple(spec.name for spec in specs), pairs=two_frames.pairs(lookup, *bodies)
    )
    material = columns(Material, specs)
    return structure, Params(translation=translation, orientation=orientation, material=material)


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"smooth_contact": structure.names}


def realize_instance(
    structure: Structure, params: Params, frames: BodyFrames
) -> two_frames.Placement:
    """Half-spaces and spheres in the mobilized bodies that carry them."""
    return two_frames.on_mobods(structure.pairs, params.translation, params.orientation, frames)


def evaluate(
    structure: Structure,
    params: Params,
    instance: two_frames.Placement,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all contacts."""
    material, pairs = params.material, structure.pairs
    at = two_frames.in_ground(pairs, instance, kinematics)
    origin, center = at.position
    normal = at.rotation[0][..., 0]
    depth = material.radius + dot(center - origin, normal)
    point = center + scale_rows(normal, material.radius - depth / 2)
    velocity = point_velocity(two_frames.relative_velocity(pairs, kinematics.velocity), point)
    approach = dot(velocity, normal)
    tangential = velocity - scale_rows(normal, approach)
    normal_force = _normal_force(material, depth, approach)
    slope = normal_force * _friction_per_slip(material, tangential)
    force = -scale_rows(normal, normal_force) - scale_rows(tangential, slope)
    on_sphere = wrenches.force_wrenches(point, force)
    return Info(
        position=point,
        normal=normal,
        depth=depth,
        approach=approach,
        friction_slope=slope,
        on_sphere=on_sphere,
        wrench=two_frames.on_both(pairs, on_sphere, len(kinematics.pose) - 1),
    )


def _normal_force(material: Material, depth: jax.Array, approach: jax.Array) -> jax.Array:
    """Normal force (N) at a depth (m) and speed of approach (m/s)."""
    k = jnp.cbrt(material.stiffness * material.stiffness) / 2
    squared = depth * depth + material.constant_contact_force
    smooth_depth = _root(squared)
    hertz = 4 / 3 * k * _root(material.radius * k) * smooth_depth * _root(smooth_depth)
    hertz = hertz * (1 + jnp.tanh(material.hertz_smoothing * depth)) / 2
    c = material.dissipation
    damped = hertz * (1 + 1.5 * c * approach)
    # Without dissipation the force never pulls, and nothing is switched off.
    pulling = approach + safe_divide(jnp.full_like(c, 2 / 3), c)
    switch = (1 + jnp.tanh(material.hunt_crossley_smoothing * pulling)) / 2
    return damped * jnp.where(c != 0, switch, 1.0)


def _root(x: jax.Array) -> jax.Array:
    """Square root with gradient zero at zero."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _friction_per_slip(material: Material, tangential: jax.Array) -> jax.Array:
    """Friction coefficient over slip speed (s/m): finite at zero slip."""
    slip = _root(dot(tangential, tangential) + material.constant_contact_force)
    v_t = material.transition_velocity
    ratio = slip / v_t
    static, dynamic = material.static_friction, material.dynamic_friction
    coefficient = dynamic + 2 * (static - dynamic) / (1 + ratio * ratio)
    return coefficient / clip(slip, low=v_t) + material.viscous_friction


def jacobian(
    structure: Structure,
    params: Params,
    kinematics: Kinematics,
    info: Info,
    inertia: jax.Array,
    h: float | jax.Array,
) -> MobilityJacobian:
    """Normal stiffness and damping, and the secant of friction in every direction.

    Arguments are as for `hunt_crossley_jacobian.jacobian`.
    """
    material, one = params.material, jnp.ones_like(info.depth)
    stiffness, press = (
        clip(slope, low=0.0)
        for slope in (
            jax.jvp(lambda x: _normal_force(material, x, info.approach), (info.depth,), (one,))[1],
            jax.jvp(lambda x: _normal_force(material, info.depth, x), (info.approach,), (one,))[1],
        )
    )
    slip, none = clip(info.friction_slope, low=0.0), jnp.zeros_like(one)
    axes = jnp.broadcast_to(jnp.eye(3, dtype=one.dtype), (len(one), 3, 3))
    directions = concatenate([info.normal[:, None], axes], axis=1)
    points = jnp.broadcast_to(info.position[:, None], directions.shape)
    return two_frames.jacobian(
        structure.pairs,
        kinematics,
        wrenches.force_wrenches(points, directions),
        stack([press - slip, slip, slip, slip], axis=-1),
        stack([stiffness, none, none, none], axis=-1),
    )


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    both = two_frames.about_origins(structure.pairs, info.on_sphere, body_position)
    both = stack([both[:, 1], both[:, 0]], axis=1)
    return Outputs(torque=both[..., :3], force=both[..., 3:])


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and torque on the sphere's body, then on the half-space's."""
    rows = np.concatenate([outputs.force, outputs.torque], axis=-1).reshape(-1, 12)
    return {name: row.tolist() for name, row in zip(structure.names, rows, strict=True)}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    count = len(structure.names)
    rows = [(name, "a sphere and a half-space") for name in structure.names]
    return Description(f"{count} forces", rows)
