"""The observation in the heading frame: from a snapshot, from osim-rl's dictionary, and turned."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs import heading_observation as heading
from jaxosim.envs.episode import Snapshot
from jaxosim.envs.heading_observation import HeadingLayout, heading_observation, observe_dictionary
from jaxosim.envs.observation import vector_of
from jaxosim.envs.prosthetics import ProstheticsTask
from jaxosim.envs.targets import draw_track

COUNT = 4


@pytest.fixture(scope="module")
def walker():
    """The prosthetic walker in random states, described by one program."""
    env = jaxosim.make("ProstheticsEnv", difficulty=1, observation=heading_observation)
    model, params = env.model, env.params
    rng = np.random.default_rng(0)
    free = ~model.locked
    shape = (COUNT, len(model.muscle_names))
    default = np.asarray(params.coordinates.default_value)
    states = jaxosim.State(
        time=jnp.zeros(COUNT),
        q=jnp.asarray(default + 0.4 * free * rng.standard_normal((COUNT, len(free)))),
        u=jnp.asarray(free * rng.standard_normal((COUNT, len(free)))),
        activation=jnp.asarray(rng.uniform(0.05, 1.0, shape)),
        fiber_length=jnp.asarray(
            np.asarray(params.muscles.optimal_fiber_length) * rng.uniform(0.7, 1.2, shape)
        ),
        normalized_tendon_force=jnp.zeros((COUNT, 0)),
        force_states=jnp.zeros((COUNT, 0)),
    )
    controls = jnp.asarray(rng.uniform(0.0, 1.0, shape))
    track = draw_track(jax.random.key(3), jnp.zeros(()))
    task = ProstheticsTask(track=track, step=jnp.int32(900))

    @jax.jit
    def observe(state, own):
        description = jaxosim.describe(model, params, state, own)
        now = Snapshot(state, description, task, own, env)
        return vector_of(env.observation_blocks, now), description

    return types.SimpleNamespace(
        env=env,
        states=states,
        controls=controls,
        task=task,
        seen=jax.vmap(observe)(states, controls),
    )


def row(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


def test_the_dictionary_gives_the_same_observation(walker):
    env, layout = walker.env, HeadingLayout.of(walker.env)
    target = np.asarray(env.target_of(walker.task))
    assert target[2] != 0
    for index in range(COUNT):
        observation, description = row(walker.seen, index)
        described = jaxosim.to_dict(env.model, description)
        other = observe_dictionary(layout, described, walker.controls[index], target)
        np.testing.assert_allclose(other, observation, rtol=1e-9, atol=1e-9)


def test_entries_have_names_units_and_what_they_say(walker):
    env = walker.env
    names = env.observation_names
    assert len(set(names)) == len(names) == len(env.observation_units) == env.observation_size
    observation, description = row(walker.seen, 0)
    entry = dict(zip(names, np.asarray(observation), strict=True))
    state, model = row(walker.states, 0), env.model
    assert entry["pelvis/height"] == pytest.approx(description.bodies.position[0, 1])
    for name in ("knee_angle_l", "hip_adduction_r"):
        place = model.coordinate_names.index(name)
        assert entry[f"{name}/value"] == state.q[place] and entry[f"{name}/speed"] == state.u[place]
    assert not any("hip_rotation" in name or "pelvis_t" in name for name in names)  # locked; place
    muscle = model.muscle_names.index("vasti_l")
    assert entry["vasti_l/activation"] == state.activation[muscle]
    assert entry["vasti_l/action"] == walker.controls[0, muscle]
    size = np.hypot(entry["target/x"], entry["target/z"])
    assert size == pytest.approx(np.linalg.norm(env.target_of(walker.task)))
    left = np.linalg.norm([entry[f"talus_l/position/{axis}"] for axis in "xyz"])
    bodies = description.bodies.position
    apart = bodies[model.body_names.index("talus_l")] - bodies[0]
    assert left == pytest.approx(np.linalg.norm(apart))


def seen_at(forward, rng):
    """Numbers in ground, with a target."""
    drawn = rng.standard_normal
    return heading._Seen(
        forward=np.asarray(forward, float),
        up=drawn(3),
        pelvis=drawn((3, 3)),
        position=drawn((5, 3)),
        velocity=drawn((5, 3)),
        value=drawn(4),
        speed=drawn(4),
        muscles=drawn((3, 6)),
        action=drawn(6),
        target=drawn(3),
    )


def test_walking_in_another_direction_at_another_place_looks_the_same():
    seen = seen_at((0.9, 0.3, -0.2), np.random.default_rng(1))
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    turned = {
        name: getattr(seen, name) @ turn.T
        for name in ("forward", "up", "pelvis", "position", "velocity", "target")
    }
    shift = np.array([3.0, 0.0, -2.0])
    turned["position"] = turned["position"] + shift
    turned["pelvis"] = turned["pelvis"] + np.array([shift, 0 * shift, 0 * shift])
    there = heading.entries_of(seen._replace(**turned), np)
    np.testing.assert_allclose(there, heading.entries_of(seen, np), atol=1e-12)


@pytest.mark.parametrize("forward", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-0.6, 0.0, 0.8)])
def test_gradients_are_finite_also_where_the_pelvis_points_straight_up(forward):
    seen = jax.tree.map(jnp.asarray, seen_at(forward, np.random.default_rng(2)))
    slope = jax.grad(lambda own: jnp.sum(heading.entries_of(own, jnp) ** 2))(seen)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slope))


def test_a_task_without_a_target_has_no_entries_of_it():
    env = jaxosim.make("L2RunEnv", observation=heading_observation)
    assert not any(name.startswith("target") for name in env.observation_names)
    assert "foot_l/touch" not in env.observation_names and "toes_l/touch" in env.observation_names


def test_actions_are_in_the_order_of_the_policy():
    env = jaxosim.make("L2M2019Env", observation=heading_observation)
    names = [name for name in env.observation_names if name.endswith("/action")]
    assert names == [f"{name}/action" for name in env.action_names]
    assert list(env.action_names) != list(env.model.control_names)
    action = np.linspace(0.1, 0.9, env.action_size)
    controls = np.asarray(env.controls_of(action))
    np.testing.assert_allclose(controls[np.argsort(env.muscle_order)], action)


def test_a_model_without_a_pelvis_is_refused():
    with pytest.raises(ValueError, match="expected a body named 'pelvis'"):
        _ = jaxosim.make("Arm2DEnv", observation=heading_observation).observation_names


def test_the_layout_is_plain_data(walker):
    layout = HeadingLayout.of(walker.env)
    assert HeadingLayout(**dataclasses.asdict(layout)) == layout
