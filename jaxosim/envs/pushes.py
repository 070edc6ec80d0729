"""Pushes: sudden changes of a model's speed, against which a policy learns to keep its balance."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.checks import check_positive
from jaxosim.envs.episode import EnvState
from jaxosim.types import Model, State

Push = Callable[[Model, State, jax.Array], State]


@dataclasses.dataclass(frozen=True)
class RandomPush:
    """Now and then a change of some speeds at once, for `make(..., push=...)`.

    Attributes:
      speed: (m/s | rad/s) largest change of each speed; uniform between −speed and speed.
      probability: (1) of a push before a decision.
      coordinates: whose speeds change; those that a model lacks are left out.
    """

    speed: float = 0.3
    probability: float = 0.02
    coordinates: Sequence[str] = ("pelvis_tx", "pelvis_tz")

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
          ValueError: the speed is not positive, or the probability not in (0, 1].
        """
        check_positive("speed", self.speed)
        check_positive("probability", self.probability)
        if self.probability > 1.0:
            raise ValueError(f"probability: expected at most 1, got {self.probability}")

    def __call__(self, model: Model, state: State, key: jax.Array) -> State:
        """The state, pushed or not.

        Raises:
          ValueError: the model has none of the coordinates.
        """
        pushed = np.isin(model.coordinate_names, self.coordinates)
        if not pushed.any():
            raise ValueError(
                f"coordinates: expected one of {model.source} at least, got {self.coordinates}"
            )
        whether, how = jax.random.split(key)
        shape, dtype = state.u.shape, state.u.dtype
        change = jax.random.uniform(how, shape, dtype, -self.speed, self.speed)
        happens = jax.random.uniform(whether, (), dtype) < self.probability
        return dataclasses.replace(state, u=state.u + jnp.where(happens & pushed, change, 0.0))


def pushed(es: EnvState, model: Model, push: Push | None) -> EnvState:
    """A world after a push; locked coordinates stay.

    Args:
      es: the world.
      model: of the world.
      push: the option of `Env`.
    """
    if push is None:
        return es
    key, own = jax.random.split(es.key)
    state = push(model, es.state, own)
    q, u = (jnp.where(model.locked, getattr(es.state, name), getattr(state, name)) for name in "qu")
    return dataclasses.replace(es, state=dataclasses.replace(state, q=q, u=u), key=key)
