"""ProstheticsEnv: walk with a prosthesis, at 3 m/s (Round 1) or at a changing velocity (Round 2).

Source: osim-rl 2.1.0 `ProstheticsEnv`, of the NeurIPS 2018 challenge "AI for Prosthetics".
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.checks import check_choice, check_finite, check_functions
from jaxosim.envs import lookup
from jaxosim.envs.episode import EnvState, Snapshot, Terms, Transition
from jaxosim.envs.observation import Block
from jaxosim.envs.targets import TargetTrack, draw_track, speed_and_heading, velocity_at
from jaxosim.envs.walking import GAIT_MODELS, VARIANTS, WalkingEnv
from jaxosim.osim_rl.constants import OSIM_RL_STEP
from jaxosim.outputs import StateDescription
from jaxosim.pytree import pytree
from jaxosim.types import State

_TIME_LIMITS = {0: 300, 1: 1000}
_SURVIVAL_REWARDS = {0: 9.0, 1: 10.0}
_ROUNDING = 1e-3  # of a control step: 0.29 s is 28.999999999999996 times 0.01 s
_MOTION = ("x", "y", "vx", "vy", "ax", "ay", "rz", "vrz", "arz")
_MOTION_UNITS = ("m", "m", "m/s", "m/s", "m/s²", "m/s²", "rad", "rad/s", "rad/s²")
_RELATIVE = {"x": "x_from_pelvis", "y": "y_from_pelvis", "rz": "rz_from_pelvis"}
_BODIES = ("head", "torso", "toes_l", "toes_r", "talus_l", "talus_r")
_LOST_BODIES = ("toes_r", "talus_r")  # to the prosthesis: zeros in the observation
_JOINTS = ("ankle_l", "ankle_r", "back", "hip_l", "hip_r", "knee_l", "knee_r")


@pytree
class ProstheticsTask:
    """The targets of an episode, and how far it is."""

    track: TargetTrack = dataclasses.field()
    step: jax.Array = dataclasses.field()  # int32, control steps since reset


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ProstheticsEnv(WalkingEnv):
    """Walk with a prosthetic right leg, or on two sound ones.

    Attributes:
      variant: "3D", or "2D" for the sagittal plane.
      prosthetic: whether the right lower leg is a prosthesis.
      difficulty: 0 for Round 1 (3 m/s), 1 for Round 2 (the target velocity changes).
      observe_target: append the target velocity, which osim-rl's vector leaves out.
      speed: (m/s) forward, the target of Round 1.
      targets: `(key, like) -> TargetTrack`, draws the targets of an episode of Round 2; osim-rl's
        if None, see `targets.py`.
      survival_reward: (1) of each control step; 9 in Round 1 and 10 in Round 2 if None.
      effort_weight: (1) of the sum of squared activations, in Round 2.
      velocity_weight: (s²/m²) of the squared deviation from the target velocity.
    """

    variant: str = "3D"
    prosthetic: bool = True
    difficulty: int = 0
    observe_target: bool = False
    speed: float = 3.0
    targets: Callable[[jax.Array, jax.Array], TargetTrack] | None = None
    survival_reward: float | None = None
    effort_weight: float = 0.001
    velocity_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_choice("variant", self.variant, VARIANTS)
        check_choice("prosthetic", self.prosthetic, (True, False))
        check_choice("difficulty", self.difficulty, (0, 1))
        check_choice("observe_target", self.observe_target, (True, False))
        for option in ("speed", "effort_weight", "velocity_weight"):
            check_finite(option, getattr(self, option))
        if self.survival_reward is not None:
            check_finite("survival_reward", self.survival_reward)
        check_functions(self, ("targets",))
        super().__post_init__()

    @property
    def model_name(self) -> str:
        """Of the bundled model."""
        return GAIT_MODELS[self.variant, bool(self.prosthetic)]

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
            blocks.append(Block(names, ("m/s",) * 3, lambda now: self.target_of(now.task_state)))
        return tuple(blocks)

    def _pelvis(self) -> Block:
        """The pelvis, without its forward position."""
        index = lookup.body(self.model, "pelvis")
        names = tuple(f"pelvis/{name}" for name in _MOTION[1:])
        return Block(names, _MOTION_UNITS[1:], lambda now: _motion(now, index)[1:])

    def _body(self, name: str) -> Block:
        """A body in the sagittal plane; position and angle are relative to the pelvis."""
        names = tuple(f"{name}/{_RELATIVE.get(entry, entry)}" for entry in _MOTION)
        if self.prosthetic and name in _LOST_BODIES:
            return Block(names, _MOTION_UNITS, lambda now: jnp.zeros_like(now.state.q, shape=9))
        index = lookup.body(self.model, name)
        pelvis = lookup.body(self.model, "pelvis")
        relative = np.array([entry in _RELATIVE for entry in _MOTION])

        def read(now: Snapshot) -> jax.Array:
            motion = _motion(now, index)
            return jnp.where(relative, motion - _motion(now, pelvis), motion)

        return Block(names, _MOTION_UNITS, read)

    def _joint(self, name: str) -> Block:
        """Values, then speeds, then accelerations of a joint's coordinates."""
        index = lookup.places(lookup.coordinates_of(self.model, name))
        kinds = ("value", "speed", "acceleration")
        coordinates = [self.model.coordinate_names[i] for i in index]
        names = tuple(f"{name}/{kind}/{c}" for kind in kinds for c in coordinates)
        units = tuple(unit for unit in ("rad", "rad/s", "rad/s²") for _ in index)

        def read(now: Snapshot) -> jax.Array:
            motion = now.description.coordinates
            columns = jnp.stack([motion.value, motion.speed, motion.acceleration])
            return columns[:, index].reshape(-1)

        return Block(names, units, read)

    def _muscles(self) -> Block:
        """Activation, fiber length and fiber velocity of each muscle, in alphabetical order."""
        order = lookup.alphabetical_muscle_order(self.model)
        kinds = {"activation": "1", "fiber_length": "m", "fiber_velocity": "m/s"}
        names = tuple(f"{self.model.muscle_names[i]}/{kind}" for i in order for kind in kinds)

        def read(now: Snapshot) -> jax.Array:
            muscles = now.description.muscles
            columns = (muscles.activation, muscles.fiber_length, muscles.fiber_velocity)
            return jnp.stack([column[order] for column in columns], axis=1).reshape(-1)

        return Block(names, tuple(kinds.values()) * len(order), read)

    def _mass_center(self) -> Block:
        """Mass center: position from the pelvis in the sagittal plane, velocity, acceleration."""
        pelvis = lookup.body(self.model, "pelvis")
        entries = ("x_from_pelvis", "y_from_pelvis", "vx", "vy", "vz", "ax", "ay", "az")
        names = tuple(f"mass_center/{entry}" for entry in entries)

        def read(now: Snapshot) -> jax.Array:
            center, bodies = now.description.mass_center, now.description.bodies
            offset = center.position[:2] - bodies.position[pelvis, :2]
            return jnp.concatenate([offset, center.velocity, center.acceleration])

        return Block(names, ("m", "m", *["m/s"] * 3, *["m/s²"] * 3), read)

    def init_task(
        self, key: jax.Array, state: State, description: StateDescription
    ) -> ProstheticsTask:
        """Draw the targets."""
        draw = draw_track if self.targets is None else self.targets
        return ProstheticsTask(track=draw(key, state.q), step=jnp.zeros((), jnp.int32))

    def target_of(self, task: ProstheticsTask) -> jax.Array:
        """Target velocity `[3]` (m/s) of this instant."""
        return velocity_at(task.track, self._osim_rl_step(task))

    def _osim_rl_step(self, task: ProstheticsTask) -> jax.Array:
        """The control step of osim-rl's 0.01 s that this instant is in, int32."""
        ratio = self.options.step_size / OSIM_RL_STEP
        elapsed = task.step.astype(task.track.speed_change.dtype) * ratio
        return jnp.floor(elapsed + _ROUNDING).astype(jnp.int32)

    def reward_terms(self, transition: Transition) -> tuple[Terms, ProstheticsTask]:
        """Round 1: 9 − (v − 3)². Round 2: 10, less effort and deviation from the target.

        The numbers are those of the options' defaults.
        """
        now = transition.after
        task = dataclasses.replace(now.task_state, step=now.task_state.step + 1)
        deviation = self.squared_deviation(now.description, task)
        terms = {"survival": jnp.full_like(deviation, self._survival_reward)}
        if self.difficulty == 1:
            terms["effort"] = -self.effort_weight * self.effort(now.description)
        terms["velocity"] = -self.velocity_weight * deviation
        return terms, task

    @property
    def _survival_reward(self) -> float:
        own = self.survival_reward
        return _SURVIVAL_REWARDS[self.difficulty] if own is None else own

    def effort(self, description: StateDescription) -> jax.Array:
        """Sum of the squared activations (1)."""
        activation = description.muscles.activation
        return jnp.sum(activation * activation)

    def squared_deviation(self, description: StateDescription, task: ProstheticsTask) -> jax.Array:
        """Squared deviation (m²/s²) of the pelvis's velocity from the target.

        Forward only in Round 1, in the horizontal plane in Round 2.
        """
        velocity = self.pelvis_velocity(description)
        if self.difficulty == 0:
            miss = velocity[0] - self.speed
            return miss * miss
        miss = (velocity - self.target_of(task))[jnp.array([0, 2])]
        return jnp.sum(miss * miss)

    def target_velocity(self, now: EnvState | Snapshot) -> jax.Array:
        """Round 1: `speed` forward. Round 2: the target of this instant."""
        if self.difficulty == 0:
            return jnp.array([self.speed, 0.0, 0.0], now.state.q.dtype)
        return self.target_of(now.task_state)

    def target_heading(self, now: EnvState | Snapshot) -> jax.Array:
        """Round 1: forward. Round 2: the heading of the target, also where it is walked back."""
        if self.difficulty == 0:
            return super().target_heading(now)
        task = now.task_state
        return speed_and_heading(task.track, self._osim_rl_step(task))[1]

    def extend_state_desc(self, entries: dict[str, Any], es: Any) -> dict[str, Any]:
        """Round 2 has `target_vel`."""
        if self.difficulty == 0:
            return entries
        return {**entries, "target_vel": np.asarray(self.target_of(es.task_state)).tolist()}


def _motion(now: Snapshot, body: int) -> jax.Array:
    """The nine numbers of a body, `[9]`, as `_MOTION` names them."""
    bodies = now.description.bodies
    plane = [bodies.position, bodies.velocity, bodies.acceleration]
    about_z = [bodies.angles, bodies.angular_velocity, bodies.angular_acceleration]
    return jnp.concatenate(
        [column[body, :2] for column in plane] + [column[body, 2:] for column in about_z]
    )
