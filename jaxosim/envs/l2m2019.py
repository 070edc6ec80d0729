"""L2M2019Env: walk along a field of target velocities, with little effort and in steps.

Source: osim-rl 3.0.11 `L2M2019Env`, of the NeurIPS 2019 challenge "Learn to Move: Walk Around".
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.linalg import dot
from jaxosim.arrays.safe import safe_norm
from jaxosim.checks import check_choice, check_finite
from jaxosim.envs import lookup
from jaxosim.envs.episode import EnvState, Snapshot, Terms, Transition
from jaxosim.envs.l2m2019_observation import body_blocks, ground_force
from jaxosim.envs.observation import Block
from jaxosim.envs.target_field import (
    GRID,
    TargetField,
    draw_sink,
    first_field,
    follow,
    local_field,
    target_velocity,
)
from jaxosim.envs.walking import GAIT_MODELS, VARIANTS, WalkingEnv
from jaxosim.outputs import StateDescription
from jaxosim.pytree import array, pytree
from jaxosim.types import Params, State

_SMALLEST_TARGET = 0.1  # m/s: a smaller target has no clear direction
_TIME_LIMITS = {0: 1000, 1: 1000, 2: 1000, 3: 2500}
_ROUND_2 = 3  # the difficulty that is Round 2
_NUMBERS = (  # options
    *("alive_reward", "footstep_weight", "effort_weight"),
    *("success_reward", "target_reward", "contact_load", "least_footsteps"),
)
# The initial pose: coordinate and sign of each of the twelve numbers.
_POSE = (
    *(("pelvis_ty", 1), ("pelvis_tilt", -1)),
    *(("hip_adduction_r", -1), ("hip_flexion_r", -1), ("knee_angle_r", 1), ("ankle_angle_r", -1)),
    *(("hip_adduction_l", -1), ("hip_flexion_l", -1), ("knee_angle_l", 1), ("ankle_angle_l", -1)),
)
_RESTING = ("pelvis_tx", "pelvis_tz", "pelvis_list", "pelvis_rotation")
DEFAULT_POSE = (0.0, 0.0, 0.94, *([0.0] * 9))
# osim-rl's order of muscles in an action, which is not that of the file: for each leg.
_ACTION_ORDER = (
    "abd add iliopsoas glut_max hamstrings rect_fem vasti bifemsh gastroc soleus tib_ant"
)


@pytree
class WalkTask:
    """The task state: the target field and what the next footstep is rewarded for."""

    field: TargetField = dataclasses.field()
    target_achieved: jax.Array = array(unit="1")  # bool, in the step before
    footstep_count: jax.Array = array(unit="1")  # int32
    footstep_new: jax.Array = array(unit="1")  # bool, in the step before
    contact: jax.Array = array(2, unit="1")  # bool, of the right and the left foot
    effort: jax.Array = array(unit="s")  # squared activations over time, since the last footstep
    time: jax.Array = array(unit="s")  # since the last footstep
    deviation: jax.Array = array(2, unit="m")  # from the target velocity over time, likewise


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class L2M2019Env(WalkingEnv):
    """Walk to targets.

    Attributes:
      variant: "3D", or "2D" for the sagittal plane.
      difficulty: 0 straight ahead at constant speed, 1 targets ahead, 2 targets to the sides,
        3 two targets in any direction (Round 2).
      init_pose: twelve numbers: forward and rightward speed (m/s), pelvis height (m), trunk lean,
        then for the right and the left leg: hip abduction, hip flexion, knee extension, ankle
        flexion (rad), with osim-rl's signs.
      alive_reward: (1) of each control step.
      footstep_weight: (1/s) of the time of each footstep.
      effort_weight: (1/s) of the squared activations over time of each footstep.
      velocity_weight: (1/m) of the deviation from the target velocity over time of each footstep;
        1 in Round 1 and 3 in Round 2 if None.
      success_reward: (1) of an episode of Round 1 that reaches the time limit.
      target_reward: (1) of each target achieved, in Round 2.
      contact_load: (1) body weights on a foot from which on it is on the ground.
      least_footsteps: more of them are needed for a successful end of Round 2.
    """

    draws_in_step: ClassVar[bool] = True
    variant: str = "3D"
    difficulty: int = 3
    init_pose: Sequence[float] = DEFAULT_POSE
    alive_reward: float = 0.1
    footstep_weight: float = 10.0
    effort_weight: float = 1.0
    velocity_weight: float | None = None
    success_reward: float = 10.0
    target_reward: float = 500.0
    contact_load: float = 0.05
    least_footsteps: int = 5

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
          ValueError: an option is none of those expected.
        """
        check_choice("variant", self.variant, VARIANTS)
        check_choice("difficulty", self.difficulty, tuple(_TIME_LIMITS))
        count = len(DEFAULT_POSE)
        if np.shape(self.init_pose) != (count,) or not np.isfinite(self.init_pose).all():
            raise ValueError(f"init_pose: expected {count} finite numbers, got {self.init_pose!r}")
        for option in _NUMBERS:
            check_finite(option, getattr(self, option))
        if self.velocity_weight is not None:
            check_finite("velocity_weight", self.velocity_weight)
        super().__post_init__()

    @property
    def _is_round_2(self) -> bool:
        return self.difficulty == _ROUND_2

    @property
    def model_name(self) -> str:
        """Of the bundled model."""
        return GAIT_MODELS[self.variant, False]

    @property
    def default_time_limit(self) -> int:
        """Control steps of an episode: 1000, in Round 2 2500."""
        return _TIME_LIMITS[self.difficulty]

    @functools.cached_property
    def muscle_order(self) -> np.ndarray:
        """For each control its place in the action, `[control]`."""
        return lookup.places(self.action_names.index(name) for name in self.model.control_names)

    @functools.cached_property
    def action_names(self) -> tuple[str, ...]:
        """Names of the action's entries: of the right leg, then of the left."""
        return tuple(f"{muscle}_{side}" for side in "rl" for muscle in _ACTION_ORDER.split())

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """339 entries; with `observation="dict"`, osim-rl's dictionary."""
        entries = range(GRID)
        names = tuple(f"v_tgt_field/{k}/{i}/{j}" for k in (0, 1) for i in entries for j in entries)

        def read(now: Snapshot) -> jax.Array:
            pose = self.pose_of(now.description)
            return local_field(now.task_state.field, pose, self.difficulty).reshape(-1)

        field = Block(names, ("m/s",) * len(names), read, low=-10.0, high=10.0)
        assert self.params is not None
        return (field, *body_blocks(self.model, self.params))

    def pose_of(self, description: StateDescription) -> jax.Array:
        """Where the agent is on the map, `[3]` (m, m, rad): x forward, y to the left, heading."""
        place = description.bodies.position[lookup.body(self.model, "pelvis")]
        heading = description.coordinates.value[lookup.coordinate(self.model, "pelvis_rotation")]
        return jnp.stack([place[0], -place[2], heading])

    def target_velocity(self, now: EnvState | Snapshot) -> jax.Array:
        """The target field's velocity where the pelvis is."""
        x, z = (lookup.coordinate(self.model, name) for name in ("pelvis_tx", "pelvis_tz"))
        place = jnp.stack([now.state.q[x], -now.state.q[z]])
        forward, left = target_velocity(now.task_state.field, place, self.difficulty)
        return jnp.stack([forward, jnp.zeros_like(forward), -left])

    def target_heading(self, now: EnvState | Snapshot) -> jax.Array:
        """The direction of the target velocity; where that is almost zero, the pelvis's own."""
        target = self.target_velocity(now)[np.array([0, 2])]
        own = -now.state.q[lookup.coordinate(self.model, "pelvis_rotation")]
        is_clear = dot(target, target) > _SMALLEST_TARGET**2
        forward, right = jnp.where(is_clear, target, jnp.array([1.0, 0.0], target.dtype))
        # From the pelvis's own heading, which is not bounded: nowhere more than half a turn off.
        c, s = jnp.cos(own), jnp.sin(own)
        turn = jnp.arctan2(c * right - s * forward, c * forward + s * right)
        return own + jnp.where(is_clear, turn, 0.0)

    def initial_pose(self, params: Params) -> tuple[jax.Array, jax.Array]:
        """`init_pose` as coordinates and speeds, `[coordinate]`; the rest as the model has it."""
        q = params.coordinates.default_value
        places = np.array([lookup.coordinate(self.model, name) for name, _ in _POSE])
        signs = np.array([sign for _, sign in _POSE])
        pose = np.asarray(self.init_pose, float)
        q = q.at[places].set(jnp.asarray(signs * pose[2:], q.dtype))
        q = q.at[np.array([lookup.coordinate(self.model, name) for name in _RESTING])].set(0.0)
        ahead = np.array([lookup.coordinate(self.model, n) for n in ("pelvis_tx", "pelvis_tz")])
        return q, jnp.zeros_like(q).at[ahead].set(jnp.asarray(pose[:2], q.dtype))

    def init_task(self, key: jax.Array, state: State, description: StateDescription) -> WalkTask:
        """Draw the field; both feet count as on the ground, so that no footstep is made at once."""
        own, first, second = jax.random.split(key, 3)
        draw, next_draw = (draw_sink(one, self.difficulty, state.q) for one in (first, second))
        field = first_field(draw, next_draw, own)
        field, achieved = follow(
            field, self.pose_of(description), self.difficulty, self.options.step_size
        )
        zero = jnp.zeros_like(state.time)
        return WalkTask(
            field=field,
            target_achieved=achieved,
            footstep_count=jnp.zeros((), jnp.int32),
            footstep_new=jnp.zeros((), bool),
            contact=jnp.ones(2, bool),
            effort=zero,
            time=zero,
            deviation=jnp.zeros_like(zero, shape=2),
        )

    def reward_terms(self, transition: Transition) -> tuple[Terms, WalkTask]:
        """Rewards for being alive and for footsteps, less effort and deviation in each of them.

        As in osim-rl, footsteps and targets count one step after they have been made: its reward
        comes before it looks where the feet and the agent are.
        """
        now = transition.after
        task = self._accumulated(now.task_state, now.description)
        survived = transition.truncated & ~transition.terminated
        pays = task.footstep_new
        if self._is_round_2:
            pays |= survived & (task.footstep_count > self.least_footsteps)
        terms = {
            "alive": jnp.full_like(task.time, self.alive_reward),
            "footstep": jnp.where(pays, self.footstep_term(task), 0.0),
            "effort": jnp.where(pays, self.effort_term(task), 0.0),
            "velocity": jnp.where(pays, self.velocity_term(task), 0.0),
            "bonus": self.bonus_term(task, survived),
        }
        terms = {name: term.astype(task.time.dtype) for name, term in terms.items()}
        task = dataclasses.replace(
            task,
            effort=jnp.where(pays, 0.0, task.effort),
            time=jnp.where(pays, 0.0, task.time),
            deviation=jnp.where(pays, 0.0, task.deviation),
        )
        return terms, self._observed(task, now.description)

    def footstep_term(self, task: WalkTask) -> jax.Array:
        """Reward (1) of a footstep, by the time that it took."""
        return self.footstep_weight * task.time

    def effort_term(self, task: WalkTask) -> jax.Array:
        """Reward (1) of a footstep for its effort, not above 0."""
        return -self.effort_weight * task.effort

    def velocity_term(self, task: WalkTask) -> jax.Array:
        """Reward (1) of a footstep for its deviation from the target velocity, not above 0."""
        weight = self.velocity_weight
        if weight is None:
            weight = 3.0 if self._is_round_2 else 1.0
        return -weight * safe_norm(task.deviation)

    def bonus_term(self, task: WalkTask, survived: jax.Array) -> jax.Array:
        """Reward (1) of a target achieved (Round 2), or of an episode survived (Round 1)."""
        if self._is_round_2:
            return jnp.where(task.target_achieved, self.target_reward, 0.0)
        # osim-rl differs: it fails (UnboundLocalError) where Round 1 ends between footsteps.
        return jnp.where(survived, self.footstep_term(task) + self.success_reward, 0.0)

    def _accumulated(self, task: WalkTask, description: StateDescription) -> WalkTask:
        """Effort, time and deviation with those of the latest control step."""
        step_size = self.options.step_size
        activation = description.muscles.activation
        velocity = self.pelvis_velocity(description)
        target = target_velocity(task.field, self.pose_of(description)[:2], self.difficulty)
        miss = jnp.stack([velocity[0], -velocity[2]]) - target
        return dataclasses.replace(
            task,
            effort=task.effort + jnp.sum(activation * activation) * step_size,
            time=task.time + step_size,
            deviation=task.deviation + miss * step_size,
        )

    def _observed(self, task: WalkTask, description: StateDescription) -> WalkTask:
        """Footsteps and targets as they are after a control step."""
        load = jnp.stack([ground_force(self.model, description, side)[1] for side in "rl"])
        contact = -load > self.contact_load
        new = jnp.any(contact & ~task.contact)
        field, achieved = follow(
            task.field, self.pose_of(description), self.difficulty, self.options.step_size
        )
        return dataclasses.replace(
            task,
            field=field,
            target_achieved=achieved,
            footstep_count=task.footstep_count + new.astype(jnp.int32),
            footstep_new=new,
            contact=contact,
        )

    def extend_state_desc(self, entries: dict[str, Any], es: EnvState) -> dict[str, Any]:
        """The field around the agent, `v_tgt_field` `[2, 11, 11]`."""
        pelvis = entries["body_pos"]["pelvis"]
        heading = entries["joint_pos"]["ground_pelvis"][2]
        pose = jnp.asarray([pelvis[0], -pelvis[2], heading], es.reward.dtype)
        field = local_field(es.task_state.field, pose, self.difficulty)
        return {**entries, "v_tgt_field": np.asarray(field)}
