"""Processes that each hold an object and answer calls of its methods; idle ones block on a pipe."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

_GRACE = 0.2  # s that an idle process has to end by itself


class Worker:
    """An object in a process of its own.

    The process blocks on its pipe while it has no call to answer. It ignores Ctrl-C and ends when
    the pipe is closed, by `close` or because this process has ended.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        """Start the process, which makes the object; `receive` returns when that is done.

        Args:
          make: a class or function at the top of a module.
          arguments: its arguments.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        with _interrupts_ignored():  # which the process inherits
            self._process.start()
        theirs.close()

    def send(self, method: str, *arguments: Any) -> None:
        """Call a method; its result is the next `receive`.

        Raises:
          RuntimeError: the process has died.
        """
        try:
            self._pipe.send((method, arguments))
        except OSError:
            raise self._death() from None

    def receive(self, timeout: float | None = None) -> Any:
        """Wait for the result of the earliest unanswered call; None for making the object.

        Args:
          timeout: (s) after which to give up; None for never.

        Raises:
          Exception: what the call raised there.
          RuntimeError: the process has died.
          TimeoutError: no result in that time.
        """
        if not self._pipe.poll(timeout):
            raise TimeoutError(f"a process of the benchmark gave no result in {timeout:g} s")
        try:
            failed, value = self._pipe.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if failed:
            raise value
        return value

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and wait for its result."""
        self.send(method, *arguments)
        return self.receive()

    def _death(self) -> RuntimeError:
        self._process.join()
        return RuntimeError(
            f"a process of the benchmark died, exit status {self._process.exitcode}"
        )

    def close(self) -> None:
        """End the process, also amid a call."""
        self._pipe.close()
        self._process.join(_GRACE)
        self._process.terminate()
        self._process.join()

    def __enter__(self) -> "Worker":
        """For `with`: closes it at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def call_all(workers: Sequence[Worker], method: str, *arguments: Sequence[Any]) -> list[Any]:
    """Call a method of all at once and wait for all results.

    Args:
      workers: the workers.
      method: name of the method.
      arguments: one sequence per argument, with an entry for each worker.
    """
    for worker, *own in zip(workers, *arguments, strict=True):
        worker.send(method, *own)
    return [worker.receive() for worker in workers]


@contextmanager
def _interrupts_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Make the object, then answer until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows does not inherit it
    holder: list[Any] = []
    call, given = lambda *values: holder.append(make(*values)), arguments
    while True:
        try:
            reply = (False, call(*given))
        except Exception as error:  # noqa: BLE001, raised again in the calling process
            reply = (True, error)
        try:
            pipe.send(reply)
            method, given = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)  # OpenSim may crash in an orderly shutdown
        call = getattr(holder[0], method)
