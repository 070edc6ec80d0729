"""`jaxosim bench`: what it prints with and without OpenSim, what it refuses, and how it ends."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from jaxosim.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = "--setting", "default", "--batch", "4", "--rounds", "1"
TWO_CORES = "import jaxosim.cores; jaxosim.cores.core_count = lambda: 2;"
# Everything is set up by then, OpenSim's processes too.
INTERRUPTED = """
import signal, jaxosim.cli.bench
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
jaxosim.cli.bench.compete = lambda *_: signal.raise_signal(signal.SIGINT)
"""
# As if the extra were not installed, in the processes that are started too.
NO_OPENSIM = "raise ImportError('there is none')"


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


def test_a_batch_that_cannot_be_dealt_out_is_refused(tmp_path):
    status, _, error = run(tmp_path, "--batch", "5", before=TWO_CORES)
    assert status == 2
    assert error.startswith("jaxosim: Invalid value for '--batch': 5 is not a multiple of 2, the")
    assert error.count("\n") == 1


def test_interrupt_is_one_line_and_leaves_no_process(tmp_path):
    status, out, error = run(tmp_path, before=INTERRUPTED)
    assert (status, out, error.strip()) == (130, "", "jaxosim: interrupted")


@pytest.mark.slow
@pytest.mark.opensim
def test_beside_opensim_there_are_ratios_and_errors(tmp_path):
    status, out, error = run(tmp_path, *TINY)
    assert status == 0, error
    figures = figures_of(out)
    assert list(figures) == [
        *("OpenSim 0.001", "OpenSim 5e-05", "OpenSim 1e-06", "OpenSim 5e-05, one process"),
        *("jaxosim default, 4 worlds", "jaxosim default, one world"),
        "jaxosim default, one world, scan",
    ]
    assert figures["OpenSim 5e-05"][2] == figures["OpenSim 5e-05, one process"][2] == "1.0"
    # rate, per core, ratio, compile, time, and at 0.1 s: constant, sine, random twice, zero
    assert [len(row) for row in figures.values()] == [9, 9, 9, 3, 10, 4, 4]
    errors = [float(value) for value in figures["jaxosim default, 4 worlds"][5:]]
    assert 0 < min(errors) and max(errors) < 1e-2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_opensim_there_are_our_own_figures_and_a_line_what_to_install(tmp_path):
    (tmp_path / "opensim.py").write_text(NO_OPENSIM, encoding="utf-8")
    status, out, error = run(tmp_path, *TINY)
    assert status == 0, error
    assert [len(row) for row in figures_of(out).values()] == [3, 3, 3]
    assert out.splitlines()[-1] == (
        "without OpenSim: this needs opensim: pip install 'jaxosim[opensim]' (there is none)"
    )


def figures_of(out):
    """The cells of each row by its name."""
    rows = [line.strip() for line in out.splitlines()]
    pairs = [re.split(r"  +", row, maxsplit=1) for row in rows if row[:7] in ("OpenSim", "jaxosim")]
    return {name: cells.split() for name, cells in pairs}
