"""GeometryPath: length of a muscle's path and the generalised force of a unit pull along it.

A path is straight from point to point. Points are fixed on a body, or present only while a
coordinate is in a range, or moving along their body with a coordinate. A pull acts only through
segments that join two bodies; both ends of such a segment feel the same line of force, so that one
spatial vector per segment gives the moment arms of all coordinates it crosses.

Source: OpenSim `GeometryPath`, `ConditionalPathPoint`, `MovingPathPoint`; see docs/theory/paths.md,
"Segments" and "Moment arms".
"""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take, take_columns, take_or_zero
from jaxosim.arrays.layout import materialize
from jaxosim.arrays.linalg import cross, dot, matvec, scale_rows
from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.arrays.spatial import spatial
from jaxosim.functions import evaluate
from jaxosim.structure import SegmentStructure
from jaxosim.types import InstanceInfo, Model, Params, PathInfo, PositionInfo

_RANGE_MARGIN = 1e-5  # OpenSim widens the range of a conditional point by this much on both sides


def realize_paths(
    model: Model,
    params: Params,
    instance: InstanceInfo,
    position: PositionInfo,
    q: jax.Array,
    active_points: jax.Array | None = None,
) -> PathInfo:
    """Lengths and moment arms of all paths.

    The moment arm is OpenSim's generalised force at unit tension. It equals −∂length/∂q, except
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
    point, derivative = materialize(_points(model, params, instance, position, q))
    inside = conditions(model, params, q) if active_points is None else active_points
    holds = concatenate([inside, ~inside, jnp.ones(1, bool)])  # as `SegmentStructure.needed` counts
    flexible = paths.flexible
    start, end = (np.searchsorted(paths.located, side) for side in (flexible.start, flexible.end))
    tail = take(point, start)
    apart = take(point, end) - tail
    distance = safe_norm(apart)
    there = _is_active(flexible, holds)
    # OpenSim differs: two coincident points of different bodies give it a force of NaN, us none.
    pull = scale_rows(apart, jnp.where(there, safe_divide(jnp.ones_like(distance), distance), 0.0))
    fixed = jnp.where(_is_active(paths.rigid, holds), instance.rigid_length, 0.0)
    length = _sum_by_muscle(model, paths.rigid, fixed) + _sum_by_muscle(
        model, flexible, jnp.where(there, distance, 0.0)
    )
    moment_arm, stretch = _arms(model, position, tail, pull, derivative)
    return materialize(PathInfo(length=length, moment_arm=moment_arm, stretch=stretch))


def moment_arms(model: Model, path: PathInfo) -> jax.Array:
    """Generalised force of each free coordinate at unit tension, `[muscle, mobility]` (m | 1)."""
    table = model.paths.arms.table
    return take_or_zero(path.moment_arm, table.reshape(-1)).reshape(table.shape)


def tendon_generalized_force(model: Model, path: PathInfo, tension: jax.Array) -> jax.Array:
    """Generalised forces `[mobility]` (N·m | N) of the tensions `[muscle]` (N)."""
    arms = model.paths.arms
    return segment_sum(
        take(tension, arms.muscle) * path.moment_arm, arms.mobility, len(model.tree.mobility)
    )


def shortening(model: Model, path: PathInfo, displacement: jax.Array) -> jax.Array:
    """Shortening `[muscle]` (m) of each path at small displacements `[mobility]`."""
    arms = model.paths.arms
    moved = path.moment_arm * take(displacement, arms.mobility)
    return segment_sum(moved, arms.muscle, len(model.muscle_names))


def tendon_stiffness(model: Model, path: PathInfo, stiffness: jax.Array) -> jax.Array:
    """Stiffness `[mobility, mobility]` of springs `[muscle]` (N/m) along the paths.

    Summed over the pairs of coordinates that one muscle crosses, a few dozen in a leg model.
    """
    arms, count = model.paths.arms, len(model.tree.mobility)
    first, second = np.nonzero(arms.muscle[:, None] == arms.muscle[None, :])
    places, owner = np.unique(
        arms.mobility[first] * count + arms.mobility[second], return_inverse=True
    )
    pulled = materialize(take(stiffness, arms.muscle) * path.moment_arm)
    products = take(pulled, first) * take(path.moment_arm, second)
    sums = segment_sum(products, owner, len(places))
    table = np.full(count * count, len(places))
    table[places] = np.arange(len(places))
    return take_or_zero(sums, table).reshape(count, count)


def _arms(
    model: Model, position: PositionInfo, start: jax.Array, pull: jax.Array, derivative: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Entries `[arm]` of the moment arms, and of the lengthening that no force goes with."""
    arms, ends = model.paths.arms, model.paths.moving_ends
    line = spatial(cross(start, pull), pull)
    sign = arms.sign.astype(line.dtype)
    lines = take_columns(line, arms.segment)
    terms = [line * sign[:, i, None] for i, line in enumerate(lines)]
    zero = jnp.zeros((len(arms.mobility), 6), line.dtype)
    entries = dot(functools.reduce(operator.add, terms, zero), take(position.hinge, arms.mobility))
    if not len(ends.point):
        return entries, jnp.zeros_like(entries)
    own = ends.sign.astype(line.dtype) * dot(take(pull, ends.segment), take(derivative, ends.point))
    count = len(arms.muscle)
    entries = entries + segment_sum(jnp.where(ends.pulls, own, 0.0), ends.moment_arm, count)
    return entries, segment_sum(jnp.where(ends.pulls, 0.0, -own), ends.moment_arm, count)


def lengthening_speed(model: Model, path: PathInfo, u_mobility: jax.Array) -> jax.Array:
    """Lengthening speed of each path (m/s), `[muscle]`, at the speeds `[mobility]`."""
    arms = model.paths.arms
    return segment_sum(
        (path.stretch - path.moment_arm) * take(u_mobility, arms.mobility),
        arms.muscle,
        len(model.muscle_names),
    )


def _points(
    model: Model, params: Params, instance: InstanceInfo, position: PositionInfo, q: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Located points `[located, 3]` from the common point, and derivatives of moving ones."""
    paths = model.paths
    owner = np.concatenate([model.bodies.mobod, [-1]])[paths.point_body]
    local = current_locations(model, params, instance, q)
    slope = jnp.zeros((0, 3), q.dtype)
    if len(paths.moving_point):
        slope = _moving_derivatives(model, params, instance, q)
        slope = matvec(take(position.pose, owner[paths.moving_point])[..., :3], slope)
    pose = take(position.pose, owner[paths.located])
    return pose[..., 3] + matvec(pose[..., :3], take(local, paths.located)), slope


def current_locations(
    model: Model, params: Params, instance: InstanceInfo, q: jax.Array
) -> jax.Array:
    """All points of all paths on their mobilized bodies, `[point, 3]` (m), at the coordinates q.

    A moving point stands where its coordinate, clipped to the coordinate's range, takes it.
    """
    paths, fixed = model.paths, instance.point_location
    if not len(paths.moving_point):
        return fixed
    coordinate = np.repeat(paths.moving_coordinate, 3)
    low, high = (params.coordinates.range[coordinate, side] for side in (0, 1))
    within = clip(take(q, coordinate), low, high)
    place = evaluate(paths.moving_functions, params.paths.functions, within).value
    place = matvec(instance.moving_rotation, place.reshape(-1, 3))
    return fixed + segment_sum(place, paths.moving_point, len(fixed))


def _moving_derivatives(
    model: Model, params: Params, instance: InstanceInfo, q: jax.Array
) -> jax.Array:
    """Derivatives of the moving points by their coordinates, not clipped, `[moving, 3]`."""
    paths = model.paths
    value = take(q, np.repeat(paths.moving_coordinate, 3))
    rate = evaluate(paths.moving_functions, params.paths.functions, value).derivative
    return matvec(instance.moving_rotation, rate.reshape(-1, 3))


def conditions(model: Model, params: Params, q: jax.Array) -> jax.Array:
    """Whether each conditional point is part of its path now, `[conditional]` bool."""
    value = take(q, model.paths.conditional_coordinate)
    limits = params.paths.conditional_range
    return (value >= limits[:, 0] - _RANGE_MARGIN) & (value <= limits[:, 1] + _RANGE_MARGIN)


def next_event(
    model: Model,
    params: Params,
    q: jax.Array,
    rate: jax.Array,
    after: jax.Array,
    before: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """When conditional points next come or go, if their coordinates keep their rates.

    Args:
      model: static structure.
      params: model parameters.
      q: `[coordinate]` (rad | m).
      rate: `[coordinate]` (rad/s | m/s) of q.
      after: (s) what happens sooner does not count.
      before: (s) end of the time in which switches are counted.

    Returns:
      Time until the first (s), inf if there is none, and the number of coordinates that make points
      come or go before `before`.
    """
    coordinate = model.paths.conditional_coordinate
    if not len(coordinate):
        return jnp.full_like(after, jnp.inf), jnp.zeros_like(after)
    margin = _RANGE_MARGIN * np.array([[-1.0, 1.0]])
    edges = params.paths.conditional_range + margin.astype(q.dtype)
    apart = edges - take(q, coordinate)[:, None]
    time = safe_divide(apart, take(rate, coordinate)[:, None])
    time = jnp.where(time > after, time, jnp.inf)
    soon = jnp.any(time < before, axis=1)
    own = [jnp.any(soon[coordinate == one]) for one in np.unique(coordinate)]
    return jnp.min(time), sum((one.astype(q.dtype) for one in own), jnp.zeros((), q.dtype))


def _is_active(segments: SegmentStructure, holds: jax.Array) -> jax.Array:
    """Whether each segment is part of the path now, `[segment]`."""
    always = jnp.ones(len(segments.needed), bool)
    return functools.reduce(operator.and_, take_columns(holds, segments.needed), always)


def _sum_by_muscle(model: Model, segments: SegmentStructure, values: jax.Array) -> jax.Array:
    """Sum values of segments `[segment, …]` over each muscle's segments, `[muscle, …]`."""
    return segment_sum(values, segments.muscle, len(model.muscle_names))
