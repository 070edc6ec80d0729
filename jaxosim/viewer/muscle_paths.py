"""Points of the muscles' paths for pictures, along surfaces where the muscles wrap."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import matvec, transpose
from jaxosim.dynamics.instance import InstanceInfo
from jaxosim.dynamics.kinematics import PositionInfo
from jaxosim.fused import fused
from jaxosim.paths.build_wraps import WrapGroup
from jaxosim.paths.geometry_path import wrap_frames
from jaxosim.paths.points import conditions, current_locations, segment_flags
from jaxosim.paths.wrap_candidates import any_of
from jaxosim.paths.wrap_object import NEVER
from jaxosim.paths.wrapping import directions, wrap_paths
from jaxosim.paths.wraps import WRAPS
from jaxosim.types import Model, Params

ON_SURFACE = 9  # points of a path on an object, with those at which it comes and goes


@functools.cache
def path_slots(model: Model) -> np.ndarray:
    """What each muscle's path may consist of, `[muscle, slot]`.

    Numbers count all points, then `ON_SURFACE` points of each wrap; one past them fills up.
    """
    paths, first = model.paths, len(model.paths.point_path)
    rows = [np.flatnonzero(paths.point_path == path).tolist() for path in model.muscle_path]
    for group in paths.wrap_groups:
        for path in group.paths[group.wrap_path]:
            for row in np.flatnonzero(np.asarray(model.muscle_path) == path):
                rows[row] += range(first, first + ON_SURFACE)
            first += ON_SURFACE
    longest = max(map(len, rows), default=0)
    padded = [row + [first] * (longest - len(row)) for row in rows]
    return np.array(padded, dtype=np.int32).reshape(len(rows), longest)


def muscle_points(
    model: Model, params: Params, instance: InstanceInfo, pose: PositionInfo, q: jax.Array
) -> jax.Array:
    """Current points of every muscle in order, `[muscle, slot, 3]` (m), expressed in ground.

    The last one is repeated in place of those that are absent.
    """
    paths, slots = model.paths, path_slots(model)
    if not slots.size:
        return jnp.zeros((*slots.shape, 3), q.dtype)
    owner = np.concatenate([model.bodies.mobod, [-1]])[paths.point_body]
    R, p = pose.pose[owner, :, :3], pose.pose[owner, :, 3]
    points = [p + matvec(R, current_locations(model, params, instance, q))]
    inside = conditions(model, params, q)
    here = [jnp.ones(len(paths.point_path), bool).at[paths.conditional_point].set(inside)]
    place = [jnp.arange(len(paths.point_path), dtype=q.dtype)]
    for group in paths.wrap_groups:
        number = group.point[np.searchsorted(group.slot_path[: len(group.point)], group.wrap_path)]
        frames = wrap_frames(group, instance, pose)
        found = _on_objects(group, params, segment_flags(inside), points[0][group.point], frames)
        surface, used, between = found
        points.append(surface.reshape(-1, 3))
        here.append(jnp.repeat(used, ON_SURFACE))
        place.append(jnp.repeat(number.astype(q.dtype) + between, ON_SURFACE))
    points.append(jnp.zeros((1, 3), q.dtype))
    here.append(jnp.zeros(1, bool))
    place.append(jnp.zeros(1, q.dtype))
    everything, present = jnp.concatenate(points) + pose.origin[None], jnp.concatenate(here)[slots]
    order = jnp.argsort(jnp.where(present, jnp.concatenate(place)[slots], NEVER), axis=1)
    last = jnp.sum(present, axis=1, keepdims=True) - 1
    shown = jnp.minimum(np.arange(slots.shape[1])[None], last)
    shown = jnp.take_along_axis(order, shown, axis=1)
    return everything[jnp.take_along_axis(jnp.asarray(slots), shown, axis=1)]


def _on_objects(
    group: WrapGroup, params: Params, holds: jax.Array, points: jax.Array, frames: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Paths on the objects of wraps.

    The curve is a cubic between the two points in the directions of the straight pieces, moved onto
    the surface: like the path to the eye, also where that goes more than half around.

    Returns:
      `[wrap, point, 3]` (m) from the reference point; `[wrap]` whether the path wraps there; and
      `[wrap]` the place between the path's points, by their numbers.
    """
    # XLA compiles searches on surfaces a dozen times longer.
    course_of = fused(functools.partial(wrap_paths, group))
    wrapped, course = course_of(params.paths, holds, points, frames)
    count = len(group.point)
    ahead, behind = directions(group, wrapped, course, np.ones(len(group.start), bool))
    used = any_of(wrapped.link, group.end, len(group.slot_path))[count:]
    reach = jnp.abs(wrapped.length)[:, None]
    t = np.linspace(0, 1, ON_SURFACE, dtype=points.dtype)[None, :, None]
    curve = (
        (1 + 2 * t) * (1 - t) ** 2 * wrapped.enter[:, None]
        + t**2 * (3 - 2 * t) * wrapped.leave[:, None]
        + t * (1 - t) ** 2 * (reach * behind[count:])[:, None]
        - t**2 * (1 - t) * (reach * ahead[count:])[:, None]
    )
    R, origin = frames[:, None, :, :3], frames[:, None, :, 3]
    local = matvec(transpose(R), curve - origin)
    for kind, (wraps, objects) in _by_class(group).items():
        own = getattr(params.paths, WRAPS[kind].FIELD)
        own = jax.tree.map(lambda values, rows=objects: values[rows], own)
        local = local.at[wraps].set(WRAPS[kind].on_surface(local[wraps], own))
    ends = jnp.stack([wrapped.enter, wrapped.leave], axis=1)
    surface = origin + matvec(R, local)
    return surface.at[:, [0, -1]].set(ends), used, wrapped.place


def _by_class(group: WrapGroup) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The wraps of each class of objects, and the numbers of their objects in it."""
    found: dict[int, dict[int, int]] = {}
    for step, _ in group.steps:
        for rows in step.rows:
            pairs = zip(rows.frame.tolist(), rows.object.tolist(), strict=True)
            found.setdefault(rows.kind, {}).update(pairs)
    return {
        kind: (np.array(list(own), int), np.array(list(own.values()), int))
        for kind, own in found.items()
    }
