"""A policy: the same in NumPy and JAX, in a file, and for the reflected observation."""

import dataclasses
import itertools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.episode import Snapshot
from jaxosim.envs.heading_observation import heading_observation
from jaxosim.envs.observation import vector_of
from jaxosim.envs.poses import Poses, mirrored
from jaxosim.errors import ModelMismatchError, TableFormatError
from jaxosim.learning.networks import critic_loss, values
from jaxosim.learning.numpy_policy import load_numpy_policy, network, sigmoid
from jaxosim.learning.policy import Policy, initial_policy, load_policy, sagittal_mirror
from jaxosim.state_variables import default_states
from tests.learning.pendulum import TEXT, make_pendulum


def random_layers(*sizes):
    rng = np.random.default_rng(0)
    return tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in itertools.pairwise(sizes))


def random_policy(env, mirror=None):
    outputs = env.action_size // (1 if mirror is None else 2)
    layers = random_layers(env.observation_size, 16, 16, outputs)
    policy = initial_policy(env, layers, bias=-2.2, mirror=mirror)
    mean, deviation = np.random.default_rng(1).uniform(0.5, 1.5, (2, env.observation_size))
    text = json.dumps({"recipe": "none"})
    policy = dataclasses.replace(policy, mean=mean, deviation=deviation, metadata=text)
    return jax.tree.map(np.asarray, policy)


@pytest.fixture(scope="module")
def walker():
    return jaxosim.make("L2RunEnv")


@pytest.fixture(scope="module")
def observations(walker):
    return np.random.default_rng(0).normal(size=(5, walker.observation_size))


def test_a_network_is_what_its_formula_says():
    rng = np.random.default_rng(1)
    layers = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in ((3, 4), (4, 2)))
    x = rng.normal(size=3)
    hidden = x @ layers[0][0] + layers[0][1]
    hidden = (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-5)
    hidden = hidden / (1 + np.exp(-hidden))
    assert np.allclose(network(layers, x), hidden @ layers[1][0] + layers[1][1], rtol=1e-12)
    assert np.all(np.isfinite(sigmoid(np.array([-1e4, 1e4]))))


def test_numpy_and_jax_agree_for_one_world_and_for_many(walker, observations):
    policy = random_policy(walker)
    expected = policy(observations)
    assert isinstance(expected, np.ndarray) and expected.shape == (5, walker.action_size)
    assert np.all((expected > 0) & (expected < 1))
    assert np.allclose(jax.jit(policy)(jnp.asarray(observations)), expected, rtol=1e-12)
    assert np.allclose(jax.vmap(policy)(jnp.asarray(observations)), expected, rtol=1e-12)
    assert np.allclose(policy(observations[2]), expected[2], rtol=1e-12)


def test_a_file_keeps_everything_and_is_read_without_jax(walker, observations, tmp_path):
    policy = random_policy(walker)
    policy.save(tmp_path / "policy.npz")
    for load in (load_policy, load_numpy_policy):
        loaded = load(tmp_path / "policy.npz")
        assert jax.tree.structure(loaded) == jax.tree.structure(policy)
        assert all(map(np.array_equal, jax.tree.leaves(loaded), jax.tree.leaves(policy)))
        assert loaded.about == {"recipe": "none"}
    np.save(tmp_path / "x.npy", observations)
    code = f"""
import sys, numpy as np
from jaxosim.learning.numpy_policy import load_numpy_policy
policy = load_numpy_policy({str(tmp_path / "policy.npz")!r})
print(policy(np.load({str(tmp_path / "x.npy")!r})).sum(), "jax" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, has_jax = done.stdout.split()
    assert np.isclose(float(total), policy(observations).sum())
    assert has_jax == "False"


def test_what_is_no_policy_is_refused(walker, tmp_path):
    with pytest.raises(FileNotFoundError, match="no policy 'nobody': expected a file, or one of"):
        load_policy("nobody")
    np.savez(tmp_path / "a.npz", mean=np.zeros(3))
    with pytest.raises(TableFormatError, match="a.npz: expected a policy"):
        load_policy(tmp_path / "a.npz")
    policy = random_policy(walker)
    dataclasses.replace(policy, mean=policy.mean[:3]).save(tmp_path / "b.npz")
    with pytest.raises(TableFormatError, match="b.npz: expected a policy"):
        load_policy(tmp_path / "b.npz")
    dataclasses.replace(policy, action_names=("one",)).save(tmp_path / "c.npz")
    with pytest.raises(TableFormatError, match="c.npz: expected a policy of 1 actions"):
        load_policy(tmp_path / "c.npz")


def sided(names):
    swap = {"l": "r", "r": "l"}
    others = ["_".join(swap.get(p, p) for p in name.split("_")) for name in names]
    return np.array([names.index(other) for other in others])


class Sided:
    """A task of two legs, as far as a policy sees it."""

    observation_names = ("up", "hip_l", "hip_r", "knee_r", "knee_l")
    observation_size = 5
    action_names = ("a_r", "b_l", "a_l", "b_r")
    action_size = 4
    action_low, action_high = np.zeros(4), np.ones(4)


def test_the_policy_of_a_symmetric_model_is_equivariant_but_for_an_offset_its_value_invariant():
    env = Sided()
    mirror = jax.tree.map(np.asarray, sagittal_mirror(env))
    policy = random_policy(env, mirror)
    x = np.random.default_rng(3).normal(size=(6, 5))
    entries, actions = sided(env.observation_names), sided(env.action_names)
    offset = np.array([-0.01, 0.01, 0.01, -0.01])
    expected = policy.logits(x) - offset
    assert np.allclose(policy.logits(x[:, entries]) - offset, expected[:, actions], rtol=1e-12)
    assert not np.allclose(expected, expected[:, actions], atol=0.1)
    critics = random_layers(5, 8, 1), random_layers(5, 4, 1)
    value = values(critics, x, mirror)
    assert np.allclose(values(critics, x[:, entries], mirror), value, rtol=1e-12)
    assert not np.allclose(values(critics, x, None), value)
    assert critic_loss(critics, jnp.asarray(x), jnp.asarray(value), mirror) > 0


def test_from_a_symmetric_state_the_legs_part():
    env = Sided()
    mirror = jax.tree.map(np.asarray, sagittal_mirror(env))
    policy = random_policy(env, mirror)
    symmetric = np.array([0.3, -0.2, -0.2, 0.7, 0.7])
    right_a, left_b, left_a, right_b = policy.logits(symmetric)
    assert np.allclose([left_a - right_a, left_b - right_b], 0.02, rtol=1e-9)


def test_a_model_without_two_equal_legs_has_no_mirror(tmp_path):
    with pytest.raises(ModelMismatchError, match="expected an entry of the other side for each"):
        sagittal_mirror(jaxosim.make("ProstheticsEnv"))
    with pytest.raises(ModelMismatchError, match="expected actions of two legs only"):
        sagittal_mirror(make_pendulum(tmp_path))


@pytest.mark.thorough
def test_the_reflected_observation_is_that_of_the_reflected_walker():
    env = jaxosim.make("ProstheticsEnv", prosthetic=False, observation=heading_observation)
    model, rng = env.model, np.random.default_rng(4)
    q, u = rng.normal(size=(2, 1, len(model.coordinate_names))) * 0.3 * ~model.locked
    muscles = rng.uniform(0.1, 0.2, size=(2, len(model.muscle_names)))
    held = default_states(env.params) | {"activation": muscles[0], "fiber_length": muscles[1]}
    own = jaxosim.State(time=np.zeros(()), q=q[0], u=u[0], **held)
    poses = mirrored(model, Poses(q, u))
    others = sided(model.muscle_names)
    other = dataclasses.replace(
        own,
        q=poses.q[0],
        u=poses.u[0],
        activation=muscles[0][others],
        fiber_length=muscles[1][others],
    )

    @jax.jit
    @jax.vmap
    def observed(state, controls):
        description = jaxosim.describe(model, env.params, state, controls)
        return vector_of(env.observation_blocks, Snapshot(state, description, None, controls, env))

    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), own, other)
    controls = jnp.asarray(np.stack([muscles[0], muscles[0][others]]))
    expected = np.asarray(observed(states, controls))
    reflected = sagittal_mirror(env)(expected[0])
    assert np.allclose(reflected, expected[1], rtol=1e-7, atol=1e-7)
    assert not np.allclose(expected[0], expected[1])


def test_actions_without_bounds_are_refused(tmp_path):
    path = tmp_path / "free.osim"
    path.write_text(
        TEXT.replace("<min_control>-1</min_control>", "").replace(
            "<max_control>1</max_control>", ""
        )
    )
    env = make_pendulum(tmp_path, model=path)
    layers = random_layers(3, 1)
    with pytest.raises(ModelMismatchError, match="smallest and a largest value, motor have none"):
        initial_policy(env, layers, bias=0.0, mirror=None)


def test_the_policy_is_a_pytree_of_its_numbers(walker):
    policy = random_policy(walker)
    loss = jax.jit(jax.grad(lambda p: p(jnp.ones(walker.observation_size)).sum()))
    gradient = loss(jax.tree.map(jnp.asarray, policy))
    assert isinstance(gradient, Policy)
    assert gradient.observation_names == walker.observation_names
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))
