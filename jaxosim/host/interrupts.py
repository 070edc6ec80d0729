"""Ctrl-C ends a command at once, whatever it is doing.

No exception is raised for it: one that falls into JAX's tracing is swallowed by a bare `except`
there, or crosses frames of C++ that cannot bear it. A thread waits for the signal instead, removes
the files that are not finished, says so in one line, and ends the process.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

STATUS = 130  # of a command that was interrupted
unfinished: set[Path] = set()
"""Files that would be left half written; whoever writes one puts it in before it is made."""
_failure = True  # whether the interrupted command has failed


def install() -> None:
    """From now on Ctrl-C ends the process; nothing changes where it is handled or ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    ours, written = socket.socketpair()
    written.setblocking(False)
    threading.Thread(target=_wait, args=(ours,), daemon=True).start()
    # The signal's number is written by its C handler: also while the main thread runs no Python.
    signal.set_wakeup_fd(written.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, _leave_to_the_thread)


@contextlib.contextmanager
def as_the_end() -> Iterator[None]:
    """Within the block of a command that serves until Ctrl-C, that is no failure: status 0."""
    global _failure
    _failure = False
    try:
        yield
    finally:
        _failure = True


def _leave_to_the_thread(number: int, frame: FrameType | None) -> None:
    """The handler of Python's own, without which the thread would hear nothing."""


def _wait(ours: socket.socket) -> None:
    """Wait for the signal, and end the process."""
    while numbers := ours.recv(1):
        if numbers[0] == signal.SIGINT:
            _end()


def _end() -> None:
    """End the process, leaving no half file and one line."""
    for path in tuple(unfinished):
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        # A progress bar has hidden the cursor and left its line open.
        opening = "\x1b[?25h\n" if sys.stderr.isatty() else ""
        line = "jaxosim: interrupted\n" if _failure else ""
        os.write(sys.stderr.fileno(), f"{opening}{line}".encode())
    os._exit(STATUS if _failure else 0)  # XLA's threads do not survive a normal exit
