"""Steps of a batch: each world as it would be alone, to the bit; and tasks of one's own."""

import dataclasses

import jax
import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim import fused
from jaxosim.envs import registry
from jaxosim.envs.arm2d import Arm2DEnv
from jaxosim.osim_rl.osim_rl_random import Generators
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.stepping import Stepper
from jaxosim.serve.tasks import make_local

TASKS = ("Arm2DEnv", "L2RunEnv", "ProstheticsEnv", "L2M2019Env")


def numbers(es):
    """Every number of a world, keys as their data."""
    return [
        np.asarray(
            jax.random.key_data(leaf)
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else leaf
        )
        for leaf in map(jax.numpy.asarray, jax.tree.leaves(es))
    ]


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[] if task == "Arm2DEnv" else [pytest.mark.slow]) for task in TASKS],
)
def test_a_batch_gives_each_world_the_numbers_that_it_has_alone(task):
    challenge = Challenge(task, task, (1, 2, 3))
    pairs = [(make_local(challenge), make_local(challenge)) for _ in challenge.seeds]
    stepper = Stepper(pairs[0][0].osim_model.compiled)
    draws = np.random.default_rng(0)
    for seed, pair in zip(challenge.seeds, pairs, strict=True):
        for env in pair:
            env.generators = Generators.seeded(seed)
            env.reset()
    for _ in range(4):
        before = []
        for alone, together in pairs:
            action = draws.uniform(size=alone.get_action_space_size())
            alone.step(action)
            before.append(together.begin_step(action))
        stepper.integrate([together.osim_model for _, together in pairs])
        for (alone, together), world in zip(pairs, before, strict=True):
            together.resample_if_needed(world)
            for one, other in zip(
                numbers(alone.osim_model.world), numbers(together.osim_model.world), strict=True
            ):
                np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not fused.is_available(), reason="kernels cannot be made here")
def test_worlds_of_one_kernel_are_carried_together(monkeypatch):
    challenge = Challenge("Arm", "Arm2DEnv", (1,))
    envs = [make_local(challenge) for _ in range(3)]
    stepper, calls = Stepper(envs[0].osim_model.compiled), []
    one_by_one = type(envs[0].osim_model).integrate
    monkeypatch.setattr(
        type(envs[0].osim_model), "integrate", lambda own: calls.append(1) or one_by_one(own)
    )
    for env in envs:
        env.reset()
        env.begin_step([0.5] * 6)
    stepper.integrate([env.osim_model for env in envs])
    assert calls == [] and all(env.osim_model.istep == 1 for env in envs)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Reach(Arm2DEnv):
    """A task of a user, whose target is drawn from the random key."""

    difficulty: int = 0


@pytest.fixture
def reach(monkeypatch):
    monkeypatch.setitem(registry.ENVS, "ReachOfOurs", Reach)
    return Challenge("Reach", "ReachOfOurs", (1, 2), options=(("difficulty", 2), ("time_limit", 3)))


def test_a_registered_task_is_graded_with_its_options_and_seeds(reach):
    env = make_local(reach)
    task = env.osim_model.compiled.env
    assert (task.difficulty, env.time_limit, task.options.method) == (2, 3, "merson")
    firsts = []
    for seed in (1, 2, 1):
        env.generators = Generators.seeded(seed)
        firsts.append(env.reset())
        key = jax.random.key(Generators.seeded(seed).python.getrandbits(31))
        es = jax.jit(task.reset)(key)
        assert firsts[-1] == np.asarray(es.obs).tolist()
        observation, reward, done, _ = env.step([0.2] * 6)
        es = jax.jit(task.step)(es, np.full(6, 0.2))
        assert (observation, reward, done) == (np.asarray(es.obs).tolist(), float(es.reward), False)
    assert firsts[0] == firsts[2] != firsts[1]
