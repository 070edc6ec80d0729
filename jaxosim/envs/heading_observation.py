"""An observation of walkers in the heading frame of the pelvis, from what osim-rl's tasks report.

The heading frame has its origin in the pelvis, y up, and x along the projection of the pelvis's
forward axis on the ground, so that a policy walks alike in every direction and at every place. All
entries follow from `get_state_desc()`, the latest action and the target velocity: a policy that was
trained here can be played in OpenSim. `HeadingLayout` says which entries there are, `entries_of`
works them out for NumPy and JAX alike, and the two others collect what it needs.

Source: the observation of the winners of the NeurIPS 2018 challenge (PARL), without accelerations.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs import lookup
from jaxosim.envs.base import Env
from jaxosim.envs.episode import Snapshot
from jaxosim.envs.observation import Block

_SEEN = ("head", "talus", "toes", "calcn", "tibia", "pros_tibia", "pros_foot")  # bodies
_PELVIS = "pelvis"
_TOUCH_HEIGHT, _TOUCH_WIDTH = 0.06, 0.03  # m: of a body's origin where its touch is one half
_SMALLEST = 1e-6  # of the forward axis's projection


@dataclasses.dataclass(frozen=True)
class HeadingLayout:
    """Which entries there are, as plain data.

    Attributes:
      bodies: that are seen from the pelvis.
      coordinates: joint, place among its coordinates, and name of each.
      units: of the coordinates.
      muscles: names.
      actions: names.
      has_target: whether the task has a target velocity.
    """

    bodies: tuple[str, ...]
    coordinates: tuple[tuple[str, int, str], ...]
    units: tuple[str, ...]
    muscles: tuple[str, ...]
    actions: tuple[str, ...]
    has_target: bool

    @classmethod
    def of(cls, env: Env) -> "HeadingLayout":
        """The entries for a task; locked coordinates and those of the pelvis are left out.

        Raises:
          ValueError: the task's model has no pelvis.
        """
        model = env.model
        if _PELVIS not in model.body_names:
            raise ValueError(f"{model.source}: expected a body named {_PELVIS!r}")
        members = [
            (joint, place, index)
            for joint, own in zip(model.joint_names, model.joint_coordinates, strict=True)
            for place, index in enumerate(own)
        ]
        seen = [
            (joint, place, index)
            for joint, place, index in members
            if not model.locked[index] and not model.coordinate_names[index].startswith(_PELVIS)
        ]
        return cls(
            bodies=tuple(name for name in model.body_names if name.startswith(_SEEN)),
            coordinates=tuple((j, place, model.coordinate_names[i]) for j, place, i in seen),
            units=tuple(lookup.units_of_motion(model, [i for _, _, i in seen])),
            muscles=tuple(model.muscle_names),
            actions=tuple(env.action_names),
            has_target=type(env).target_velocity is not Env.target_velocity,
        )

    def entries(self) -> tuple[tuple[str, str], ...]:
        """Name and unit of each entry."""
        vectors = {
            "pelvis/up": "1",
            "pelvis/velocity": "m/s",
            "pelvis/angular_velocity": "rad/s",
        }
        for body in (*self.bodies, "mass_center"):
            vectors |= {f"{body}/position": "m", f"{body}/velocity": "m/s"}
        units = {
            name: unit for (_, _, name), unit in zip(self.coordinates, self.units, strict=True)
        }
        muscles = {"activation": "1", "fiber_length": "m", "fiber_velocity": "m/s"}
        targets = ("target", "target_miss") if self.has_target else ()
        return (
            ("pelvis/height", "m"),
            *((f"{name}/{axis}", unit) for name, unit in vectors.items() for axis in "xyz"),
            *((f"{body}/touch", "1") for body in self.bodies),
            *((f"{name}/value", unit) for name, unit in units.items()),
            *((f"{name}/speed", f"{unit}/s") for name, unit in units.items()),
            *((f"{own}/{kind}", unit) for kind, unit in muscles.items() for own in self.muscles),
            *((f"{name}/action", "1") for name in self.actions),
            *((f"{name}/{axis}", "m/s") for name in targets for axis in "xz"),
        )


class _Seen(NamedTuple):
    """What the entries are worked out from, in ground; arrays of NumPy or of JAX."""

    forward: Any  # [3] (1) the pelvis's axes
    up: Any  # [3] (1)
    pelvis: Any  # [3, 3] position (m), velocity (m/s), angular velocity (rad/s)
    position: Any  # [body and mass center, 3] (m)
    velocity: Any  # [body and mass center, 3] (m/s)
    value: Any  # [coordinate] (rad | m)
    speed: Any  # [coordinate]
    muscles: Any  # [3, muscle] activation (1), fiber length (m), fiber velocity (m/s)
    action: Any  # [action] (1)
    target: Any  # [3] (m/s), or None


def entries_of(seen: _Seen, xp: Any) -> Any:
    """The observation, `[entry]`, as `HeadingLayout.entries` names them.

    Args:
      seen: arrays.
      xp: `numpy` or `jax.numpy`, to which they belong.
    """
    turn = _into_heading(seen.forward, xp)
    place, velocity, angular_velocity = seen.pelvis
    from_pelvis = seen.position - place[None]
    # Bodies relative to the pelvis; the mass center's velocity is that in ground.
    speeds = xp.concatenate([seen.velocity[:-1] - velocity[None], seen.velocity[-1:]])
    vectors = [
        xp.stack([seen.up, velocity, angular_velocity]) @ turn.T,
        xp.stack([from_pelvis, speeds], axis=1).reshape(-1, 3) @ turn.T,
    ]
    depth = (_TOUCH_HEIGHT - seen.position[:-1, 1]) / _TOUCH_WIDTH
    parts = [
        place[1:2],
        *(part.reshape(-1) for part in vectors),
        0.5 + 0.5 * xp.tanh(0.5 * depth),
        seen.value,
        seen.speed,
        seen.muscles.reshape(-1),
        seen.action,
    ]
    if seen.target is not None:
        parts += [(turn @ seen.target)[::2], (turn @ (seen.target - velocity))[::2]]
    return xp.concatenate(parts)


def _into_heading(forward: Any, xp: Any) -> Any:
    """The rotation `[3, 3]` of ground vectors into the heading frame."""
    x, z = forward[0], forward[2]
    squared = x * x + z * z
    is_level = squared > _SMALLEST**2  # the pelvis does not point straight up or down
    size = xp.sqrt(xp.where(is_level, squared, 1.0))
    c, s = xp.where(is_level, x / size, 1.0), xp.where(is_level, z / size, 0.0)
    zero, one = 0.0 * c, 0.0 * c + 1.0
    return xp.stack([xp.stack([c, zero, s]), xp.stack([zero, one, zero]), xp.stack([-s, zero, c])])


def heading_observation(env: Env) -> tuple[Block, ...]:
    """The observation in the heading frame, for `make(..., observation=heading_observation)`.

    Args:
      env: the task.

    Raises:
      ValueError: the task's model has no pelvis.
    """
    layout = HeadingLayout.of(env)
    names, units = zip(*layout.entries(), strict=True)

    def read(now: Snapshot) -> jax.Array:
        return entries_of(_of_snapshot(layout, env, now), jnp)

    return (Block(names, units, read),)


def _of_snapshot(layout: HeadingLayout, env: Env, now: Snapshot) -> _Seen:
    """What the entries need, from a snapshot."""
    model, described = env.model, now.description
    bodies, center = described.bodies, described.mass_center
    pelvis = lookup.body(model, _PELVIS)
    index = lookup.places(lookup.body(model, name) for name in layout.bodies)
    places = lookup.places(lookup.coordinate(model, name) for *_, name in layout.coordinates)
    muscles = described.muscles
    order = np.argsort(env.muscle_order)  # the control of each action
    return _Seen(
        forward=bodies.rotation[pelvis, :, 0],
        up=bodies.rotation[pelvis, :, 1],
        pelvis=jnp.stack(
            [bodies.position[pelvis], bodies.velocity[pelvis], bodies.angular_velocity[pelvis]]
        ),
        position=jnp.concatenate([bodies.position[index], center.position[None]]),
        velocity=jnp.concatenate([bodies.velocity[index], center.velocity[None]]),
        value=described.coordinates.value[places],
        speed=described.coordinates.speed[places],
        muscles=jnp.stack([muscles.activation, muscles.fiber_length, muscles.fiber_velocity]),
        action=now.controls[order],
        target=env.target_velocity(now) if layout.has_target else None,
    )


def observe_dictionary(
    layout: HeadingLayout,
    described: Mapping[str, Any],
    action: Sequence[float],
    target: Sequence[float] | None,
) -> np.ndarray:
    """The same observation from osim-rl's `get_state_desc()`, `[entry]`, by NumPy alone.

    Args:
      layout: of the task.
      described: the nested dictionary.
      action: `[action]` (1), the latest one.
      target: `[3]` (m/s) target velocity of this instant; None where the task has none.
    """
    a, b, c = described["body_pos_rot"][_PELVIS]  # body-fixed XYZ
    (sa, sb, sc), (ca, cb, cc) = np.sin([a, b, c]), np.cos([a, b, c])
    kinds = ("body_pos", "body_vel", "body_vel_rot")
    misc = described["misc"]
    muscles = [described["muscles"][name] for name in layout.muscles]
    fields = ("activation", "fiber_length", "fiber_velocity")
    joints = [(joint, place) for joint, place, _ in layout.coordinates]
    seen = _Seen(
        forward=np.array([cb * cc, ca * sc + sa * sb * cc, sa * sc - ca * sb * cc]),
        up=np.array([-cb * sc, ca * cc - sa * sb * sc, sa * cc + ca * sb * sc]),
        pelvis=np.array([described[kind][_PELVIS] for kind in kinds]),
        position=np.array(
            [*(described["body_pos"][name] for name in layout.bodies), misc["mass_center_pos"]]
        ),
        velocity=np.array(
            [*(described["body_vel"][name] for name in layout.bodies), misc["mass_center_vel"]]
        ),
        value=np.array([described["joint_pos"][joint][place] for joint, place in joints]),
        speed=np.array([described["joint_vel"][joint][place] for joint, place in joints]),
        muscles=np.array([[muscle[field] for muscle in muscles] for field in fields]),
        action=np.array(action, float),
        target=np.array(target, float) if layout.has_target else None,
    )
    return entries_of(seen, np)
