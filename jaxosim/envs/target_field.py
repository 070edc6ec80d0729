"""The target-velocity field of L2M2019: velocities on a map that lead into a sink.

The map is a grid of half-meter cells around where the agent was when the sink was placed; between
its nodes velocities are interpolated, beyond its rim they are those of the rim. Nothing of the map
is stored: the few nodes that are asked for are worked out anew.

Drawing (`draw_sink`) stands apart from what follows from the numbers drawn (all else).

Source: osim-rl 3.0.11 `VTgtField`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.safe import clip, safe_divide, safe_norm
from jaxosim.pytree import array, pytree, tree_where

GRID = 11  # points of the local field along each side, 1 m apart
_CELLS_PER_METER = 2
_HALF_WIDTH = 20  # m, of the map
_SPEEDS = (0.8, 1.8)  # m/s, range of the target speed
_CONSTANT = (1.4, 0.0)  # m/s, the field of difficulty 0
_RADII = (5.0, 7.0)  # m, distance of a sink from the one before
_STAYS = (2.0, 4.0)  # s, to stay at a sink
_REACH = 0.3  # m, within which the agent is at the sink
_SLOW = 1.0  # m, from where on the target speed decreases towards the sink
_TURNS = {0: 0.0, 1: 0.0, 2: math.pi / 2, 3: math.pi}  # rad, largest turn, by difficulty
_TARGETS = {0: 0, 1: None, 2: None, 3: 2}  # targets of an episode, by difficulty


@pytree
class SinkDraw:
    """What is random about a sink."""

    radius: jax.Array = array(unit="m")  # from the sink before
    turn: jax.Array = array(unit="rad")  # of the heading
    phase: jax.Array = array(unit="rad")  # of the waves of the target speed
    stay: jax.Array = array(unit="s")


@pytree
class TargetField:
    """A field, and how far the agent has come with it; positions are x forward, y to the left."""

    sink: jax.Array = array(2, unit="m")
    map_center: jax.Array = array(2, unit="m")
    distance: jax.Array = array(unit="m")  # from the agent to the sink when it was placed
    heading: jax.Array = array(unit="rad")  # from the sink before to this one
    phase: jax.Array = array(unit="rad")
    stay_needed: jax.Array = array(unit="s")
    stayed: jax.Array = array(unit="s")  # at the sink, without a break
    number: jax.Array = array(unit="1")  # int32, of the target, from 1
    next_draw: SinkDraw = dataclasses.field()
    key: jax.Array = dataclasses.field()  # of the draws after the next


def sink_ranges(difficulty: int) -> tuple[tuple[float, float], ...]:
    """Ranges of radius, turn, phase and stay of a sink, in osim-rl's order of drawing."""
    turn = _TURNS[difficulty]
    return (_RADII, (-turn, turn), (-math.pi, math.pi), _STAYS)


def draw_sink(key: jax.Array, difficulty: int, like: jax.Array) -> SinkDraw:
    """Random numbers of a sink, all uniform; drawn in osim-rl's order.

    Args:
      key: JAX random key.
      difficulty: 0 to 3.
      like: an array whose dtype the numbers take.
    """
    ranges = sink_ranges(difficulty)
    numbers = [
        jax.random.uniform(one, (), like.dtype, low, high)
        for one, (low, high) in zip(jax.random.split(key, len(ranges)), ranges, strict=True)
    ]
    return SinkDraw(radius=numbers[0], turn=numbers[1], phase=numbers[2], stay=numbers[3])


def first_field(draw: SinkDraw, next_draw: SinkDraw, key: jax.Array) -> TargetField:
    """The field at the beginning of an episode, around the origin."""
    origin = jnp.zeros_like(draw.radius, shape=2)
    sink = _ahead(origin, draw.turn, draw.radius)
    return TargetField(
        sink=sink,
        map_center=origin,
        distance=safe_norm(sink),
        heading=draw.turn,
        phase=draw.phase,
        stay_needed=draw.stay,
        stayed=jnp.zeros_like(draw.radius),
        number=jnp.ones((), jnp.int32),
        next_draw=next_draw,
        key=key,
    )


def _ahead(start: jax.Array, heading: jax.Array, distance: jax.Array) -> jax.Array:
    """A point at a distance in a direction."""
    return start + jnp.stack([jnp.cos(heading) * distance, jnp.sin(heading) * distance])


def follow(
    field: TargetField, pose: jax.Array, difficulty: int, step_size: float
) -> tuple[TargetField, jax.Array]:
    """Note where the agent is after a control step; place a new sink if it has stayed long enough.

    Args:
      field: before.
      pose: `[3]` (m, m, rad) of the agent: x, y, heading.
      difficulty: 0 to 3.
      step_size: (s) of a control step.

    Returns:
      The field after, and whether a target has been achieved: bool.
    """
    if difficulty == 0:
        return field, jnp.zeros((), bool)
    there = safe_norm(field.sink - pose[:2]) < _REACH
    field = dataclasses.replace(field, stayed=jnp.where(there, field.stayed + step_size, 0.0))
    achieved = field.stayed > field.stay_needed
    last = _TARGETS[difficulty]
    more = jnp.ones((), bool)
    if last is not None:
        achieved &= field.number <= last
        more = field.number < last
    moved = _next_field(field, pose, difficulty)
    kept = dataclasses.replace(field, stayed=jnp.zeros_like(field.stayed), number=field.number + 1)
    return tree_where(achieved, tree_where(more, moved, kept), field), achieved


def _next_field(field: TargetField, pose: jax.Array, difficulty: int) -> TargetField:
    """The field of the next sink, around the agent."""
    draw = field.next_draw
    key, own = jax.random.split(field.key)
    heading = field.heading + draw.turn
    sink = _ahead(field.sink, heading, draw.radius)
    return TargetField(
        sink=sink,
        map_center=pose[:2],
        distance=safe_norm(sink - pose[:2]),
        heading=heading,
        phase=draw.phase,
        stay_needed=draw.stay,
        stayed=jnp.zeros_like(field.stayed),
        number=field.number + 1,
        next_draw=draw_sink(own, difficulty, field.stayed),
        key=key,
    )


def target_velocity(field: TargetField, place: jax.Array, difficulty: int) -> jax.Array:
    """Target velocity `[2]` (m/s) at a place `[2]` (m), both in ground."""
    if difficulty == 0:
        return jnp.asarray(_CONSTANT, place.dtype)
    rim = _HALF_WIDTH * _CELLS_PER_METER
    inside = clip((place - field.map_center) * _CELLS_PER_METER, -rim, rim)
    corner = clip(jnp.floor(inside), -rim, rim - 1)
    share = inside - corner

    def at(offset: jax.Array) -> jax.Array:
        node = (corner + offset) / _CELLS_PER_METER + field.map_center
        return jnp.prod(jnp.where(offset == 1, share, 1 - share)) * _node_velocity(field, node)

    offsets = jnp.asarray([[0, 0], [1, 0], [0, 1], [1, 1]], place.dtype)
    return jnp.sum(jax.vmap(at)(offsets), axis=0)


def _node_velocity(field: TargetField, node: jax.Array) -> jax.Array:
    """Target velocity `[2]` (m/s) at a node of the map."""
    away = node - field.sink
    distance = safe_norm(away)
    low, high = _SPEEDS

    def wave(where: jax.Array | float) -> jax.Array:
        angle = field.phase + where / field.distance * (2 * math.pi)
        return (high - low) / 2 * jnp.sin(angle) + (low + high) / 2

    near = jnp.where(distance > _SLOW, wave(distance), distance * wave(_SLOW))
    speed = jnp.where(distance > field.distance + _SLOW, high, near)
    return -speed * safe_divide(away, distance)


def local_field(field: TargetField, pose: jax.Array, difficulty: int) -> jax.Array:
    """Target velocities around the agent and in its axes, `[2, x, y]` (m/s), 11 by 11 at 1 m.

    Args:
      field: in ground.
      pose: `[3]` (m, m, rad) of the agent.
      difficulty: 0 to 3.
    """
    half = (GRID - 1) // 2
    side = np.arange(-half, half + 1)
    places = np.array([(x, y) for x in side for y in side])
    cos, sin = jnp.cos(pose[2]), jnp.sin(pose[2])
    turned = jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])])  # agent's axes to ground

    def one(place: jax.Array) -> jax.Array:
        at = jnp.sum(turned * place[None], axis=1) + pose[:2]
        return jnp.sum(turned * target_velocity(field, at, difficulty)[:, None], axis=0)

    velocity = jax.vmap(one)(jnp.asarray(places, pose.dtype))
    return velocity.T.reshape(2, GRID, GRID)
