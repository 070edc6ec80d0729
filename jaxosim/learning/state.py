"""All that training depends on."""

import dataclasses
from typing import Any

import jax

from jaxosim.learning.normalization import Normalizer
from jaxosim.learning.numpy_policy import Layers
from jaxosim.learning.policy import Policy
from jaxosim.learning.worlds import Starts, Worlds
from jaxosim.pytree import pytree


@pytree
class TrainState:
    """Networks, statistics, optimizers, worlds and random key.

    Attributes:
      policy: normalizes with the statistics of the update before.
      average: the policy's weights, averaged over updates as the learner's `averaging` says.
      log_deviation: `[action]` logarithm of the noise's standard deviation (1) of the logits.
      critics: weights of each.
      normalizer: statistics of the observation.
      optimizer: states of the learner's optimizers.
      learning_rate: of the policy.
      worlds: that are unrolled.
      starts: from which their episodes begin.
      key: from which everything random that is still to come is drawn.
    """

    policy: Policy = dataclasses.field()
    average: Layers = dataclasses.field()
    log_deviation: jax.Array = dataclasses.field()
    critics: tuple[Layers, ...] = dataclasses.field()
    normalizer: Normalizer = dataclasses.field()
    optimizer: Any = dataclasses.field()
    learning_rate: jax.Array = dataclasses.field()
    worlds: Worlds = dataclasses.field()
    starts: Starts = dataclasses.field()
    key: jax.Array = dataclasses.field()

    @property
    def averaged_policy(self) -> Policy:
        """The policy with the averaged weights: that which is evaluated and kept."""
        return dataclasses.replace(self.policy, layers=self.average)
