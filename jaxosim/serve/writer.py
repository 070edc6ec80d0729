"""The thread that stores rounds, and answers when they lie on the disk.

While it waits for the disk the grader carries on with the next round. Rounds that wait together are
stored in one transaction.
"""

import dataclasses
import logging
import queue
import threading
from collections.abc import Callable, Sequence

import jax
import sqlalchemy as sa

import jaxosim
from jaxosim.serve import jobs, tables
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Database
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.jobs import Job, Round

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Stored:
    """Rounds that were stored, or could not be.

    Attributes:
      rounds: in their order.
      failed: nothing of them has been stored, and nobody has been answered.
    """

    rounds: Sequence[Round]
    failed: bool


class Writer:
    """Stores rounds in the order in which they are given."""

    def __init__(
        self, challenge: Challenge, database: Database, tell: Callable[[Stored], None]
    ) -> None:
        """Store nothing yet.

        Args:
          challenge: whose limits hold for new submissions.
          database: of the results.
          tell: is told of rounds before anyone is answered; called in this thread.
        """
        self._challenge, self._database, self._tell = challenge, database, tell
        self._queue: queue.SimpleQueue[Round | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Store what has been given, then end."""
        self._queue.put(None)
        self._thread.join()

    def put(self, one: Round) -> None:
        """Have a round stored, and its requests answered."""
        self._queue.put(one)

    def _run(self) -> None:
        """Store until the end has been taken."""
        is_ending = False
        while not is_ending:
            taken = [self._queue.get()]
            while not self._queue.empty():
                taken.append(self._queue.get())
            is_ending = None in taken
            rounds = [one for one in taken if one is not None]
            if rounds:
                self._store(rounds)

    def _store(self, rounds: Sequence[Round]) -> None:
        """One transaction; what cannot be stored has not happened."""
        try:
            with self._database.begin() as connection:
                made = [[self._create(connection, job) for job in one.created] for one in rounds]
                for one in rounds:
                    self._database.insert(connection, tables.episode, one.episodes)
                    self._database.insert(connection, tables.step, one.steps)
                    for row in one.closed:
                        self._database.close_submission(connection, *row)
        except Exception as error:
            _log.error("a round could not be stored: %s", error)
            self._tell(Stored(rounds, failed=True))
            return
        for one, own in zip(rounds, made, strict=True):
            one.answers += own
        self._tell(Stored(rounds, failed=False))
        jobs.give(pair for one in rounds for pair in one.answers)

    def _create(self, connection: sa.Connection, job: Job) -> tuple[Job, jobs.Answer | Exception]:
        """A new submission, or why there is none."""
        versions = f"jaxosim {jaxosim.__version__}, jax {jax.__version__}"
        new = {"key": job.key, "client": job.client, "versions": versions}
        try:
            made = self._database.add_submission(connection, self._challenge, job.account, new)
        except RefusedError as error:
            return job, error
        return job, {"instance_id": made.instance}
