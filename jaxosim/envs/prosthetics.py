"""ProstheticsEnv: walk with a prosthesis, at 3 m/s (Round 1) or at a changing velocity (Round 2).

Source: osim-rl 2.1.0 `ProstheticsEnv`, of the NeurIPS 2018 challenge "AI for Prosthetics".
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.checks import check_choice
from jaxosim.envs import lookup
from jaxosim.envs.base import Env
from jaxosim.envs.episode import EnvState, Moment, Terms, Transition
from jaxosim.envs.observation import Block
from jaxosim.envs.targets import TargetTrack, draw_track, velocity_at
from jaxosim.outputs import StateDescription
from jaxosim.pytree import pytree
from jaxosim.types import State

_MODELS = {
    ("3D", True): "gait14dof22musc_pros",
    ("3D", False): "gait14dof22musc",
    ("2D", True): "gait14dof22musc_planar_pros",
    ("2D", False): "gait14dof22musc_planar",
}
_ROUND_1_SPEED = 3.0  # m/s
_TIME_LIMITS = {0: 300, 1: 1000}
_LOWEST_PELVIS = 0.6  # m
_MOTION = ("x", "y", "vx", "vy", "ax", "ay", "rz", "vrz", "arz")
_MOTION_UNITS = ("m", "m", "m/s", "m/s", "m/s²", "m/s²", "rad", "rad/s", "rad/s²")
_RELATIVE = {"x": "x_from_pelvis", "y": "y_from_pelvis", "rz": "rz_from_pelvis"}
_BODIES = ("head", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_LOST_BODIES = ("toes_r", "talus_r")  # to the prosthesis: zeros on the wire
_JOINTS = ("ankle_l", "ankle_r", "back", "hip_l", "hip_r", "knee_l", "knee_r")


@pytree
class ProstheticsTask:
    """The targets of an episode, and how far it is."""

    track: TargetTrack = dataclasses.field()
    step: jax.Array = dataclasses.field()  # int32, control steps since reset


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ProstheticsEnv(Env):
    """Walk with a prosthetic right leg, or on two sound ones.

    Attributes:
      model: "3D", or "2D" for the sagittal plane.
      prosthetic: whether the right lower leg is a prosthesis.
      difficulty: 0 for Round 1 (3 m/s), 1 for Round 2 (the target velocity changes).
      observe_target: append the target velocity, which osim-rl's vector leaves out.
    """

    model: str = "3D"
    prosthetic: bool = True
    difficulty: int = 0
    observe_target: bool = False

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_choice("model", self.model, ("3D", "2D"))
        check_choice("prosthetic", self.prosthetic, (True, False))
        check_choice("difficulty", self.difficulty, (0, 1))
        check_choice("observe_target", self.observe_target, (True, False))
        super().__post_init__()

    @property
    def model_name(self) -> str:
        """Of the bundled model."""
        return _MODELS[self.model, bool(self.prosthetic)]

    @property
    def default_time_limit(self) -> int:
        """Control steps of an episode: 300 in Round 1, 1000 in Round 2."""
        return _TIME_LIMITS[self.difficulty]

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """160 entries with the prosthesis, 169 without; 3 more with `observe_target`."""
        blocks = [
            self._pelvis(),
            *(self._body(name) for name in _BODIES),
            *(self._joint(name) for name in _JOINTS),
            self._muscles(),
            self._mass_center(),
        ]
        if self.observe_target:
            names = ("target_vel/0", "target_vel/1", "target_vel/2")
            blocks.append(Block(names, ("m/s",) * 3, lambda now: self.target_velocity(now.task)))
        return tuple(blocks)

    def _pelvis(self) -> Block:
        """The pelvis, without its forward position."""
        index = lookup.body(self.structure, "pelvis")
        names = tuple(f"pelvis/{name}" for name in _MOTION[1:])
        return Block(names, _MOTION_UNITS[1:], lambda now: _motion(now, index)[1:])

    def _body(self, name: str) -> Block:
        """A body in the sagittal plane; position and angle are relative to the pelvis."""
        names = tuple(f"{name}/{_RELATIVE.get(entry, entry)}" for entry in _MOTION)
        if self.prosthetic and name in _LOST_BODIES:
            return Block(names, _MOTION_UNITS, lambda now: jnp.zeros_like(now.state.q, shape=9))
        index = lookup.body(self.structure, name)
        pelvis = lookup.body(self.structure, "pelvis")
        relative = np.array([entry in _RELATIVE for entry in _MOTION])

        def read(now: Moment) -> jax.Array:
            motion = _motion(now, index)
            return jnp.where(relative, motion - _motion(now, pelvis), motion)

        return Block(names, _MOTION_UNITS, read)

    def _joint(self, name: str) -> Block:
        """Values, then speeds, then accelerations of a joint's coordinates."""
        index = lookup.places(lookup.coordinates_of(self.structure, name))
        kinds = ("value", "speed", "acceleration")
        coordinates = [self.structure.coordinate_names[i] for i in index]
        names = tuple(f"{name}/{kind}/{c}" for kind in kinds for c in coordinates)
        units = tuple(unit for unit in ("rad", "rad/s", "rad/s²") for _ in index)

        def read(now: Moment) -> jax.Array:
            motion = now.description.coordinates
            columns = jnp.stack([motion.value, motion.speed, motion.acceleration])
            return columns[:, index].reshape(-1)

        return Block(names, units, read)

    def _muscles(self) -> Block:
        """Activation, fiber length and fiber velocity of each muscle, in alphabetical order."""
        order = lookup.alphabetical_muscle_order(self.structure)
        kinds = {"activation": "1", "fiber_length": "m", "fiber_velocity": "m/s"}
        names = tuple(f"{self.structure.muscle_names[i]}/{kind}" for i in order for kind in kinds)

        def read(now: Moment) -> jax.Array:
            muscles = now.description.muscles
            columns = (muscles.activation, muscles.fiber_length, muscles.fiber_velocity)
            return jnp.stack([column[order] for column in columns], axis=1).reshape(-1)

        return Block(names, tuple(kinds.values()) * len(order), read)

    def _mass_center(self) -> Block:
        """Mass center: position from the pelvis in the sagittal plane, velocity, acceleration."""
        pelvis = lookup.body(self.structure, "pelvis")
        entries = ("x_from_pelvis", "y_from_pelvis", "vx", "vy", "vz", "ax", "ay", "az")
        names = tuple(f"mass_center/{entry}" for entry in entries)

        def read(now: Moment) -> jax.Array:
            center, bodies = now.description.mass_center, now.description.bodies
            offset = center.position[:2] - bodies.position[pelvis, :2]
            return jnp.concatenate([offset, center.velocity, center.acceleration])

        return Block(names, ("m", "m", *["m/s"] * 3, *["m/s²"] * 3), read)

    def begin(self, key: jax.Array, state: State, description: StateDescription) -> ProstheticsTask:
        """Draw the targets."""
        return ProstheticsTask(track=draw_track(key, state.q), step=jnp.zeros((), jnp.int32))

    def target_velocity(self, task: ProstheticsTask) -> jax.Array:
        """Target velocity `[3]` (m/s) of this instant."""
        return velocity_at(task.track, task.step)

    def score(self, transition: Transition) -> tuple[Terms, ProstheticsTask]:
        """Round 1: 9 − (v − 3)². Round 2: 10, less effort and the miss of the target velocity."""
        now = transition.after
        task = dataclasses.replace(now.task, step=now.task.step + 1)
        velocity = now.description.bodies.velocity[lookup.body(self.structure, "pelvis")]
        if self.difficulty == 0:
            miss = velocity[0] - _ROUND_1_SPEED
            return {"survival": jnp.full_like(miss, 9.0), "velocity": -miss * miss}, task
        miss = (velocity - self.target_velocity(task))[jnp.array([0, 2])]
        activation = now.description.muscles.activation
        return {
            "survival": jnp.full_like(miss[0], 10.0),
            "effort": -0.001 * jnp.sum(activation * activation),
            "velocity": -jnp.sum(miss * miss),
        }, task

    def asked_velocity(self, es: EnvState) -> jax.Array:
        """Round 1: 3 m/s forward. Round 2: the target of this instant."""
        if self.difficulty == 0:
            return jnp.array([_ROUND_1_SPEED, 0.0, 0.0], es.state.q.dtype)
        return self.target_velocity(es.task)

    def has_ended(self, description: StateDescription) -> jax.Array:
        """Whether the pelvis is below 0.6 m."""
        pelvis = lookup.body(self.structure, "pelvis")
        return description.bodies.position[pelvis, 1] < _LOWEST_PELVIS

    def extend_entries(self, entries: dict[str, Any], es: Any) -> dict[str, Any]:
        """Round 2 has `target_vel`."""
        if self.difficulty == 0:
            return entries
        return {**entries, "target_vel": np.asarray(self.target_velocity(es.task)).tolist()}


def _motion(now: Moment, body: int) -> jax.Array:
    """The nine numbers of a body, `[9]`, as `_MOTION` names them."""
    bodies = now.description.bodies
    plane = [bodies.position, bodies.velocity, bodies.acceleration]
    about_z = [bodies.angles, bodies.angular_velocity, bodies.angular_acceleration]
    return jnp.concatenate(
        [column[body, :2] for column in plane] + [column[body, 2:] for column in about_z]
    )
