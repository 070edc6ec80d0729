"""`jaxosim bench`: what it prints, what it refuses, and how it ends."""

import os
import pathlib
import subprocess
import sys

import pytest

from jaxosim.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = "--setting", "default", "--batch", "4", "--rounds", "1"
TWO_CORES = "import jaxosim.host.cores; jaxosim.host.cores.core_count = lambda: 2;"
INTERRUPTED = """
import signal, time, jaxosim.cli.bench
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
# A thread ends the process: what is interrupted here goes on until then.
jaxosim.cli.bench.use_cpu_devices = lambda: (signal.raise_signal(signal.SIGINT), time.sleep(60))
"""


def run(folder, *arguments, before=""):
    """Exit status, standard output, standard error; waits for all that hold those open."""
    code = f"{before}\nfrom jaxosim.cli.__main__ import main\nmain()"
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=folder,
        env={**os.environ, **quick, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--batch", "0"], "0 is not in the range x>=1"),
        (["--rounds", "0"], "0 is not in the range x>=1"),
        (["--setting", "coarse"], "'coarse' is not one of 'fast', 'default', 'fine', 'accurate'"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(["bench", *arguments])
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert complaint in error and error.count("\n") == 1


def test_a_batch_that_cannot_be_sharded_is_refused(tmp_path):
    status, _, error = run(tmp_path, "--batch", "5", before=TWO_CORES)
    assert status == 2
    assert error.startswith("jaxosim: Invalid value for '--batch': 5 is not a multiple of 2, the")
    assert error.count("\n") == 1


def test_interrupt_is_one_line(tmp_path):
    status, out, error = run(tmp_path, before=INTERRUPTED)
    assert (status, out, error.strip()) == (130, "", "jaxosim: interrupted")


@pytest.mark.slow
def test_speed_and_compile_time_of_each_setting_are_printed(tmp_path):
    status, out, error = run(tmp_path, *TINY, "--setting", "fast")
    assert status == 0, error
    assert "ProstheticsEnv, 4 worlds" in out and "float32" in out
    words = [line.split() for line in out.splitlines()]
    rows = {cells[0]: cells[1:] for cells in words if cells and cells[0] in ("default", "fast")}
    assert list(rows) == ["default", "fast"]
    for rate, per_core, seconds in rows.values():
        assert float(rate.replace(",", "")) >= float(per_core.replace(",", "")) > 0
        assert float(seconds) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_xla_alone_on_every_core_takes_its_own_results_again(tmp_path):
    """States of size zero come back with another sharding than they were given."""
    without_kernels = "import jaxosim.fused; jaxosim.fused.is_available = lambda: False;"
    status, output, error = run(tmp_path, *TINY, before=TWO_CORES + without_kernels)
    assert (status, error) == (0, "")
    assert "default" in output
