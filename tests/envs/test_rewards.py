"""Reward terms and endings for training, each at an instant that shows what it is for."""

import dataclasses
import functools
import pickle
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs import rewards
from jaxosim.envs.endings import Fallen
from jaxosim.envs.episode import Snapshot, Transition
from jaxosim.envs.gait_cycle import textbook_gait
from jaxosim.envs.prosthetics import ProstheticsTask
from jaxosim.envs.targets import WideTargets
from jaxosim.state_variables import default_states

STEP = 0.04


@pytest.fixture(scope="module")
def env():
    return jaxosim.make(
        "ProstheticsEnv",
        difficulty=1,
        options=jaxosim.Options(step_size=STEP, substeps=10),
        targets=WideTargets(1.25, 1.25, heading_change=0.0),
    )


def described(env, q, loads=(0.0, 0.0), lead=0.0, limit=0.0, slide=(0.0, 0.0, 0.0)):
    """As much of a description as the terms read: bodies, contact and limit forces.

    The left heel moves with the velocity `slide`.
    """
    model = env.model
    position = still = jnp.zeros((len(model.body_names), 3))
    position = position.at[model.body_names.index("pelvis"), 1].set(place(env, q, "pelvis_ty"))
    for name, ahead in (("calcn_l", lead), ("toes_l", lead), ("pros_foot_r", 0.0)):
        body = model.body_names.index(name)
        spheres = np.flatnonzero(np.asarray(model.contacts.geometry_body) == body)
        middle = jnp.mean(env.params.contacts.location[spheres, 0])
        position = position.at[body, 0].set(ahead - middle)
    rotation = jnp.zeros((len(model.body_names), 3, 3)) + jnp.eye(3)[None]
    force = jnp.zeros((len(model.contacts.geometry_names), 3))
    for name, load in zip(("l_heel", "r_pros_heel"), loads, strict=True):
        force = force.at[model.contacts.geometry_names.index(name), 1].set(load)
    return types.SimpleNamespace(
        bodies=types.SimpleNamespace(
            position=position,
            rotation=rotation,
            velocity=still.at[model.body_names.index("calcn_l")].set(jnp.array(slide)),
            angular_velocity=still,
        ),
        forces={
            "contacts": types.SimpleNamespace(force=force),
            "limits": types.SimpleNamespace(force=jnp.array([limit, -limit])),
        },
        muscles=types.SimpleNamespace(activation=jnp.full(19, 0.5)),
    )


def place(env, q, name):
    return q[env.model.coordinate_names.index(name)]


def transition(env, before=None, controls=0.3, previous=0.1, start=None, **now):
    """A control step between two poses; `now` are coordinates, and arguments of `described`."""
    model, count = env.model, len(env.model.coordinate_names)
    told = {name: now.pop(name) for name in ("loads", "lead", "limit", "slide") if name in now}
    poses = []
    for changes in (before or {}, now):
        q = jnp.asarray(env.params.coordinates.default_value)
        for name, value in changes.items():
            q = q.at[model.coordinate_names.index(name)].set(value)
        poses.append(q)
    states = [
        jaxosim.State(
            time=jnp.zeros(()),
            q=q,
            u=jnp.zeros(count),
            **default_states(env.params),
        )
        for q in poses
    ]
    track = WideTargets(1.25, 1.25, heading_change=0.0)(jax.random.key(0), jnp.zeros(()))
    task = ProstheticsTask(track=track, step=jnp.int32(0))
    used = jnp.full(19, controls)
    return Transition(
        before=states[0],
        after=Snapshot(states[1], described(env, poses[1], **told), task, used, env),
        controls=used,
        previous_controls=jnp.full(19, previous),
        terminated=jnp.zeros((), bool),
        truncated=jnp.zeros((), bool),
        describe_before=lambda: described(env, poses[0], **(start or {})),
    )


def test_velocity_is_one_at_the_target_and_falls_off_with_the_square_of_the_miss(env):
    at_target = transition(env, pelvis_tx=1.25 * STEP)
    assert rewards.velocity(at_target) == pytest.approx(1.0)
    sideways = transition(env, pelvis_tx=1.25 * STEP, pelvis_tz=0.5 * STEP)
    assert rewards.velocity(sideways) == pytest.approx(np.exp(-0.25))
    assert rewards.velocity_miss(sideways) == pytest.approx(0.25)
    assert rewards.velocity(sideways, speed=0.25) == pytest.approx(np.exp(-1.25))


def test_a_task_without_target_needs_a_speed():
    step = types.SimpleNamespace(
        env=jaxosim.make("L2RunEnv"),
        before=types.SimpleNamespace(q=jnp.zeros(10)),
        after=types.SimpleNamespace(state=types.SimpleNamespace(q=jnp.zeros(10))),
    )
    assert rewards.velocity(step, speed=0.5) == pytest.approx(np.exp(-0.25))
    with pytest.raises(ValueError, match="L2RunEnv has no target velocity; expected `speed`"):
        rewards.velocity(step)


@pytest.mark.parametrize(
    ("term", "told", "value"),
    [
        (rewards.alive, {}, 1.0),
        (rewards.tilt, {"pelvis_tilt": 0.3, "pelvis_list": -0.4}, 0.25),
        (rewards.heading, {"pelvis_rotation": 0.5}, 0.25),
        (rewards.height, {"pelvis_ty": 0.75}, 0.01),
        (rewards.height, {"pelvis_ty": 0.95}, 0.0),
        (rewards.joint_limit, {"limit": 50.0}, 1.0),
        (rewards.joint_limit, {"limit": 1e4}, 4.0),
        (rewards.knee_hyperextension, {"knee_angle_l": 0.25, "knee_angle_r": 0.15}, 0.3),
        (rewards.knee_hyperextension, {"knee_angle_l": -1.0, "knee_angle_r": 0.05}, 0.0),
        (rewards.effort, {}, 0.09),
        (rewards.activation, {}, 0.25),
        (rewards.control_change, {}, 0.04),
    ],
)
def test_terms_measure_what_they_are_named_after(env, term, told, value):
    assert term(transition(env, **told)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("loads", "before", "lead", "value"),
    [
        ((300.0, 0.0), (0.0, 0.0), 0.2, 0.2),  # the left foot lands ahead
        ((300.0, 0.0), (0.0, 0.0), -0.2, -0.2),  # behind: a limp
        ((0.0, 300.0), (0.0, 0.0), -0.2, 0.2),  # the right foot lands ahead
        ((300.0, 0.0), (0.0, 0.0), 0.9, 0.3),  # no more for longer steps
        ((300.0, 0.0), (200.0, 0.0), 0.2, 0.0),  # it stood already
        ((0.0, 0.0), (300.0, 0.0), 0.2, 0.0),  # it leaves the ground
    ],
)
def test_feet_that_land_ahead_of_the_other_are_rewarded(env, loads, before, lead, value):
    step = transition(env, loads=loads, lead=lead, start={"loads": before, "lead": lead})
    assert rewards.feet_passing(step) == pytest.approx(value)


@pytest.mark.parametrize(
    ("loads", "before", "lead", "value"),
    [
        ((300.0, 0.0), (0.0, 0.0), -0.2, 0.3),  # the left foot lands behind
        ((0.0, 300.0), (0.0, 0.0), 0.2, 0.3),  # the right foot
        ((300.0, 0.0), (0.0, 0.0), 0.04, 0.06),  # not far enough ahead
        ((300.0, 0.0), (0.0, 0.0), 0.2, 0.0),  # far enough
        ((300.0, 0.0), (200.0, 0.0), -0.2, 0.0),  # it stood already
        ((0.0, 0.0), (300.0, 0.0), -0.2, 0.0),  # it leaves the ground
    ],
)
def test_feet_that_land_behind_the_other_have_a_price(env, loads, before, lead, value):
    def price(lead, **settings):
        step = transition(env, loads=loads, lead=lead, start={"loads": before, "lead": lead})
        return rewards.landing_behind(step, **settings)

    assert price(lead, least=0.1) == pytest.approx(value)
    assert price(lead) == pytest.approx(max(value - 0.1, 0.0))
    slope = jax.grad(functools.partial(price, least=0.1))(lead)
    ahead = -1.0 if loads[0] else 1.0  # of the left foot's lead
    assert slope == (ahead if value else 0.0)


def test_steps_as_long_as_those_of_the_textbook_gait_are_rewarded_most(env):
    usual = textbook_gait(env.model, np.hypot(1.25, 0.1))  # where there is no target: 0.1 m/s
    length = usual.speed * usual.period / 2

    def reward(lead, loads=(300.0, 0.0), before=(0.0, 0.0), **settings):
        step = transition(env, loads=loads, lead=lead, start={"loads": before, "lead": lead})
        return float(rewards.step_length(step, **settings))

    assert reward(length) == pytest.approx(1.0)
    assert reward(-length, (0.0, 300.0)) == pytest.approx(1.0)  # the right foot
    assert [reward(share * length) for share in (0.5, 1.5)] == pytest.approx([0.75, 0.75])
    assert reward(0.0) == pytest.approx(0.0)
    assert reward(-length) == -1.0  # a limp, bounded
    assert reward(length, before=(200.0, 0.0)) == 0.0  # it stood already
    assert reward(0.3) + reward(0.3) > reward(0.1) + reward(0.5)  # equal steps of one stride
    assert reward(0.5 * length, bonus=0.25) == pytest.approx(0.0)
    assert reward(-length, bonus=0.25) == -1.75 and reward(length, before=(9e2, 0), bonus=0.25) == 0


def test_a_loaded_foot_that_moves_along_the_ground_slips(env):
    assert rewards.foot_slip(transition(env, loads=(300.0, 200.0))) == 0.0
    dragged = transition(env, loads=(300.0, 200.0), slide=(0.3, 7.0, 0.4))  # the left foot
    assert rewards.foot_slip(dragged) == pytest.approx(300.0 * 0.25 / 100)
    assert rewards.foot_slip(dragged, most=0.5) == 0.5
    swinging = transition(env, loads=(0.0, 200.0), slide=(2.0, 0.0, 0.0))
    assert rewards.foot_slip(swinging) == 0.0


def test_tracking_is_one_on_the_reference(env):
    cycle = textbook_gait(env.model)
    pose = dict(zip(cycle.coordinate_names, cycle.q[23], strict=True))
    assert rewards.tracking(transition(env, **pose), cycle) == pytest.approx(1.0)
    assert rewards.tracking(transition(env, **pose)) == pytest.approx(1.0)
    pose["knee_angle_l"] -= 0.5
    assert rewards.tracking(transition(env, **pose), cycle) < 0.75


def test_tracking_of_a_motion_asks_for_the_pace_of_the_target_speed(env):
    usual = textbook_gait(env.model)
    cycle = usual.at_speed(np.hypot(1.25, 0.1))  # where there is no target: 0.1 m/s
    pose = dict(zip(cycle.coordinate_names, cycle.q[23], strict=True))
    step = transition(env, **pose)

    def moving(share):
        state = step.after.state
        u = state.u.at[cycle.places(env.model)].set(share * cycle.q_phase[23] / cycle.period)
        after = step.after._replace(state=dataclasses.replace(state, u=u))
        return dataclasses.replace(step, after=after)

    nearness = [rewards.tracking(moving(share), duration=0.2) for share in (0.5, 1.0, 1.5)]
    assert nearness[1] == pytest.approx(1.0) and max(nearness[0], nearness[2]) < 0.95
    assert rewards.tracking(moving(0.5)) == pytest.approx(1.0)
    speeds = 0.2 * cycle.q_phase / cycle.period
    distance = ((cycle.q - cycle.q[23]) ** 2 + speeds**2).sum(axis=1).min()
    assert rewards.tracking(step, duration=0.2) == pytest.approx(np.exp(-2.0 * distance))
    assert rewards.tracking(moving(1.0), usual, duration=0.2) == pytest.approx(1.0)


def test_a_reward_is_the_weighted_sum_of_its_terms(env):
    reward = rewards.weighted(
        {"alive": 0.25},
        tilt=-2.0,
        low=(-5.0, functools.partial(rewards.height, least=0.9)),
        scale=0.1,
    )
    step = transition(env, pelvis_tilt=0.5, pelvis_ty=0.8)
    for own in (reward, pickle.loads(pickle.dumps(reward))):
        terms = own(step)
        assert list(terms) == ["alive", "tilt", "low"]
        np.testing.assert_allclose(list(terms.values()), [0.025, -0.05, -0.005])


def test_the_tasks_own_reward_can_be_a_term(env):
    own = dataclasses.replace(env)
    step = transition(own)
    after = step.after._replace(
        description=types.SimpleNamespace(
            bodies=types.SimpleNamespace(velocity=jnp.full((11, 3), 0.25)),
            muscles=types.SimpleNamespace(activation=jnp.ones(19)),
        )
    )
    reward = rewards.task(dataclasses.replace(step, after=after))
    assert reward == pytest.approx(10.0 - 0.019 - 1.0 - 0.0625)


def test_gradients_are_finite_at_the_bounds_of_the_terms(env):
    cycle = textbook_gait(env.model)

    def total(q):
        step = transition(env)
        after = step.after._replace(state=dataclasses.replace(step.after.state, q=q))
        step = dataclasses.replace(step, after=after)
        terms = (rewards.velocity, rewards.tilt, rewards.heading, rewards.knee_hyperextension)
        own = [rewards.tracking(step, cycle, duration=duration) for duration in (0.0, 0.1)]
        return sum(term(step) for term in terms) + rewards.foot_slip(step) + sum(own)

    q = transition(env, knee_angle_l=0.05, knee_angle_r=0.05).after.state.q
    slope = jax.grad(total)(q)
    assert np.all(np.isfinite(slope))
    assert slope[env.model.coordinate_names.index("knee_angle_r")] != 0


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        ({}, False),
        ({"pelvis_ty": 0.69}, True),
        ({"pelvis_tilt": -0.81}, True),
        ({"pelvis_list": 0.81}, True),
        ({"pelvis_rotation": 1.19}, False),
        ({"pelvis_rotation": -1.21}, True),
    ],
)
def test_an_episode_ends_where_the_walker_falls_leans_or_turns_away(env, told, ended):
    assert bool(Fallen()(transition(env, **told).after)) is ended


def test_unknown_terms_are_named():
    with pytest.raises(ValueError, match="no reward term 'velocty': .* did you mean velocity?"):
        rewards.weighted(velocty=1.0)
    with pytest.raises(ValueError, match="expected one term at least"):
        rewards.weighted()
