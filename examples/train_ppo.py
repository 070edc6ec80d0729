"""Train by a recipe with a trainer of your own: here PPO of rejax.

    pip install 'jaxosim[rejax]'
    python examples/train_ppo.py walk_planar --updates 100 --out policy.npz

What a walker learns depends less on the trainer than on the task. So the task is that of a recipe
of `jaxosim train`: its starts in motion, its reward, its early ending, and its decisions of 40 ms.
Actions are logits of the excitations, which begin near 0.1, as for jaxosim's own learners.
"""

import argparse
import time
from typing import Any

import jax
import jax.numpy as jnp

import jaxosim
from jaxosim.envs.base import Env
from jaxosim.learning.evaluation import evaluator
from jaxosim.learning.numpy_policy import sigmoid
from jaxosim.learning.recipes import load_recipe, plan_of

try:
    import rejax
    from gymnax.environments import spaces

    from jaxosim.adapters.gymnax import LegacyGymnaxEnv
except ImportError as error:
    raise SystemExit(f"{error.name} is missing: pip install 'jaxosim[rejax]'") from error

BIAS = -2.2  # of the logits: muscles that all pull at once stiffen the body
DISCOUNT = 0.97  # of a decision
SEED = 1000  # of the evaluations


class Face(LegacyGymnaxEnv):
    """The task as rejax sees it: actions without bounds, and returns of order one."""

    def step(self, key: jax.Array, state: Any, action: jax.Array, params: Any = None) -> Any:
        """One decision."""
        action = excitations(self.functional, action)
        obs, es, reward, done, info = super().step(key, state, action, params)
        return obs, es, (1 - DISCOUNT) * reward, done, info

    def action_space(self, params: Any = None) -> spaces.Box:
        """All real numbers: logits."""
        return spaces.Box(-jnp.inf, jnp.inf, (self.num_actions,))


def excitations(env: Env, logits: jax.Array) -> jax.Array:
    """The task's actions `[..., action]` (1) of a policy's."""
    low, high = jnp.asarray(env.action_low), jnp.asarray(env.action_high)
    return low + (high - low) * sigmoid(logits + BIAS)


def make_trainer(env: Env, worlds: int) -> rejax.PPO:
    """PPO on the task; `worlds` times 32 decisions make an update."""
    return rejax.PPO.create(
        env=Face(env),
        num_envs=worlds,
        num_steps=32,
        num_minibatches=4,
        num_epochs=2,
        learning_rate=5e-4,
        gamma=DISCOUNT,
        ent_coef=0.0,
        max_grad_norm=0.5,
        normalize_observations=True,
        agent_kwargs={"hidden_layer_sizes": (128, 128), "activation": "swish"},
    )


def decide(trainer: rejax.PPO, actor: Any, statistics: Any, obs: jax.Array) -> jax.Array:
    """The policy without noise: actions `[world, action]` (1) for observations `[world, entry]`."""
    x = trainer.normalize_obs(statistics, obs)
    logits = trainer.actor.apply(actor, x, method=lambda own, x: own.action_mean(own.features(x)))
    return excitations(trainer.env.functional, logits)


def policy_of(trainer: rejax.PPO, state: Any) -> Any:
    """The policy of a train state, as `jaxosim.learning.evaluation` plays it."""
    return jax.tree_util.Partial(decide, trainer, state.actor_ts.params, state.obs_rms_state)


def main() -> None:
    """Train, evaluate now and then, and write the policy's weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", help="a name, or the path of a .toml file")
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--every", type=int, default=10, help="updates between two evaluations")
    parser.add_argument("--worlds", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="policy.npz")
    given = parser.parse_args()
    plan = plan_of(load_recipe(given.recipe))
    trainer = make_trainer(plan.env, given.worlds)
    evaluate = evaluator(plan.evaluated, episodes=plan.episodes, seed=SEED)
    state = jax.jit(trainer.init_state)(jax.random.key(given.seed))
    update = jax.jit(trainer.train_iteration, donate_argnums=0)
    begun = time.perf_counter()
    for number in range(1, given.updates + 1):
        state = update(state)
        if number % given.every and number < given.updates:
            continue
        shown = evaluate(policy_of(trainer, state)).summary()
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in shown.items())
        print(f"update {number}, {time.perf_counter() - begun:.0f} s: {numbers}")
    learned = {"actor": state.actor_ts.params, "statistics": state.obs_rms_state}
    jaxosim.save_state(given.out, learned)


if __name__ == "__main__":
    main()
