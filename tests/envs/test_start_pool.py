"""Poses of a gait, and the pools of states that are made of them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.gait_cycle import cycle_of_motion, distance_to_cycle, textbook_gait
from jaxosim.envs.poses import Poses, concatenated, cycle_poses, mirrored, rest_poses
from jaxosim.envs.start_pool import make_pool, mix_pools
from jaxosim.simulation import find_initial_state
from jaxosim.state_variables import default_states
from jaxosim.sto import read_motion, write_coordinates
from jaxosim.system import realize_position

COUNT, DEPTH = 6, 0.004


@pytest.fixture(scope="module")
def env():
    return jaxosim.make("L2RunEnv")


@pytest.fixture(scope="module")
def pool(env):
    poses = cycle_poses(env, textbook_gait(env.model), COUNT, seed=1)
    return poses, make_pool(env.model, env.params, poses, depth=DEPTH)


def place(env, name):
    return env.model.coordinate_names.index(name)


# the cycle


def test_the_textbook_curves_have_the_angles_of_the_events_of_gait(env):
    cycle = textbook_gait(env.model, speed=82 / 60)
    degrees = {
        name: np.degrees(column)
        for name, column in zip(cycle.coordinate_names, cycle.q.T, strict=True)
    }
    joints = ("hip_flexion", "knee_angle", "ankle_angle")
    hip, knee, ankle = (degrees[f"{joint}_r"] for joint in joints)
    assert 20 < hip[0] < 30 and hip.min() < -8 and 45 <= hip.argmin() <= 55
    assert -10 < knee[0] < 0 and -62 < knee.min() < -52 and 68 <= knee.argmin() <= 76
    assert knee.max() < 0  # no knee is beyond straight
    assert -20 < ankle.min() < -10 and 59 <= ankle.argmin() <= 67 and ankle.max() < 14
    np.testing.assert_allclose(degrees["hip_flexion_l"], np.roll(hip, 50), atol=1e-12)
    assert cycle.period == pytest.approx(2 * 60 / 113)


def test_the_rate_of_a_cycle_is_the_derivative_of_its_angles(env):
    cycle = textbook_gait(env.model)
    central = (np.roll(cycle.q, -1, axis=0) - np.roll(cycle.q, 1, axis=0)) * len(cycle.q) / 2
    np.testing.assert_allclose(cycle.q_phase, central, atol=0.1)


def test_cadence_and_stride_length_grow_alike_with_speed(env):
    slow, fast = (textbook_gait(env.model, speed) for speed in (0.8, 1.8))
    strides = [cycle.speed * cycle.period for cycle in (slow, fast)]
    assert strides[1] / strides[0] == pytest.approx(slow.period / fast.period)


def test_a_passive_ankle_is_left_out():
    model = jaxosim.load_model("gait14dof22musc_pros")[0]
    names = textbook_gait(model).coordinate_names
    assert "ankle_angle_l" in names and "ankle_angle_r" not in names


def test_a_model_without_such_joints_is_refused():
    with pytest.raises(ValueError, match="expected coordinates named as hip_flexion_r"):
        textbook_gait(jaxosim.load_model("arm2dof6musc")[0])


def test_a_cycle_can_be_taken_from_a_motion(env, tmp_path):
    cycle = textbook_gait(env.model)
    times = np.arange(201) / 200 * 2 * cycle.period  # two strides
    rows = np.tile(cycle.q, (3, 1))[np.arange(201)]
    q = np.zeros((201, len(env.model.coordinate_names)))
    q[:, cycle.places(env.model)] = rows
    q[:, place(env, "pelvis_tx")] = 1.25 * times + 3.0
    q[:, place(env, "pelvis_ty")] = 0.9
    path = tmp_path / "gait.mot"
    write_coordinates(path, env.model, times, q)
    motion = read_motion(path, env.model, env.params)
    found = cycle_of_motion(env.model, motion, start=cycle.period / 2, end=1.5 * cycle.period)
    assert found.period == pytest.approx(cycle.period) and found.speed == pytest.approx(1.25)
    assert "pelvis_tx" not in found.coordinate_names
    column = found.coordinate_names.index("knee_angle_l")
    knee = cycle.q[:, cycle.coordinate_names.index("knee_angle_l")]
    np.testing.assert_allclose(found.q[:, column], np.roll(knee, -50), atol=1e-5)
    with pytest.raises(ValueError, match="expected a period within 0 to"):
        cycle_of_motion(env.model, motion, start=1.0, end=9.0)


def test_the_distance_to_a_cycle_is_zero_on_it_and_differentiable(env):
    cycle = textbook_gait(env.model)
    places = cycle.places(env.model)
    q = jnp.zeros(len(env.model.coordinate_names)).at[places].set(cycle.q[37])
    assert distance_to_cycle(cycle, places, q) == 0
    off = q.at[places[0]].add(0.01)
    np.testing.assert_allclose(distance_to_cycle(cycle, places, off), 1e-4, rtol=0.5)
    slope = jax.grad(lambda x: distance_to_cycle(cycle, places, x))(off)
    assert np.all(np.isfinite(slope)) and slope[places[0]] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"period": 0.0}, "period: expected a positive"),
        ({"q": np.zeros((100, 2))}, "q, q_phase: expected"),
    ],
)
def test_bad_cycles_are_refused(env, change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(textbook_gait(env.model), **change)
    with pytest.raises(ValueError, match="has no .'knee"):
        named = dataclasses.replace(textbook_gait(env.model), coordinate_names=("knee",) * 6)
        named.places(env.model)


# poses


def test_poses_at_rest_are_the_tasks_with_noise_in_angles_and_speeds(env):
    poses = rest_poses(env, 400, seed=0)
    initial = np.asarray(env.initial_pose(env.params)[0])
    turns = ~env.model.locked & env.model.rotational
    spread = np.std(poses.q - initial, axis=0)
    np.testing.assert_allclose(spread[turns], 0.03, rtol=0.2)
    assert np.all(spread[~turns] == 0)
    np.testing.assert_allclose(np.std(poses.u, axis=0)[~env.model.locked], 0.1, rtol=0.2)
    np.testing.assert_array_equal(poses.q, rest_poses(env, 400, seed=0).q)


def test_poses_of_a_cycle_move_as_fast_as_the_cycle_does(env):
    cycle = textbook_gait(env.model)
    poses = cycle_poses(env, cycle, 500, seed=2, angle=0.0, speed=0.0)
    forward = poses.u[:, place(env, "pelvis_tx")]
    assert np.mean(forward) == pytest.approx(1.25, abs=0.05) and 0.2 < np.std(forward) < 0.4
    periods = cycle.period * (cycle.speed / forward) ** 0.5
    places = cycle.places(env.model)
    distance = np.abs(poses.q[:, places][:, None] - cycle.q[None]).sum(axis=2)
    phase = distance.argmin(axis=1)
    np.testing.assert_allclose(
        poses.u[:, places], cycle.q_phase[phase] / periods[:, None], rtol=1e-12
    )


def test_mirrored_poses_put_the_bodies_on_the_other_side():
    model, params = jaxosim.load_model("gait14dof22musc")
    rng = np.random.default_rng(0)
    noise = 0.3 * ~model.locked * rng.standard_normal((1, len(model.locked)))
    q = np.asarray(params.coordinates.default_value) + noise
    other = mirrored(model, Poses(q, np.zeros_like(q)))
    here, _ = body_places(model, params, q[0])
    there, _ = body_places(model, params, other.q[0])
    swapped = [
        name[:-1] + {"l": "r", "r": "l"}[name[-1]] if name[-2:] in ("_l", "_r") else name
        for name in here
    ]
    assert swapped != list(here)
    for name, counterpart in zip(here, swapped, strict=True):
        reflected = here[name] * np.array([1.0, 1.0, -1.0])
        np.testing.assert_allclose(there[counterpart], reflected, atol=1e-9, err_msg=name)


def body_places(model, params, q):
    """Where the bodies are in ground, and how they are turned, by name."""
    position = _positions(model, params, jnp.asarray(q))
    places, rotations = {}, {}
    for body, name in enumerate(model.body_names):
        pose = np.asarray(position.bodies.pose[model.bodies.mobod[body]])
        own = np.asarray(position.instance.body_position[body])
        places[name] = pose[:, :3] @ own + pose[:, 3] + np.asarray(position.bodies.origin)
        rotations[name] = pose[:, :3] @ np.asarray(position.instance.body_rotation[body])
    return places, rotations


@functools.partial(jax.jit, static_argnums=0)
def _positions(model, params, q):
    state = jaxosim.State(
        time=jnp.zeros(()),
        q=q,
        u=jnp.zeros_like(q),
        **default_states(params),
    )
    return realize_position(model, params, state)


# pools


def test_a_pool_stands_on_the_ground_with_its_muscles_in_equilibrium(env, pool):
    poses, states = pool
    contacts, numbers = env.model.contacts, env.params.contacts
    spheres = np.flatnonzero(~np.asarray(contacts.is_half_space))
    for q in states.q[:3]:
        places, rotations = body_places(env.model, env.params, q)
        lowest = []
        for sphere in spheres:  # all are on bodies that move
            name = env.model.body_names[contacts.geometry_body[sphere]]
            center = places[name] + rotations[name] @ np.asarray(numbers.location[sphere])
            lowest.append(center[1] - numbers.radius[sphere])
        np.testing.assert_allclose(min(lowest), -DEPTH, atol=1e-9)
    others = np.arange(len(env.model.coordinate_names)) != place(env, "pelvis_ty")
    np.testing.assert_allclose(states.q[:, others], poses.q[:, others], atol=1e-12)
    own = jaxosim.initial_state(env.model, env.params, states.q[2], states.u[2])
    np.testing.assert_allclose(states.fiber_length[2], own.fiber_length, rtol=1e-9)


def test_the_height_of_a_pool_stays_if_it_is_told_to(env, pool):
    states = make_pool(env.model, env.params, pool[0], depth=None)
    np.testing.assert_array_equal(states.q, pool[0].q)


def rows_of(states, mixed):
    """Which states those of a mixed pool are."""
    return [int(np.argmin(np.abs(states.q[:, 0] - q))) for q in mixed.q[:, 0]]


def test_pools_are_mixed_by_their_shares(pool):
    states = pool[1]
    parts = [
        jax.tree.map(lambda leaf, rows=rows: leaf[rows], states)
        for rows in (slice(0, 2), slice(2, 5))
    ]
    rows = rows_of(states, mix_pools(parts, (0.4, 0.6), 10))
    assert sorted(rows[:4]) == [0, 0, 1, 1] and sorted(rows[4:]) == [2, 2, 3, 3, 4, 4]
    with pytest.raises(ValueError, match="shares: expected one for each of 2 pools"):
        mix_pools(parts, (0.4, 0.4), 10)


def test_every_state_of_a_pool_is_as_likely_to_be_mixed_in(pool):
    states = pool[1]
    few = [rows_of(states, mix_pools([states], (1.0,), 2, seed=seed)) for seed in range(60)]
    assert all(len(set(rows)) == 2 for rows in few)
    counts = np.bincount(np.ravel(few), minlength=COUNT)  # of 120, 20 ± 4 each
    assert counts.min() > 6 and counts.max() < 34
    many = np.bincount(rows_of(states, mix_pools([states], (1.0,), COUNT + 2)))
    assert sorted(many) == [1] * (COUNT - 2) + [2, 2]


def test_pools_that_cannot_be_made_are_refused(env, pool):
    with pytest.raises(ValueError, match="vertical: expected a coordinate of .*, got 'up'"):
        make_pool(env.model, env.params, pool[0], vertical="up")
    arm, numbers = jaxosim.load_model("arm2dof6musc")
    poses = Poses(np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="expected spheres that can touch the ground"):
        make_pool(arm, numbers, poses, vertical="r_elbow_flex")
    muscles = dataclasses.replace(
        numbers.muscles,
        tendon_slack_length=numbers.muscles.tendon_slack_length.at[0].multiply(0.1),
        optimal_fiber_length=numbers.muscles.optimal_fiber_length.at[0].multiply(0.2),
    )
    short = dataclasses.replace(numbers, muscles=muscles)
    twice = concatenated(poses, poses)
    with pytest.raises(jaxosim.ModelMismatchError, match=r"in all 2 poses, .* 2 .*TRIlong"):
        make_pool(arm, short, twice, depth=None)


def test_poses_without_equilibrium_are_left_out_where_that_is_asked_for(env, pool, monkeypatch):
    poses, states = pool

    def none_in_the_second(model, params, q, u):
        state, found = find_initial_state(model, params, q, u)
        return state, found & (q[0] != poses.q[1, 0])

    monkeypatch.setattr("jaxosim.envs.start_pool.find_initial_state", none_in_the_second)
    with pytest.raises(jaxosim.ModelMismatchError, match=r"in 1 \(first: \[1\]\).*drop=True"):
        make_pool(env.model, env.params, poses, depth=DEPTH)
    kept = make_pool(env.model, env.params, poses, depth=DEPTH, drop=True)
    np.testing.assert_array_equal(kept.q, states.q[np.arange(len(states.q)) != 1])
