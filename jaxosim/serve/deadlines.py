"""Ends what takes longer than a number of seconds, the same for all, by one timer."""

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    """Somebody who waits.

    Attributes:
      until: by the loop's clock (s).
      task: None once it waits no longer.
      is_late: whether it has been canceled here.
    """

    until: float
    task: asyncio.Task | None
    is_late: bool = False


class Deadlines:
    """What `asyncio.timeout` does; that makes a timer each time, a tenth of a request's costs.

    Belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        """Nobody waits."""
        self._seconds = seconds
        self._waiting: collections.deque[_Waiting] = collections.deque()  # the first ends first
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, awaitable: Awaitable[_T]) -> _T:
        """The result of an awaitable.

        Raises:
          TimeoutError: there is none in time; the awaitable has been canceled.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        one = _Waiting(loop.time() + self._seconds, task)
        self._waiting.append(one)
        if self._timer is None:
            self._timer = loop.call_at(one.until, self._end_late)
        try:
            return await awaitable
        except asyncio.CancelledError:
            assert task is not None
            if one.is_late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            one.task = None
            while self._waiting and self._waiting[0].task is None:
                self._waiting.popleft()

    def _end_late(self) -> None:
        """Cancel whose time is over, and set the timer for the next one."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and (self._waiting[0].task is None or self._waiting[0].until <= now):
            one = self._waiting.popleft()
            if one.task is not None:
                one.is_late = True
                one.task.cancel()
        first = self._waiting[0].until if self._waiting else None
        self._timer = None if first is None else loop.call_at(first, self._end_late)
