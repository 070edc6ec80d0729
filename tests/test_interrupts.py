"""Ctrl-C ends a command within a moment, whatever swallows exceptions, and leaves no half file."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from jaxosim import interrupts

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 20  # s; a moment, on a machine that has other work
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

START = """
import contextlib, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
from jaxosim import interrupts
def interrupt():
    signal.raise_signal(signal.SIGINT)
    time.sleep(60)
"""
# Each interrupts itself where an exception would be lost, or would do harm.
MOMENTS = {
    "a bare except, as in JAX's tracing": """
with interrupts.ending():
    while True:
        try:
            interrupt()
        except BaseException:
            pass
""",
    "a callback of the garbage collector": """
import gc
def collected(phase, info):
    gc.callbacks.remove(collected)
    interrupt()
with interrupts.ending():
    gc.callbacks.append(collected)
    gc.collect()
""",
    "a call that runs no Python": """
import ctypes, threading
with interrupts.ending():
    threading.Timer(0.5, lambda: signal.pthread_kill(threading.main_thread().ident, 2)).start()
    end = time.monotonic() + 60
    while time.monotonic() < end:  # sleep goes on after a signal, and releases the GIL
        ctypes.CDLL(None).sleep(60)
""",
    "the import of the commands": """
sys.meta_path.insert(0, type("Finder", (), {"find_spec": lambda name, *_: (
    interrupt() if name == "click" else None)}))
import jaxosim.cli.main
""",
    "a command": """
from jaxosim.cli import main as cli
cli.commands.main = lambda *_, **__: interrupt()
cli.main([])
""",
}


def outcome(code, *arguments, **options):
    result = subprocess.run(
        [sys.executable, "-c", START + code, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT + 20,
        cwd=ROOT,
        **options,
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize("code", MOMENTS.values(), ids=list(MOMENTS))
def test_an_interrupt_is_never_lost_and_one_line(code):
    assert outcome(code) == (130, "jaxosim: interrupted\n")


def test_an_unfinished_file_is_removed_and_the_old_one_stays(tmp_path):
    out = tmp_path / "run.npz"
    out.write_text("old")
    code = """
from jaxosim.files import replacing
with interrupts.ending(), replacing(pathlib.Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    try:
        interrupt()
    except BaseException:
        time.sleep(60)
"""
    assert outcome(code, str(out)) == (130, "jaxosim: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    assert out.read_text() == "old"


def test_a_command_that_serves_until_it_is_interrupted_has_not_failed():
    assert outcome("with interrupts.ending(), interrupts.as_the_end(): interrupt()") == (0, "")


def test_an_interrupt_that_is_ignored_stays_so():
    code = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
with interrupts.ending():
    signal.raise_signal(signal.SIGINT)
    time.sleep(0.2)
print("went on", file=sys.stderr)
"""
    assert outcome(code) == (0, "went on\n")


def test_everything_is_as_before_after_the_block():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupts.ending():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
            with interrupts.ending():  # within another block nothing changes
                pass
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.set_wakeup_fd(-1) == -1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
