"""What every interface of the server does: check a request, hand it to the grader, wait."""

import asyncio
import datetime
from typing import Any

from jaxosim.serve import jobs
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Account, Database
from jaxosim.serve.deadlines import Deadlines
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.gate import Gate
from jaxosim.serve.grader import Grader
from jaxosim.serve.jobs import Job
from jaxosim.serve.requests import Request, read_json
from jaxosim.serve.session import checked_action

_MOST_ASKING = 100_000  # who wait for the grader


class Service:
    """A challenge that is open to requests.

    Who asks about a submission, and how often, is the interfaces' to check, with the gate.

    Attributes:
      challenge: what is graded.
      database: its results.
      grader: its worlds.
      gate: who may ask.
    """

    def __init__(self, challenge: Challenge) -> None:
        """Open the results, compile the task.

        Raises:
          ChallengeError: the task or an option is unknown, or the results are another challenge's.
          OSError: the database cannot be opened.
        """
        self.challenge = challenge
        self.database = Database(challenge.database)
        self.grader = Grader(challenge, self.database)
        self.gate = Gate(challenge, self.database)
        self._bodies = Deadlines(challenge.limits.body_seconds)
        self._unsent: list[Job] = []
        self._asking = 0
        self._answers = Deadlines(challenge.limits.step_seconds)

    async def read(self, request: Request) -> Any:
        """The body of a request, JSON.

        Raises:
          RefusedError: it is too large, too slow, of another type, or no JSON.
        """
        return await read_json(request, self.challenge.limits, self._bodies)

    async def ask(self, job: Job) -> dict[str, Any]:
        """The grader's answer.

        Raises:
          RefusedError: the request is refused, takes too long, or is one of too many.
        """
        if self._asking >= _MOST_ASKING:
            raise RefusedError(503, "the server is busy: try again later")
        loop = asyncio.get_running_loop()
        job.answer = loop.create_future()
        if not self._unsent:  # one message for all that the loop has at hand
            loop.call_soon(self._send)
        self._unsent.append(job)
        self._asking += 1
        seconds = self.challenge.limits.step_seconds
        try:  # a step that is under way goes on: repeated with its key it gives its answer
            return await self._answers.within(job.answer)
        except TimeoutError as error:
            raise RefusedError(
                503, f"no answer within {seconds:g} s: repeat the request"
            ) from error
        finally:
            self._asking -= 1

    def _send(self) -> None:
        """Hand the grader what has been asked."""
        self.grader.submit(self._unsent)
        self._unsent = []

    async def create(
        self, account: Account, env_id: Any, client: str, key: str | None
    ) -> dict[str, Any]:
        """Begin a submission.

        Raises:
          RefusedError: the challenge is not open, is another one, or a limit has been reached.
        """
        challenge = self.challenge
        self.gate.admit(account.id)
        if env_id != challenge.task:
            raise RefusedError(
                422, f"env_id: expected {challenge.task!r}, got {str(env_id)[:80]!r}"
            )
        now = datetime.datetime.now(datetime.UTC)
        if challenge.opens is not None and now < challenge.opens:
            raise RefusedError(403, f"the challenge opens at {challenge.opens.isoformat()}")
        if challenge.closes is not None and now >= challenge.closes:
            raise RefusedError(403, f"the challenge has closed at {challenge.closes.isoformat()}")
        return await self.ask(Job(jobs.CREATE, account=account.id, client=client, key=key))

    async def reset(self, instance: str, key: str | None) -> dict[str, Any]:
        """Begin the next episode of a submission."""
        return await self.ask(Job(jobs.RESET, instance, key=key))

    async def step(self, instance: str, action: Any, key: str | None) -> dict[str, Any]:
        """One control step of a submission.

        Raises:
          RefusedError: the action is no action of the task.
        """
        checked = checked_action(action, self.grader.action_size)
        return await self.ask(Job(jobs.STEP, instance, action=checked, key=key))

    async def close(self, instance: str) -> dict[str, Any]:
        """End a submission."""
        return await self.ask(Job(jobs.CLOSE, instance))

    async def status(self, instance: str) -> dict[str, Any]:
        """Where a submission stands."""
        return await self.ask(Job(jobs.STATUS, instance))
