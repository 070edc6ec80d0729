"""The observation and the action of a task: their entries, units and bounds."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxosim.envs.actions import Actions
from jaxosim.envs.observation import Block, bounds_of, names_of, units_of


class Spaces:
    """What follows from a task's model and from the blocks of its observation.

    Attributes:
      control_range: bounds of every control, for tasks that do not take those of their model's
        file.
      model: of the task.
      observation: how it was asked for, see `Env`.
    """

    control_range: ClassVar[tuple[float, float] | None] = None

    model: Any
    observation: Any

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The task's own observation: its entries, in observation order."""
        raise NotImplementedError

    @functools.cached_property
    def observation_blocks(self) -> tuple[Block, ...]:
        """The observation that was asked for: its entries, in observation order."""
        chosen: str | Callable[[Any], Sequence[Block]] = self.observation
        return self.blocks if isinstance(chosen, str) else tuple(chosen(self))

    @property
    def observation_size(self) -> int:
        """Length of the observation vector."""
        return len(self.observation_names)

    @functools.cached_property
    def observation_names(self) -> tuple[str, ...]:
        """Names of the observation's entries, in observation order."""
        return names_of(self.observation_blocks)

    @functools.cached_property
    def observation_units(self) -> tuple[str, ...]:
        """Units of the observation's entries, in observation order."""
        return units_of(self.observation_blocks)

    @functools.cached_property
    def observation_low(self) -> np.ndarray:
        """Smallest values of the observation's entries, `[entry]`; −inf where unbounded."""
        return bounds_of(self.observation_blocks)[0]

    @functools.cached_property
    def observation_high(self) -> np.ndarray:
        """Largest values of the observation's entries, `[entry]`; inf where unbounded."""
        return bounds_of(self.observation_blocks)[1]

    @property
    def muscle_order(self) -> np.ndarray:
        """For each control its place in the action, `[control]`."""
        return np.arange(self.action_size)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the action's entries."""
        return self.model.control_names

    @property
    def action_size(self) -> int:
        """Length of the action: one entry for each control."""
        return len(self.model.control_names)

    @property
    def action_low(self) -> np.ndarray:
        """Smallest controls, `[action]`; −inf where unbounded."""
        return self._actions.low

    @property
    def action_high(self) -> np.ndarray:
        """Largest controls, `[action]`; inf where unbounded."""
        return self._actions.high

    @functools.cached_property
    def _actions(self) -> Actions:
        """How actions become controls."""
        return Actions.of(self.model, self.muscle_order, self.control_range)
