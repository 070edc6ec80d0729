"""Worlds that the tests of the contract share: the arm, which compiles fastest."""

import dataclasses
import types

import chex
import jax
import jax.numpy as jnp
import pytest

import jaxosim
from jaxosim import randomize

WORLDS, CHUNK, LIMIT = 5, 2, 4


@pytest.fixture(scope="session")
def arm():
    """The arm with a short episode, pose and muscles varied; compiled once."""
    env = jaxosim.make(
        "Arm2DEnv",
        options=jaxosim.Options(method="rk4", substeps=20),
        time_limit=LIMIT,
        randomize_pose=randomize.pose(),
        randomize=randomize.compose(randomize.strength(), randomize.mass()),
    )
    traced_once = chex.assert_max_traces(env.step, n=1)
    return types.SimpleNamespace(env=env, reset=jax.jit(env.reset), step=jax.jit(traced_once))


@pytest.fixture(scope="session")
def batch(arm):
    """A batch of such arms, and a run of it over two episodes and a half."""
    env = jaxosim.BatchEnv(arm.env, WORLDS, CHUNK)
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    run = [reset(jax.random.key(3))]
    for action in actions():
        run.append(step(run[-1], action))
    return types.SimpleNamespace(env=env, reset=reset, step=step, run=run)


def actions():
    """Of the batch's run, `[step, world, action]`."""
    return jax.random.uniform(jax.random.key(8), (2 * LIMIT + 2, WORLDS, 6))


def overstretch(params, is_shorter):
    """Numbers in which the first fiber and tendon are so short that OpenSim gives up."""
    factors = {"tendon_slack_length": 0.1, "optimal_fiber_length": 0.2}
    muscles = params.muscles
    shorter = {
        name: getattr(muscles, name).at[0].multiply(jnp.where(is_shorter, factor, 1.0))
        for name, factor in factors.items()
    }
    return dataclasses.replace(params, muscles=dataclasses.replace(muscles, **shorter))


def sometimes_overstretched(params, key):
    """To randomize by: in half of all episodes the first muscle has no equilibrium."""
    return overstretch(params, jax.random.bernoulli(key))
