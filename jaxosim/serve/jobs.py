"""What the grader is asked to do, what a round of it has done, and how that is answered."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

CREATE, RESET, STEP, CLOSE, STATUS = "create", "reset", "step", "close", "status"
Answer = dict[str, Any]


@dataclasses.dataclass(eq=False)
class Job:
    """One request.

    Attributes:
      kind: one of the above.
      instance: what the client calls its submission by; empty for a new one.
      account: whose a new submission is.
      action: of a step, `[action]` (1).
      key: idempotency key, or None.
      client: version that the client of a new submission names.
      answer: is given a dictionary or an exception; None if nobody waits.
    """

    kind: str
    instance: str = ""
    account: int = 0
    action: np.ndarray | None = None
    key: str | None = None
    client: str = ""
    answer: asyncio.Future[Answer] | None = None

    @property
    def name(self) -> str:
        """Of the submission; of a new one, that of the request."""
        return self.instance or f"new {id(self)}"


class Round:
    """One request of each of some submissions: what has been done, and has yet to be stored.

    Attributes:
      created: requests for new submissions.
      episodes: rows to be stored.
      steps: rows to be stored.
      closed: submission, total, whether it is complete.
      answers: to be given once all is stored.
      touched: submissions whose worlds have moved on.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.created: list[Job] = []
        self.episodes: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.closed: list[tuple[int, float, bool]] = []
        self.answers: list[tuple[Job, Answer | Exception]] = []
        self.touched: set[str] = set()

    @property
    def jobs(self) -> list[Job]:
        """The requests that wait for it."""
        return [*(job for job, _ in self.answers), *self.created]


def give(answers: Iterable[tuple[Job, Answer | Exception]]) -> None:
    """Answer requests, from any thread; each event loop is woken once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Any]]] = {}
    for job, answer in answers:
        if job.answer is not None:
            loops.setdefault(job.answer.get_loop(), []).append((job.answer, answer))
    for loop, own in loops.items():
        with contextlib.suppress(RuntimeError):  # it has been closed, and nobody waits
            loop.call_soon_threadsafe(_settle, own)


def _settle(answers: Iterable[tuple[asyncio.Future[Answer], Answer | Exception]]) -> None:
    """Set the futures of those who still wait."""
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
