"""Target tracks and fields: distributions, and what follows from the numbers drawn."""

import dataclasses
import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.prosthetics import ProstheticsTask
from jaxosim.envs.target_field import (
    draw_sink,
    first_field,
    follow,
    local_field,
    target_velocity,
)
from jaxosim.envs.targets import WideTargets, draw_track, speed_and_heading, velocity_at
from tests import hopper_model

LIKE = jnp.zeros(())


def many(draw, count=4000):
    return jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), count))


# ---------------------------------------------------------------------------------- tracks


def test_distribution_of_the_tracks():
    track = many(lambda key: draw_track(key, LIKE))
    waits = np.diff(np.concatenate([np.zeros((4000, 1)), track.step], axis=1), axis=1)
    assert abs(waits.mean() - 300) < 0.5 and abs(waits.var() - 300) < 10  # Poisson
    for change, size in ((track.speed_change, 0.5), (track.heading_change, math.pi / 8)):
        assert np.abs(change).max() <= size and abs(np.var(change) - size**2 / 3) < 0.01 * size**2


def test_a_track_jumps_at_its_changes():
    track = draw_track(jax.random.key(1), LIKE)
    first, second = int(track.step[0]), int(track.step[1])
    np.testing.assert_array_equal(velocity_at(track, first - 1), [1.25, 0.0, 0.0])
    speed, heading = speed_and_heading(track, first)
    assert speed == 1.25 + track.speed_change[0] and heading == track.heading_change[0]
    speed, heading = speed_and_heading(track, second)
    assert heading == track.heading_change[0] + track.heading_change[1]
    velocity = velocity_at(track, second)
    np.testing.assert_allclose(np.hypot(velocity[0], velocity[2]), speed, rtol=1e-15)


def test_every_speed_of_wide_targets_is_uniform_over_the_range():
    targets = WideTargets(mean_wait=50.0)
    track = many(lambda key: targets(key, LIKE))
    speeds = 1.25 + np.cumsum(track.speed_change, axis=1)
    assert speeds.min() >= -0.25 - 1e-12 and speeds.max() <= 2.75 + 1e-12
    for change in (0, 1, 4, 9):
        shares = np.histogram(speeds[:, change], np.linspace(-0.25, 2.75, 7))[0] / len(speeds)
        np.testing.assert_allclose(shares, 1 / 6, atol=0.025)
    assert np.abs(np.diff(speeds, axis=1)).max() <= 0.5 + 1e-12
    assert np.all(track.step[:, 0] == 0) and np.all(track.heading_change[:, 0] == 0)
    waits = np.diff(track.step, axis=1)
    assert abs(waits.mean() - 50) < 0.3 and abs(waits.var() - 50) < 3
    assert np.abs(track.heading_change).max() <= math.pi / 8


def test_a_range_of_one_speed_holds_it():
    track = WideTargets(0.5, 0.5, heading_change=0.0)(jax.random.key(2), LIKE)
    for step in (0, int(track.step[4]), 10_000):
        np.testing.assert_allclose(velocity_at(track, step), [0.5, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"low": 3.0}, "low, high: expected low <= high"),
        ({"high": np.nan}, "high: expected a finite number"),
        ({"speed_change": -0.1}, "expected none below 0"),
        ({"mean_wait": 0.0}, "mean_wait: expected a positive"),
        ({"mean_wait": 400.0}, "mean_wait: expected at most 300"),
    ],
)
def test_bad_wide_targets_are_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        WideTargets(**numbers)


@pytest.mark.parametrize(("step_size", "ratio"), [(0.04, 4), (0.01, 1), (0.005, 0.5), (0.29, 29)])
def test_targets_change_at_the_same_time_with_control_steps_of_any_length(step_size, ratio):
    options = jaxosim.Options(step_size=step_size)
    env = jaxosim.make("ProstheticsEnv", difficulty=1, options=options, targets=WideTargets())
    task = env.init_task(jax.random.key(1), types.SimpleNamespace(q=LIKE), None)
    changes = np.asarray(task.track.step)
    for step in {int(changes[1] // ratio) + i for i in (-1, 0, 1, 2)} | {100}:
        now = world(ProstheticsTask(track=task.track, step=jnp.int32(step)))
        own = velocity_at(task.track, math.floor(step * ratio))
        np.testing.assert_array_equal(env.target_velocity(now), own)
        heading = np.arctan2(own[2], own[0])
        miss = float(env.target_heading(now)) - heading
        assert abs(math.remainder(miss, math.pi)) < 1e-9  # π where the speed is negative
    assert env.time_limit == round(10.0 / step_size)


def world(task, q=LIKE):
    """As much of an EnvState as the target velocity depends on."""
    return types.SimpleNamespace(task_state=task, state=types.SimpleNamespace(q=q))


def test_what_the_tasks_ask_for():
    track = draw_track(jax.random.key(1), LIKE)
    task = world(ProstheticsTask(track=track, step=track.step[1]))
    first, second = (jaxosim.make("ProstheticsEnv", difficulty=number) for number in (0, 1))
    np.testing.assert_array_equal(first.target_velocity(task), [3, 0, 0])
    np.testing.assert_array_equal(second.target_velocity(task), velocity_at(track, track.step[1]))
    env = jaxosim.make("L2M2019Env", difficulty=3)
    q = np.zeros(len(env.model.coordinate_names))
    q[[env.model.coordinate_names.index(name) for name in ("pelvis_tx", "pelvis_tz")]] = 2, 3
    field = field_of(3)
    forward, left = target_velocity(field, jnp.array([2.0, -3.0]), 3)  # left is against z
    asked = env.target_velocity(world(types.SimpleNamespace(field=field), jnp.asarray(q)))
    np.testing.assert_array_equal(asked, [forward, 0, -left])
    assert jaxosim.make("L2RunEnv").target_velocity(world(None)) is None


def test_the_heading_of_a_field_is_within_half_a_turn_of_the_pelvis():
    env, field = jaxosim.make("L2M2019Env", difficulty=3), field_of(3)
    names = env.model.coordinate_names
    places = [names.index(name) for name in ("pelvis_tx", "pelvis_tz", "pelvis_rotation")]

    @jax.jit
    def aim(pose):
        q = jnp.zeros(len(names)).at[np.array(places)].set(pose)
        now = world(types.SimpleNamespace(field=field), q)
        return env.target_heading(now), env.target_velocity(now)

    for place in ((2.0, 3.0), (-9.0, 0.1), (0.0, 9.0)):
        for yaw in (0.3, 3.3, -3.3, 7.0):
            heading, (forward, _, right) = aim(jnp.array([*place, yaw]))
            toward = np.array([forward, right]) / np.hypot(forward, right)
            np.testing.assert_allclose([np.cos(heading), np.sin(heading)], toward, atol=1e-12)
            assert abs(heading + yaw) <= math.pi + 1e-12


# ---------------------------------------------------------------------------------- fields


def field_of(difficulty, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    draws = [draw_sink(key, difficulty, LIKE) for key in keys[:2]]
    return first_field(*draws, keys[2])


def test_distribution_of_the_sinks():
    for difficulty, turn in ((1, 0.0), (2, math.pi / 2), (3, math.pi)):
        draw = many(lambda key: draw_sink(key, difficulty, LIKE))  # noqa: B023
        assert abs(draw.radius.mean() - 6) < 0.05 and 5 <= draw.radius.min()
        assert np.abs(draw.turn).max() <= turn
        assert abs(np.var(draw.turn) - turn**2 / 3) <= 0.1 * turn
        assert 2 <= draw.stay.min() and draw.stay.max() <= 4


def test_a_field_leads_to_its_sink():
    field = field_of(3)
    for place in ([3.0, -2.0], [-7.3, 4.1], [0.0, 0.0]):
        place = jnp.asarray(place)
        velocity = target_velocity(field, place, 3)
        toward = (field.sink - place) / np.linalg.norm(field.sink - place)
        speed = np.linalg.norm(velocity)
        assert 0.79 < speed < 1.81
        assert np.dot(velocity / speed, toward) > 0.99
    beyond, rim = jnp.asarray([30.0, 1.0]), jnp.asarray([20.0, 1.0])
    np.testing.assert_allclose(
        target_velocity(field, beyond, 3), target_velocity(field, rim, 3), rtol=1e-14
    )


def test_the_local_field_is_in_the_agents_axes():
    field, pose = field_of(2), jnp.asarray([0.7, -0.3, 0.4])
    field_at = jax.jit(local_field, static_argnums=2)
    local = np.asarray(field_at(field, pose, 2))
    place = pose[:2] + 3 * jnp.asarray([math.cos(0.4), math.sin(0.4)])  # 3 m ahead
    vx, vy = np.asarray(target_velocity(field, place, 2))
    ahead, left = local[:, 5 + 3, 5]
    np.testing.assert_allclose(ahead, math.cos(0.4) * vx + math.sin(0.4) * vy, rtol=1e-12)
    np.testing.assert_allclose(left, -math.sin(0.4) * vx + math.cos(0.4) * vy, rtol=1e-12)
    straight = np.asarray(field_at(field, jnp.zeros(3), 0))
    np.testing.assert_allclose(straight[0], 1.4)


def stay(field, difficulty, steps):
    """Stand at the sink; whether and when targets were achieved."""
    run = jax.jit(lambda field, pose: follow(field, pose, difficulty, 0.01))
    achieved = []
    for step in range(steps):
        field, yes = run(field, jnp.append(field.sink, 0.0))
        achieved += [step] if yes else []
    return field, achieved


def test_two_targets_of_round_2():
    before = field_of(3)
    field, achieved = stay(before, 3, 900)
    assert len(achieved) == 2 and field.number == 3
    assert abs(achieved[0] * 0.01 - before.stay_needed) < 0.02
    expected = before.sink + before.next_draw.radius * jnp.asarray(
        [jnp.cos(field.heading), jnp.sin(field.heading)]
    )
    np.testing.assert_allclose(field.sink, expected)
    np.testing.assert_allclose(field.heading, before.heading + before.next_draw.turn)
    np.testing.assert_array_equal(field.map_center, before.sink)


def test_targets_without_end_of_round_1():
    field, achieved = stay(field_of(1), 1, 1300)
    assert len(achieved) >= 3 and field.number == len(achieved) + 1


def test_leaving_the_sink_starts_the_stay_anew():
    field = dataclasses.replace(field_of(3), stayed=jnp.asarray(1.0))
    field, achieved = follow(field, jnp.zeros(3), 3, 0.01)
    assert field.stayed == 0 and not achieved


def test_the_slope_of_the_target_velocity_at_the_rim_of_the_map_is_the_one_within():
    field = field_of(3)
    forward = lambda x: target_velocity(field, jnp.stack([x, jnp.float64(1.3)]), 3)  # noqa: E731
    for edge, into in ((20.0, -1), (-20.0, 1)):
        at, within = hopper_model.slopes_at_an_edge(forward, edge, into)
        np.testing.assert_allclose(at, within, rtol=1e-5)
