"""Points of paths: where they are, and when they and the segments between them exist.

A point is fixed on a body, or fixed and present only while a coordinate is in a range
(conditional), or moves along its body with a coordinate (moving). Each kind gives locations on its
mobilized body; conditional points also give the flags under which segments exist, in the order
that `build.SegmentStructure.needed` counts: the points that are active, those that are not, and
what always holds.

Source: OpenSim `PathPoint`, `ConditionalPathPoint`, `MovingPathPoint`; see
docs/theory/paths.md, "Points".
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, segment_sum, take
from jaxosim.arrays.linalg import matvec
from jaxosim.arrays.safe import clip, safe_divide
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.functions import evaluate
from jaxosim.types import Model, Params

_RANGE_MARGIN = 1e-5  # OpenSim widens the range of a conditional point by this much on both sides


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


def moving_derivatives(
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


def segment_flags(active_points: jax.Array) -> jax.Array:
    """The conditions under which segments exist, as `build.SegmentStructure.needed` counts them.

    Args:
      active_points: `[conditional]` bool.
    """
    return concatenate([active_points, ~active_points, jnp.ones(1, bool)])


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
