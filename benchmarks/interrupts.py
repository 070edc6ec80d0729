"""Is Ctrl-C ever lost, and what does a command leave behind?

    python benchmarks/interrupts.py [TRIES] [--load 2] [--longest 8] [--seed 0]

Each try starts `jaxosim rollout` and interrupts it at a random moment after the first line of
`main`: while it imports, reads, traces, compiles, rolls out or writes. Some processes that do
nothing but compute make the machine busy meanwhile. As promised is: status 130, one line, no file
left, and an end within 3 s. Anything else is named; the exit status is 1 then. One JSON line in
benchmarks/results/interrupts.jsonl.
"""

import argparse
import collections
import contextlib
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from record import record

LIMIT = 3.0  # s
LOST = 30.0  # s
PROMISED = "as promised"
# A shell lets its background jobs ignore interrupts, and this may be one.
CODE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from jaxosim.cli.__main__ import main
print("started", flush=True)
main()
"""


@contextlib.contextmanager
def busy(count):
    """A machine on which so many processes compute."""
    loop = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(loop) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def interrupted(folder, delay):
    """What becomes of a command that is interrupted after a delay (s): a word, and seconds."""
    out = pathlib.Path(folder) / "run.npz"
    command = ["rollout", "arm2dof6musc", "--batch", "1", "--seconds", "5000", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    start = time.perf_counter()
    try:
        _, error = process.communicate(timeout=LOST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "lost", LOST
    seconds = time.perf_counter() - start
    left = [path.name for path in pathlib.Path(folder).iterdir()]
    for name in left:
        (pathlib.Path(folder) / name).unlink()
    if "Traceback" in error:
        print(error, flush=True)
        return "traceback", seconds
    if process.returncode != 130 or left:
        return f"status {process.returncode}, left {left}", seconds
    if error.splitlines()[-1:] != ["jaxosim: interrupted"]:
        return f"said {error[-80:]!r}", seconds
    return (PROMISED if seconds < LIMIT else "late"), seconds


def main():
    """Interrupt many times, and count."""
    parser = argparse.ArgumentParser(description="Is Ctrl-C ever lost?")
    parser.add_argument("tries", type=int, nargs="?", default=200)
    parser.add_argument("--load", type=int, default=2, help="processes that compute meanwhile")
    parser.add_argument("--longest", type=float, default=8.0, help="s, latest moment")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    drawn, counts, slowest = random.Random(arguments.seed), collections.Counter(), 0.0
    with tempfile.TemporaryDirectory() as folder, busy(arguments.load):
        for number in range(arguments.tries):
            delay = drawn.uniform(0.0, arguments.longest)
            word, seconds = interrupted(folder, delay)
            counts[word] += 1
            slowest = max(slowest, seconds)
            print(f"{number}: after {delay:.2f} s {word}, {seconds:.2f} s", flush=True)
    print(dict(counts), f"slowest {slowest:.2f} s")
    record("interrupts", {**vars(arguments), "counts": dict(counts), "slowest (s)": slowest})
    sys.exit(counts[PROMISED] != arguments.tries)


if __name__ == "__main__":
    main()
