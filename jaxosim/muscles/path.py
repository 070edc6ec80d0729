"""GeometryPath: length of a muscle's path and the generalised force of a unit pull along it.

A path is straight from point to point. Points are fixed on a body, or present only while a
coordinate is in a range, or moving along their body with a coordinate. A pull acts only through
segments that join two bodies; both ends of such a segment feel the same line of force, so that one
spatial vector per segment gives the moment arms of all coordinates it crosses.

Source: OpenSim `GeometryPath`, `ConditionalPathPoint`, `MovingPathPoint`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.functions import evaluate
from jaxosim.spatial import (
    cross,
    dot,
    gram,
    group_sum,
    matvec,
    safe_divide,
    safe_norm,
    spatial,
    total,
)
from jaxosim.types import (
    InstanceInfo,
    Model,
    Params,
    PathInfo,
    PositionInfo,
    SegmentStructure,
)

_RANGE_MARGIN = 1e-5  # OpenSim widens the range of a conditional point by this much on both sides


def realize_paths(
    model: Model, params: Params, instance: InstanceInfo, position: PositionInfo, q: jax.Array
) -> PathInfo:
    """Lengths and moment arms of all paths.

    The moment arm is OpenSim's generalised force at unit tension. It equals −∂length/∂q, except
    where OpenSim's own does not: outside a moving point's range, where the point stands still but
    its derivative goes on, and between a moving point and a point of its own body.
    """
    paths = model.paths
    point, derivative = _points(model, params, instance, position, q)
    holds = _conditions(model, params, q)
    flexible = paths.flexible
    apart = point[flexible.end] - point[flexible.start]
    distance = safe_norm(apart)
    present = _present(flexible, holds)
    # OpenSim differs: two coincident points of different bodies give it a force of NaN, us none.
    pull = jnp.where(present[:, None], safe_divide(apart, distance[:, None]), 0.0)
    fixed = jnp.where(_present(paths.rigid, holds), instance.rigid_length, 0.0)
    length = _sum_by_muscle(model, paths.rigid, fixed) + _sum_by_muscle(
        model, flexible, jnp.where(present, distance, 0.0)
    )
    line = spatial(cross(point[flexible.start], pull), pull)
    arms = gram(line, position.hinge) * jnp.asarray(paths.crossing, line.dtype)
    moment_arm = _sum_by_muscle(model, flexible, arms)
    stretch = jnp.zeros_like(moment_arm)
    if len(paths.moving_end):
        sign = jnp.asarray(paths.moving_end_sign, q.dtype)
        own = sign * dot(pull[paths.moving_end_segment], derivative[paths.moving_end])
        muscle = flexible.muscle[paths.moving_end_segment]
        place = muscle, paths.moving_end_free
        pulls = paths.moving_end_crossing == 1
        moment_arm = moment_arm.at[place].add(jnp.where(pulls, own, 0.0))
        stretch = stretch.at[place].add(jnp.where(pulls, 0.0, -own))
    return PathInfo(length=length, moment_arm=moment_arm, stretch=stretch)


def lengthening_speed(path: PathInfo, u_free: jax.Array) -> jax.Array:
    """Lengthening speed of each path (m/s), `[muscle]`, at the speeds `[free]`."""
    return total((path.stretch - path.moment_arm).T * u_free[:, None])


def _points(
    model: Model, params: Params, instance: InstanceInfo, position: PositionInfo, q: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Path points `[point, 3]` from the common point, and how moving ones move with q (ground).

    A moving point's place is that of its coordinate clipped to the coordinate's range; its
    derivative is that of the coordinate itself.
    """
    paths = model.paths
    owner = np.concatenate([model.bodies.mobile, [-1]])[paths.point_body]
    ground = jnp.eye(3, dtype=q.dtype)[None]
    R = jnp.concatenate([position.rotation, ground])[owner]
    p = jnp.concatenate([position.position, -position.origin[None]])[owner]
    local = instance.point_location
    if not len(paths.moving_point):
        return p + matvec(R, local), jnp.zeros((0, 3), q.dtype)
    coordinate = np.repeat(paths.moving_coordinate, 3)
    low, high = (params.coordinates.range[coordinate, side] for side in (0, 1))
    numbers = params.paths.functions
    free = q[coordinate]
    place = evaluate(paths.moving_functions, numbers, jnp.clip(free, low, high)).value
    slope = evaluate(paths.moving_functions, numbers, free).slope
    place, slope = (
        matvec(instance.moving_rotation, values.reshape(-1, 3)) for values in (place, slope)
    )
    local = local.at[paths.moving_point].add(place)
    return p + matvec(R, local), matvec(R[paths.moving_point], slope)


def _conditions(model: Model, params: Params, q: jax.Array) -> jax.Array:
    """Which conditions hold: each conditional point in its range, then out of it, then always."""
    value = q[model.paths.conditional_coordinate]
    limits = params.paths.conditional_range
    inside = (value >= limits[:, 0] - _RANGE_MARGIN) & (value <= limits[:, 1] + _RANGE_MARGIN)
    return jnp.concatenate([inside, ~inside, jnp.ones(1, bool)])


def _present(segments: SegmentStructure, holds: jax.Array) -> jax.Array:
    """Whether each segment is part of the path now, `[segment]`."""
    return jnp.all(holds[segments.needed], axis=1)


def _sum_by_muscle(model: Model, segments: SegmentStructure, values: jax.Array) -> jax.Array:
    """Sum values of segments `[segment, …]` over each muscle's segments, `[muscle, …]`."""
    return group_sum(values, segments.muscle, len(model.muscle_names))
