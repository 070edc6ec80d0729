"""GeometryPath: lengths of paths, and the generalized forces of unit tension along them.

A path is straight from point to point. Tension acts only through segments that join two bodies;
both ends of such a segment feel the same line of force, so that one spatial vector per segment
gives the moment arms of all coordinates it crosses.

Source: OpenSim `GeometryPath`; see docs/theory/paths.md, "Segments" and "Moment arms".
"""

import dataclasses
import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, put, segment_sum, take, take_columns, take_or_zero
from jaxosim.arrays.layout import stage
from jaxosim.arrays.linalg import cross, dot, matvec, scale_rows
from jaxosim.arrays.safe import safe_divide, safe_norm
from jaxosim.arrays.spatial import compose, spatial
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.joints import JointInfo, coordinate_rates
from jaxosim.dynamics.kinematics import PositionInfo
from jaxosim.paths import function_based_path
from jaxosim.paths.build import SegmentStructure
from jaxosim.paths.build_wraps import WrapGroup
from jaxosim.paths.points import conditions, current_locations, moving_derivatives, segment_flags
from jaxosim.paths.wrapping import slot_forces, slot_lines, wrap_paths
from jaxosim.pytree import array, pytree
from jaxosim.types import Model, Params


@pytree
class PathInfo:
    """Lengths of the paths and the entries of two matrices `[path, mobility]` that are not zero."""

    length: jax.Array = array("path", unit="m")
    moment_arm: jax.Array = array("arm", unit="m | 1")  # generalized force at unit tension
    length_jacobian: jax.Array = array("arm", unit="m | 1")  # lengthening per unit speed
    # of paths that are functions, whose length_jacobian is left zero; None without such paths
    function_moment_arm: jax.Array | None = array("function_arm", unit="m | 1")


@stage
def realize_paths(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    position: PositionInfo,
    q: jax.Array,
    active_points: jax.Array | None = None,
) -> PathInfo:
    """Lengths and moment arms of all paths.

    The moment arm is OpenSim's generalized force at unit tension. It equals −∂length/∂q, except
    where OpenSim's own does not: outside a moving point's range, where the point stands still but
    its derivative goes on, and between a moving point and a point of its own body.

    Args:
      model: static structure.
      params: model parameters.
      instance: what is fixed on the bodies.
      position: poses.
      q: `[coordinate]` (rad | m).
      active_points: `[conditional]` bool, the conditional points that are part of their paths; if
        None, those in whose range q is.
    """
    paths = model.paths
    point, derivative = _points(model, params, instance, position, q)
    inside = conditions(model, params, q) if active_points is None else active_points
    holds = segment_flags(inside)
    flexible = paths.flexible
    start, end = (np.searchsorted(paths.located, side) for side in (flexible.start, flexible.end))
    tail = take(point, start)
    apart = take(point, end) - tail
    distance = safe_norm(apart)
    there = _is_active(flexible, holds)
    # OpenSim differs: two coincident points of different bodies give it a force of NaN, us none.
    direction = scale_rows(
        apart, jnp.where(there, safe_divide(jnp.ones_like(distance), distance), 0.0)
    )
    fixed = jnp.where(_is_active(paths.rigid, holds), instance.rigid_length, 0.0)
    length = _sum_by_path(model, paths.rigid, fixed) + _sum_by_path(
        model, flexible, jnp.where(there, distance, 0.0)
    )
    line = spatial(cross(tail, direction), direction)
    if paths.wrap_groups:
        wrapped = _wrapped(model, params, instance, position, holds, point)
        length = length + wrapped.length
        still = concatenate([jnp.zeros_like(line), wrapped.rest])
        line = concatenate([line, wrapped.line])
        direction = concatenate([direction, wrapped.force])
    moment_arm, length_jacobian = _arms(model, position, line, direction, derivative)
    if any(group.passes > 1 for group in paths.wrap_groups):
        length_jacobian = length_jacobian - _entries(model, position, still)
    path = PathInfo(
        length=length,
        moment_arm=moment_arm,
        length_jacobian=length_jacobian,
        function_moment_arm=None,
    )
    return _with_functions(model, params, q, path) if len(paths.function_based.path) else path


def _with_functions(model: Model, params: Params, q: jax.Array, path: PathInfo) -> PathInfo:
    """The same with lengths and moment arms of the paths that are functions."""
    paths = model.paths
    length, given = function_based_path.evaluate(
        paths.function_based, params.paths.function_based, q
    )
    entries = segment_sum(given, paths.arms.given, len(paths.arms.path))
    return dataclasses.replace(
        path,
        length=path.length + length,
        moment_arm=path.moment_arm + entries,
        function_moment_arm=given,
    )


def moment_arms(model: Model, path: PathInfo) -> jax.Array:
    """Generalized force of each mobility at unit tension, `[path, mobility]` (m | 1)."""
    table = model.paths.arms.table
    return take_or_zero(path.moment_arm, table.reshape(-1)).reshape(table.shape)


def tension_generalized_force(model: Model, path: PathInfo, tension: jax.Array) -> jax.Array:
    """Generalized forces `[mobility]` (N·m | N) of the tensions `[path]` (N)."""
    arms = model.paths.arms
    return segment_sum(
        take(tension, arms.path) * path.moment_arm, arms.mobility, len(model.tree.mobility)
    )


def shortening(model: Model, path: PathInfo, displacement: jax.Array) -> jax.Array:
    """Shortening `[path]` (m) of each path at small displacements `[mobility]`."""
    arms = model.paths.arms
    moved = path.moment_arm * take(displacement, arms.mobility)
    return segment_sum(moved, arms.path, len(model.paths.names))


def path_stiffness(model: Model, path: PathInfo, stiffness: jax.Array) -> jax.Array:
    """Stiffness `[mobility, mobility]` of springs `[path]` (N/m) along the paths.

    Summed over the pairs of coordinates that one path crosses, a few dozen in a leg model.
    """
    arms, count = model.paths.arms, len(model.tree.mobility)
    first, second = np.nonzero(arms.path[:, None] == arms.path[None, :])
    places, owner = np.unique(
        arms.mobility[first] * count + arms.mobility[second], return_inverse=True
    )
    pulled = _pulled(model, path, stiffness)
    products = take(pulled, first) * take(path.moment_arm, second)
    sums = segment_sum(products, owner, len(places))
    table = np.full(count * count, len(places))
    table[places] = np.arange(len(places))
    return take_or_zero(sums, table).reshape(count, count)


@stage
def _pulled(model: Model, path: PathInfo, stiffness: jax.Array) -> jax.Array:
    """What each moment arm does to the tension of its path, `[arm]` (N/rad | N/m)."""
    return take(stiffness, model.paths.arms.path) * path.moment_arm


def _arms(
    model: Model,
    position: PositionInfo,
    line: jax.Array,
    direction: jax.Array,
    derivative: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Entries `[arm]` of the moment arms and of the Jacobian of the lengths.

    Args:
      model: static structure.
      position: poses.
      line: `[segment + line, 6]` (m, 1) wrench of unit tension at the start of each segment, zero
        if it does not exist, and on each body of paths with wraps.
      direction: `[segment + 2 slot, 3]` (1) its linear part, for the slots once from other bodies
        and once from their own.
      derivative: `[moving, 3]` of the moving points by their coordinates.
    """
    arms, ends = model.paths.arms, model.paths.moving_ends
    entries = _entries(model, position, line)
    if not len(ends.point):
        return entries, jnp.zeros_like(entries) - entries
    own = ends.sign.astype(line.dtype) * dot(
        take(direction, ends.segment), take(derivative, ends.point)
    )
    count = len(arms.path)
    entries = entries + segment_sum(jnp.where(ends.pulls, own, 0.0), ends.moment_arm, count)
    without_force = segment_sum(jnp.where(ends.pulls, 0.0, -own), ends.moment_arm, count)
    return entries, without_force - entries


def _entries(model: Model, position: PositionInfo, line: jax.Array) -> jax.Array:
    """Generalized forces `[arm]` of wrenches `[segment + line, 6]` at the starts of segments."""
    arms = model.paths.arms
    sign = arms.sign.astype(line.dtype)
    lines = take_columns(line, arms.segment)
    terms = [line * sign[:, i, None] for i, line in enumerate(lines)]
    zero = jnp.zeros((len(arms.mobility), 6), line.dtype)
    return dot(functools.reduce(operator.add, terms, zero), take(position.hinge, arms.mobility))


def lengthening_speed(
    model: Model,
    params: Params,
    path: PathInfo,
    joints: JointInfo,
    q: jax.Array,
    u: jax.Array,
) -> jax.Array:
    """Lengthening speed of each path (m/s), `[path]`, at the coordinates q and their speeds u."""
    arms = model.paths.arms
    moved = take(take(u, model.tree.mobility), arms.mobility)
    speed = segment_sum(path.length_jacobian * moved, arms.path, len(model.paths.names))
    if path.function_moment_arm is None:
        return speed
    return speed + function_based_path.lengthening_speed(
        model.paths.function_based,
        params.paths.function_based,
        path.function_moment_arm,
        q,
        coordinate_rates(model, joints, u),
        jnp.where(model.locked, 0.0, u),
    )


class _Wrapped(NamedTuple):
    """The paths with wraps."""

    length: jax.Array  # [path] (m), zero of the others
    line: jax.Array  # [line, 6] (m, 1) wrench of unit tension on each body of a path
    rest: jax.Array  # [line, 6] (m, 1) the others that belong to the lengthening speed
    force: jax.Array  # [2 slot, 3] (1) from other bodies and from its own; none without moving ends


def _wrapped(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    position: PositionInfo,
    holds: jax.Array,
    point: jax.Array,
) -> _Wrapped:
    """Lengths and wrenches of the paths with wraps."""
    paths = model.paths
    length = jnp.zeros(len(paths.names), point.dtype)
    lines, rests, from_others, from_own = [], [], [], []
    for group in paths.wrap_groups:
        places = take(point, np.searchsorted(paths.located, group.point))
        frames = wrap_frames(group, instance, position)
        wrapped, course = wrap_paths(group, params.paths, holds, places, frames)
        length = length + put(course.length, group.paths, len(length))
        line, rest = slot_lines(group, wrapped, course)
        lines.append(line)
        rests.append(rest)
        if len(paths.moving_ends.point):
            other, own = slot_forces(group, wrapped, course)
            from_others.append(other)
            from_own.append(own)
    none = jnp.zeros((0, 3), point.dtype)
    forces = concatenate([none, *from_others, *from_own])
    return _Wrapped(length, concatenate(lines), concatenate(rests), forces)


@stage
def wrap_frames(group: WrapGroup, instance: InstanceInfo, position: PositionInfo) -> jax.Array:
    """Frames `[wrap, 3, 4]` of the objects of wraps, from the reference point."""
    local = concatenate(
        [
            take(instance.wrap_rotation, group.wrap_object),
            take(instance.wrap_position, group.wrap_object)[..., None],
        ],
        axis=-1,
    )
    return compose(take(position.pose, group.wrap_mobod), local)


def _points(
    model: Model, params: Params, instance: InstanceInfo, position: PositionInfo, q: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Located points `[located, 3]` from the reference point, and derivatives of moving ones."""
    paths = model.paths
    owner = np.concatenate([model.bodies.mobod, [-1]])[paths.point_body]
    local = current_locations(model, params, instance, q)
    slope = jnp.zeros((0, 3), q.dtype)
    if len(paths.moving_point):
        slope = moving_derivatives(model, params, instance, q)
        slope = matvec(take(position.pose, owner[paths.moving_point])[..., :3], slope)
    pose = take(position.pose, owner[paths.located])
    return pose[..., 3] + matvec(pose[..., :3], take(local, paths.located)), slope


def _is_active(segments: SegmentStructure, holds: jax.Array) -> jax.Array:
    """Whether each segment is part of the path now, `[segment]`."""
    always = jnp.ones(len(segments.needed), bool)
    return functools.reduce(operator.and_, take_columns(holds, segments.needed), always)


def _sum_by_path(model: Model, segments: SegmentStructure, values: jax.Array) -> jax.Array:
    """Sum values of segments `[segment, …]` over each path's segments, `[path, …]`."""
    return segment_sum(values, segments.path, len(model.paths.names))
