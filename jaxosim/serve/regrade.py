"""Stored actions played again: the same score to the bit, or something has changed."""

import dataclasses
from collections.abc import Iterator

from jaxosim.envs.episode import EnvState
from jaxosim.osim_rl.osim_env import OsimEnv
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Database, Episode, Submission
from jaxosim.serve.session import Session


@dataclasses.dataclass(frozen=True)
class Regraded:
    """What came of it.

    Attributes:
      submission: as it is stored.
      stored: the score, the sum of the stored rewards where the submission is still open.
      total: the score now.
      difference: the first step whose reward or end differs, in words; None if there is none.
    """

    submission: Submission
    stored: float
    total: float
    difference: str | None

    @property
    def is_same(self) -> bool:
        """Whether every reward and the score are the stored ones to the bit."""
        return self.difference is None and self.total == self.stored


def regrade(challenge: Challenge, database: Database, submission: Submission) -> Regraded:
    """Play a submission again, step by step, each world alone.

    Args:
      challenge: from the database's `graded`.
      database: of the submission.
      submission: with any number of episodes and steps.
    """
    session = Session(challenge, submission)
    difference, stored = None, 0.0
    for episode in database.episodes(submission.id):
        session.reset()
        same_seed = episode.seed == session.seed
        difference = difference or (None if same_seed else f"episode {episode.number}: its seed")
        for number, (action, reward) in enumerate(_steps(episode)):
            before = session.begin_step(action)
            session.env.osim_model.integrate()
            answer = session.finish_step(before)
            stored += reward
            is_last = number + 1 == len(episode.rewards)
            done = episode.done if is_last else False
            if difference is None and (answer["reward"], answer["done"]) != (reward, done):
                difference = (
                    f"episode {episode.number}, step {number}: reward {reward!r} as stored, "
                    f"{answer['reward']!r} now"
                )
    total = stored if submission.total is None else submission.total
    return Regraded(submission, total, session.total, difference)


def replay(
    challenge: Challenge, submission: Submission, episodes: list[Episode]
) -> tuple[OsimEnv, list[EnvState]]:
    """The worlds of the last of some episodes, from its reset on, and the object they are of.

    Args:
      challenge: what is graded.
      submission: whose episodes they are.
      episodes: the first ones of a submission; of all but the last only the resets are repeated.
    """
    session = Session(challenge, submission, episodes)
    model = session.env.osim_model
    worlds = [model.present]
    while session.backlog:
        before = session.begin_step(session.backlog[0][0])
        model.integrate()
        session.finish_replayed(before)
        worlds.append(model.present)
    return session.env, worlds


def _steps(episode: Episode) -> Iterator[tuple]:
    """Actions and rewards."""
    return zip(episode.actions, episode.rewards, strict=True)
