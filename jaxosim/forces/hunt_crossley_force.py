"""HuntCrossleyForce: spheres on half-spaces and on each other.

Elastic force by Hertz, damping by Hunt and Crossley, friction regularised around zero slip. One row
per pair of surfaces that can touch; a pair that does not touch has force zero and finite gradients.

Source: OpenSim `HuntCrossleyForce`; Simbody `HuntCrossleyForceImpl`, `ContactTrackerSubsystem`; see
docs/theory/contact.md, "Force" and "Early exit".
"""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.arrays.linalg import constant_matmul, cross, dot, matvec, scale_rows
from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.arrays.spatial import spatial
from jaxosim.dynamics.multibody import point_velocity
from jaxosim.pytree import array, pytree
from jaxosim.types import ContactInfo, InstanceInfo, Model, Params, PositionInfo, VelocityInfo

_ENDLESS = 1e30  # a half-space's extent to the left, in the sweep along an axis


@pytree
class MaterialPair:
    """Two materials combined, one row per pair of surfaces."""

    stiffness: jax.Array = array("pair", unit="N^(2/3)/m^(4/3)")  # k, of both in series
    share: jax.Array = array("pair", unit="1")  # s1: part of the depth taken by the first surface
    dissipation: jax.Array = array("pair", unit="s/m")
    static_friction: jax.Array = array("pair", unit="1")
    dynamic_friction: jax.Array = array("pair", unit="1")
    viscous_friction: jax.Array = array("pair", unit="s/m")
    transition_velocity: jax.Array = array("pair", unit="m/s")


def combine_materials(model: Model, params: Params) -> MaterialPair:
    """Combination rules: K^(2/3) in series, dissipation by share of depth, harmonic friction."""
    contacts, numbers = model.contacts, params.contacts
    first, second = (contacts.material[side] for side in (contacts.first, contacts.second))
    k1, k2 = (jnp.cbrt(numbers.stiffness[side] ** 2) for side in (first, second))
    share = k2 / (k1 + k2)

    def harmonic(values: jax.Array) -> jax.Array:
        a, b = values[first], values[second]
        return safe_divide(2 * a * b, a + b)

    return MaterialPair(
        stiffness=k1 * share,
        share=share,
        dissipation=numbers.dissipation[first] * share + numbers.dissipation[second] * (1 - share),
        static_friction=harmonic(numbers.static_friction),
        dynamic_friction=harmonic(numbers.dynamic_friction),
        viscous_friction=harmonic(numbers.viscous_friction),
        transition_velocity=numbers.transition_velocity[contacts.pair_element],
    )


def _mobod_of_geometry(model: Model) -> np.ndarray:
    """Mobilized body of each contact geometry; ground is the last row of arrays with ground."""
    owners = np.concatenate([model.bodies.mobod, [-1]])
    return owners[model.contacts.geometry_body]


def _surfaces(
    model: Model, instance: InstanceInfo, position: PositionInfo
) -> tuple[jax.Array, jax.Array]:
    """Centers (or origins) of all contact surfaces from the common point, and normals."""
    owner = _mobod_of_geometry(model)
    pose = take(position.pose, owner)
    R, p = pose[..., :3], pose[..., 3]
    return p + matvec(R, instance.geometry_location), matvec(R, instance.geometry_normal)


def _half_space_pairs(model: Model, params: Params, center, normal):
    """Depth, normal, mid-depth point and radius of spheres in half-spaces."""
    contacts = model.contacts
    first, second = (
        side[: contacts.half_space_count] for side in (contacts.first, contacts.second)
    )
    radius, n = params.contacts.radius[second], take(normal, first)
    place = take(center, second)
    height = dot(place - take(center, first), n)
    depth = radius - height
    surface = place - scale_rows(n, height)
    return depth, n, surface - scale_rows(n, depth / 2), radius


def _sphere_pairs(model: Model, params: Params, center):
    """Depth, normal, mid-depth point and effective radius of spheres on spheres."""
    contacts = model.contacts
    first, second = (
        side[contacts.half_space_count :] for side in (contacts.first, contacts.second)
    )
    r1, r2 = params.contacts.radius[first], params.contacts.radius[second]
    one = take(center, first)
    apart = take(center, second) - one
    distance = safe_norm(apart)
    n = safe_divide(apart, distance[:, None])
    depth = jnp.where(distance > 0, r1 + r2 - distance, 0.0)
    point = one + scale_rows(n, r1 - depth / 2)
    return depth, n, point, safe_divide(r1 * r2, r1 + r2)


def realize_contact(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    position: PositionInfo,
    velocity: VelocityInfo,
) -> ContactInfo:
    """Forces of all pairs of contact surfaces."""
    material = combine_materials(model, params)
    center, outward = _surfaces(model, instance, position)
    parts = [_half_space_pairs(model, params, center, outward)]
    if model.contacts.pair_count > model.contacts.half_space_count:
        parts.append(_sphere_pairs(model, params, center))
    depth, n, middle, radius = (concatenate(column) for column in zip(*parts, strict=True))
    point = middle + scale_rows(n, depth * (0.5 - material.share))
    slip_velocity = _relative_velocity(model, velocity, point)
    approach = dot(slip_velocity, n)
    touching = depth > 0
    pressed = jnp.where(touching, depth, 0.0)
    k = material.stiffness
    hertz = 4 / 3 * k * pressed * _root(radius * k * pressed)
    force = hertz * (1 + 1.5 * material.dissipation * approach)
    applied = ~_stopped(model, params, center, touching & (force <= 0)) & touching
    normal_force = jnp.where(applied, force, 0.0)
    tangential = slip_velocity - scale_rows(n, approach)
    slip = safe_norm(tangential)
    friction = normal_force * _friction_per_slip(material, slip)
    return ContactInfo(
        position=point,
        normal=n,
        depth=depth,
        velocity=slip_velocity,
        hertz_force=hertz,
        normal_force=normal_force,
        friction_slope=friction,
        sliding_slope=normal_force * _friction_rate(material, slip),
        dissipation=material.dissipation,
        force=scale_rows(n, normal_force) + scale_rows(tangential, friction),
    )


def _root(x: jax.Array) -> jax.Array:
    """Square root with gradient zero at zero, where it multiplies a zero anyway."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _friction_per_slip(material: MaterialPair, slip: jax.Array) -> jax.Array:
    """Friction coefficient divided by slip speed (s/m): finite at zero slip."""
    v_t = material.transition_velocity
    ratio = slip / v_t
    dynamic, static = material.dynamic_friction, material.static_friction
    coefficient = dynamic + 2 * (static - dynamic) / (1 + ratio * ratio)
    return coefficient / clip(slip, low=v_t) + material.viscous_friction


def _friction_rate(material: MaterialPair, slip: jax.Array) -> jax.Array:
    """Derivative of the friction coefficient by slip speed (s/m), zero where that falls."""
    v_t = material.transition_velocity
    ratio = slip / v_t
    dynamic, static = material.dynamic_friction, material.static_friction
    falling = 1 / (1 + ratio * ratio)
    coefficient = dynamic + 2 * (static - dynamic) * falling
    change = -4 * (static - dynamic) * ratio * falling * falling
    regular = jnp.where(ratio < 1, coefficient + change * ratio, change) / v_t
    return clip(regular + material.viscous_friction, low=0.0)


def _relative_velocity(model: Model, velocity: VelocityInfo, point: jax.Array) -> jax.Array:
    """Velocity of the first surface over the second, at the contact point."""
    owner = _mobod_of_geometry(model)
    V = concatenate([velocity.velocity, jnp.zeros((1, 6), point.dtype)])
    first, second = owner[model.contacts.first], owner[model.contacts.second]
    return point_velocity(take(V, first) - take(V, second), point)


def _stopped(model: Model, params: Params, center: jax.Array, fails: jax.Array) -> jax.Array:
    """Pairs that OpenSim never reaches because an earlier pair of the element pulled.

    Simbody walks the contacts of an element in the order of its sweep along the axis in which the
    surfaces are spread most, and leaves the loop at the first whose normal force is not positive.
    That pair and all later ones of the element apply no force.
    """
    contacts = model.contacts
    start = _sweep_start(model, params, center)
    a, b = take(start, contacts.first), take(start, contacts.second)
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    index = np.arange(contacts.pair_count)
    ties = (low[:, None] == low[None, :]) & (
        (high[:, None] < high[None, :])
        | ((high[:, None] == high[None, :]) & (index[:, None] <= index[None, :]))
    )
    earlier = (low[:, None] < low[None, :]) | ties  # [j, i]: pair j is reached before i, or is i
    same = contacts.pair_element[:, None] == contacts.pair_element[None, :]
    blocks = earlier & same & fails[:, None]
    return functools.reduce(
        operator.or_, [blocks[j] for j in range(len(blocks))], jnp.zeros_like(fails)
    )


def _sweep_start(model: Model, params: Params, center: jax.Array) -> jax.Array:
    """Left end of each surface along its element's sweep axis; half-spaces come first."""
    contacts = model.contacts
    count = len(contacts.element_names)
    belongs = contacts.element[None, :] == np.arange(count)[:, None]
    mean = constant_matmul(belongs / belongs.sum(axis=1, keepdims=True), center)
    spread = constant_matmul(belongs, jnp.abs(center - take(mean, contacts.element)))
    axis = jnp.where(spread[:, 0] > spread[:, 1], 0, 1)
    along = jnp.where(axis == 0, spread[:, 0], spread[:, 1])
    axis = take(jnp.where(spread[:, 2] > along, 2, axis), contacts.element)
    x, y, z = (center[:, i] for i in range(3))
    place = jnp.where(axis == 0, x, jnp.where(axis == 1, y, z))
    order = jnp.asarray(np.arange(len(contacts.element), 0, -1) * _ENDLESS, center.dtype)
    return jnp.where(contacts.is_half_space, -order, place - params.contacts.radius)


def contact_wrenches(model: Model, contact: ContactInfo) -> jax.Array:
    """Wrenches of all contacts `[mobod, 6]` (N·m, N), about the common point."""
    owner = _mobod_of_geometry(model)
    first, second = owner[model.contacts.first], owner[model.contacts.second]
    mobod = np.arange(len(model.tree.body))[:, None]
    sign = (mobod == second).astype(float) - (mobod == first)
    wrench = spatial(cross(contact.position, contact.force), contact.force)
    return constant_matmul(sign, wrench)
