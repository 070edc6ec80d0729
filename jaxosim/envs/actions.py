"""Actions: the controls of a model in the order of a task, within their bounds."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take
from jaxosim.arrays.safe import clip
from jaxosim.types import Model

OSIM_RL_CONTROL_RANGE = (0.0, 1.0)  # osim-rl: whatever the file says of its muscles


class Actions(NamedTuple):
    """How actions become controls."""

    order: np.ndarray  # [control] the place of each control in the action
    min_control: np.ndarray  # [control] −inf where unbounded
    max_control: np.ndarray  # [control] inf where unbounded

    @classmethod
    def of(
        cls, model: Model, order: np.ndarray, control_range: tuple[float, float] | None
    ) -> "Actions":
        """The actions of a model.

        Args:
          model: whose controls they are.
          order: `[control]` the place of each control in the action.
          control_range: bounds of every control; those of the model's file if None.
        """
        low, high = model.min_control, model.max_control
        if control_range is not None:
            low, high = (np.full_like(low, bound) for bound in control_range)
        return cls(np.asarray(order), low, high)

    @property
    def low(self) -> np.ndarray:
        """Smallest controls, `[action]`; −inf where unbounded."""
        return self._placed(self.min_control)

    @property
    def high(self) -> np.ndarray:
        """Largest controls, `[action]`; inf where unbounded."""
        return self._placed(self.max_control)

    def controls(self, action: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """The controls `[control]` of an action, clipped to their bounds.

        Raises:
          ValueError: the action has another shape than `[action]`.
        """
        action = jnp.asarray(action, dtype)
        if action.shape != self.order.shape:
            raise ValueError(
                f"action: expected shape {self.order.shape}, one control for each of "
                f"action_names, got {action.shape}"
            )
        largest = jnp.finfo(dtype).max  # laws hold no infinities
        low, high = (
            jnp.asarray(np.clip(bound, -largest, largest), dtype)
            for bound in (self.min_control, self.max_control)
        )
        return clip(take(action, self.order), low, high)

    def _placed(self, values: np.ndarray) -> np.ndarray:
        """Values `[control]` at their places in the action."""
        placed = np.zeros_like(values)
        placed[self.order] = values
        return placed
