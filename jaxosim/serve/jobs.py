"""What the grader is asked to do, and the answer that will come."""

import concurrent.futures
import dataclasses
from typing import Any

import numpy as np

CREATE, RESET, STEP, CLOSE, STATUS = "create", "reset", "step", "close", "status"


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
      answer: is set by the grader, to a dictionary or an exception.
    """

    kind: str
    instance: str = ""
    account: int = 0
    action: np.ndarray | None = None
    key: str | None = None
    client: str = ""
    answer: concurrent.futures.Future[dict[str, Any]] = dataclasses.field(
        default_factory=concurrent.futures.Future
    )

    def succeed(self, answer: dict[str, Any]) -> None:
        """Answer, unless nobody waits any more."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """The same with an exception."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)
