"""Ctrl-C ends a command within a moment, whatever swallows exceptions, and leaves no half file."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 20  # s; a moment, on a machine that has other work
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

START = """
import contextlib, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
from jaxosim.host import interrupts
from jaxosim.cli.__main__ import main
def interrupt():
    signal.raise_signal(signal.SIGINT)
    time.sleep(60)
"""
# Each interrupts itself where an exception would be lost, or would do harm.
MOMENTS = {
    "a bare except, as in JAX's tracing": """
interrupts.install()
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
interrupts.install()
gc.callbacks.append(collected)
gc.collect()
""",
    "a call that runs no Python": """
import ctypes, threading
interrupts.install()
threading.Timer(0.5, lambda: signal.pthread_kill(threading.main_thread().ident, 2)).start()
end = time.monotonic() + 60
while time.monotonic() < end:  # sleep goes on after a signal, and releases the GIL
    ctypes.CDLL(None).sleep(60)
""",
    "the import of the commands": """
sys.meta_path.insert(0, type("Finder", (), {"find_spec": lambda name, *_: (
    interrupt() if name == "click" else None)}))
main()
""",
    "the definition of the commands": """
import click
click.group = lambda **_: interrupt()
main()
""",
    "a command": """
import jaxosim.cli.main
jaxosim.cli.main.commands.main = lambda *_, **__: interrupt()
main()
""",
    "the time between a command and the end of the process": """
import atexit
import jaxosim.cli.main
jaxosim.cli.main.commands.main = lambda *_, **__: 0
atexit.register = lambda *_: interrupt()
main()
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
from jaxosim.host.files import replacing
interrupts.install()
with replacing(pathlib.Path(sys.argv[1])) as unfinished:
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
    code = """
interrupts.install()
with interrupts.as_the_end():
    interrupt()
"""
    assert outcome(code) == (0, "")


def test_an_interrupt_that_is_ignored_stays_so():
    code = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupts.install()
signal.raise_signal(signal.SIGINT)
time.sleep(0.2)
print("went on", file=sys.stderr)
"""
    assert outcome(code) == (0, "went on\n")


def test_one_handler_is_installed_once():
    code = """
interrupts.install()
handler, descriptor = signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)
signal.set_wakeup_fd(descriptor)
interrupts.install()
assert signal.getsignal(signal.SIGINT) is handler
assert signal.set_wakeup_fd(descriptor) == descriptor >= 0
interrupt()
"""
    assert outcome(code) == (130, "jaxosim: interrupted\n")


def test_importing_the_commands_installs_no_handler():
    code = """
import jaxosim.cli.main
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, file=sys.stderr)
"""
    assert outcome(code) == (0, "True\n")
