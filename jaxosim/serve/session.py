"""One submission's world: episodes, steps, and the way back to where a submission stood."""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.osim_rl.osim_rl_random import Generators
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Episode, Submission
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.jobs import Answer
from jaxosim.serve.keys import Keys
from jaxosim.serve.tasks import make_local

LARGEST_CONTROL = 1e6  # beyond it a number is no excitation that was meant to be clipped
_SHOWN = 20  # characters of a wrong number


def checked_action(action: Any, size: int) -> np.ndarray:
    """An action of a request, `[action]` (1).

    Args:
      action: as JSON gives it.
      size: its length.

    Raises:
      RefusedError: it is no array of as many finite numbers.
    """
    what = f"action: expected an array of {size} numbers from 0 to 1"
    if not isinstance(action, list) or len(action) != size:
        got = f"{len(action)} entries" if isinstance(action, list) else type(action).__name__
        raise RefusedError(422, f"{what}, got {got}")
    for place, value in enumerate(action):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedError(422, f"{what}, got {type(value).__name__} at {place}")
        if not abs(value) <= LARGEST_CONTROL:  # nor NaN
            raise RefusedError(422, f"{what}, got {str(value)[:_SHOWN]} at {place}")
    return np.array(action, float)


class ReplayError(Exception):
    """A stored step, played again, gave another reward."""


class Session:
    """A world in memory.

    Attributes:
      submission: as it is stored.
      env: osim-rl's object, one for all episodes, as a participant would have it.
      number: of the episode, from 0; −1 before the first.
      step_count: steps of the episode.
      done: whether the episode has ended.
      finished: episodes that have ended.
      total: of all rewards, summed in order.
      keys: idempotency keys of all requests that were answered.
      last_key: that of the last one.
      last_answer: its answer.
      backlog: stored steps that are still to be played again: action and reward.
    """

    def __init__(
        self, challenge: Challenge, submission: Submission, episodes: Sequence[Episode] = ()
    ) -> None:
        """A world that has yet to play its backlog, the steps of the last episode.

        Of the episodes before, only the resets are repeated, and the excitation in force at the
        end: osim-rl's objects carry nothing else from one episode into the next.
        """
        self.submission = submission
        self.env = make_local(challenge)
        self._challenge = challenge
        self.number, self.step_count, self.done = -1, 0, True
        self.finished, self.total = 0, 0.0
        self.keys = Keys()
        self.last_key: str | None = None
        self.last_answer: Answer = {}
        self.backlog: collections.deque[tuple[np.ndarray, float]] = collections.deque()
        for episode in episodes:
            self.remember(episode.key, self.reset())
            steps = list(zip(episode.actions, episode.rewards, strict=True))
            if episode is episodes[-1]:
                self.backlog.extend(steps)
            else:
                if steps:
                    self.env.osim_model.actuate(self.env.controls_of(steps[-1][0]))
                for _, reward in steps:
                    self.total += reward
                self.finished += episode.done
            for key in episode.step_keys:
                self.remember(key, {})  # the answer of the last one comes with the backlog

    def remember(self, key: str | None, answer: Answer) -> None:
        """Keep an answer, to be given again to the same request."""
        self.last_key, self.last_answer = key, answer
        if key is not None:
            self.keys.add(key)

    @property
    def is_complete(self) -> bool:
        """Whether every episode has ended."""
        return self.finished == len(self._challenge.seeds)

    @property
    def has_next(self) -> bool:
        """Whether there is another episode."""
        return self.number + 1 < len(self._challenge.seeds)

    @property
    def seed(self) -> int:
        """Of the episode."""
        return self._challenge.seeds[self.number]

    def reset(self) -> Answer:
        """Begin the next episode."""
        self.number += 1
        self.step_count, self.done = 0, False
        self.env.generators = Generators.seeded(self.seed)
        given: dict[str, Any] = {"obs_as_dict": self._challenge.obs_as_dict}
        observation = self.env.reset(project=self._challenge.project, **given)
        return {"observation": observation, "episode": self.number}

    def begin_step(self, action: np.ndarray) -> EnvState:
        """Take an action; the world before it is returned."""
        return self.env.begin_step(action)

    def finish_step(self, before: EnvState) -> Answer:
        """What a control step gave, once the world has been carried through it."""
        challenge = self._challenge
        step = self.env.finish_step(before, challenge.project, challenge.obs_as_dict)
        observation, reward, done, info = step
        self.step_count += 1
        self.done = done
        self.finished += done
        self.total += reward
        return {
            "observation": observation,
            "reward": reward,
            "done": done,
            "info": info,
            "episode": self.number,
            "step": self.step_count,
        }

    def finish_replayed(self, before: EnvState) -> None:
        """The same for the first step of the backlog.

        Raises:
          ReplayError: the reward is not the stored one.
        """
        self.last_answer = self.finish_step(before)
        stored = self.backlog.popleft()[1]
        if self.last_answer["reward"] != stored:
            raise ReplayError(
                f"episode {self.number}, step {self.step_count - 1}: expected the reward "
                f"{stored!r} as stored, got {self.last_answer['reward']!r}"
            )

    def status(self) -> Answer:
        """Where the submission stands."""
        return {
            "episode": self.number,
            "step": self.step_count,
            "done": self.done,
            "total": self.total,
            "episodes": len(self._challenge.seeds),
        }
