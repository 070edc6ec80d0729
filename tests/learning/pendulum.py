"""A pendulum with a motor, small enough to be learned from in a test."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.envs.observation import Block
from jaxosim.learning.ppo import PPO
from jaxosim.learning.shac import SHAC
from jaxosim.learning.training import Networks, Trainer
from jaxosim.learning.worlds import Unroll
from tests.models import osim_text as osim

ANGLE = 0.5  # rad, to be held against gravity
_BODY = osim.body("a", mass="1", mass_center="0 -1 0", inertia="0.1 0.1 0.1 0 0 0")
_MOTOR = osim.element(
    "CoordinateActuator",
    "motor",
    coordinate="q",
    optimal_force="10",
    min_control="-1",
    max_control="1",
)
TEXT = osim.document(
    osim.members("BodySet", _BODY)
    + osim.members("JointSet", osim.pin())
    + osim.members("ForceSet", _MOTOR)
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pendulum(jaxosim.Env):
    """Hold the pendulum at an angle; an episode ends where it turns too far or too fast."""

    @property
    def default_time_limit(self):
        return 100  # of 10 ms: 20 control steps of 50 ms

    @functools.cached_property
    def blocks(self):
        return (
            Block(("angle/value", "angle/speed"), ("rad", "rad/s"), _motion),
            Block(("constant",), ("1",), lambda now: jnp.ones_like(now.state.q)),
        )

    def reward_terms(self, transition):
        miss = transition.after.state.q[0] - ANGLE
        return {"angle": 1 - miss * miss}, transition.after.task_state

    def is_terminated(self, description):
        return jnp.abs(description.coordinates.value[0]) > 1.5


def _motion(now):
    return jnp.concatenate([now.state.q, now.state.u])


def vary(model, q, u, key):
    """Beginnings that differ."""
    angle, speed = jax.random.split(key)
    return q + 0.3 * jax.random.normal(angle, q.shape, q.dtype), u + jax.random.normal(
        speed, u.shape, u.dtype
    )


def make_pendulum(folder, **options):
    """The task, its model written to a folder."""
    path = folder / "pendulum.osim"
    if not path.exists():
        path.write_text(TEXT)
    step = jaxosim.Options(substeps=2, step_size=0.05)
    return Pendulum(**{"model": path, "options": step, "randomize_pose": vary} | options)


UNROLL = Unroll(worlds=16, horizon=8, given_count=32, own_count=64, safe_decisions=3)
NETWORKS = Networks(hidden=(16, 16), bias=0.0)


def trainer(env, learner, **settings):
    """A small trainer: "shac" or "ppo"."""
    kinds = {"shac": SHAC, "ppo": PPO}
    chosen = kinds[learner](**{"unroll": UNROLL, "noise": 0.5} | settings)
    return Trainer(env=env, learner=chosen, networks=NETWORKS, episodes=8)


def leaves_equal(a, b):
    """Whether two trees agree to the bit."""

    def bits(leaf):
        typed = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if typed else leaf)

    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(bits(x), bits(y), equal_nan=True) for x, y in pairs)
