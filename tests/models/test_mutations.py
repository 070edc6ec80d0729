"""Files that are damaged at random load, or are refused by name; nothing else happens."""

import subprocess
import sys
import time

import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.models import mutations

DEFAULT_RUN, LONG_RUN = 2_000, 100_000


def test_damaged_files_load_or_are_refused(tmp_path):
    outcomes = mutations.outcomes_of(range(DEFAULT_RUN), tmp_path / "damaged.osim")
    assert not outcomes.failures
    counts = outcomes.counts
    assert min(counts["loaded"], counts["refused"]) > DEFAULT_RUN // 5, counts


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_for_what_follows_from_them_are_refused(tmp_path):
    path = tmp_path / "large.osim"
    path.write_text(hopper_model.HOPPER.replace("0.03 0.045 0.05", "0.03 -1e308 0.05"), "utf-8")
    with pytest.raises(jaxosim.OsimFormatError, match="large.osim: paths.functions.simm_spline"):
        jaxosim.load_model(path)


@pytest.mark.slow
def test_many_damaged_files_load_or_are_refused(tmp_path):
    seeds = range(DEFAULT_RUN, LONG_RUN)
    assert not mutations.outcomes_of(seeds, tmp_path / "damaged.osim").failures


# the command


def spin(path):
    before = time.process_time()
    while time.process_time() < before + 0.5:
        pass
    raise jaxosim.OsimFormatError(f"{path}: expected something else")


def hold(path):
    np.ones(1 << 23)  # 64 MB
    raise jaxosim.OsimFormatError(f"{path}: expected something else")


def fail(path):
    raise ValueError(path)


def mumble(path):
    raise jaxosim.OsimFormatError("expected something else in some file")


@pytest.mark.parametrize(
    "load, said", [(spin, " s'"), (hold, " MB'"), (fail, "ValueError"), (mumble, "AssertionError")]
)
def test_time_memory_and_other_errors_are_failures(load, said, tmp_path, monkeypatch):
    monkeypatch.setattr(jaxosim, "load_model", load)
    monkeypatch.setattr(mutations, "SECONDS", 0.4)
    monkeypatch.setattr(mutations, "MEMORY", 32 << 20)
    failures = mutations.outcomes_of([7], tmp_path / "damaged.osim").failures
    assert list(failures) == [7] and said in failures[7]


@pytest.mark.thorough
def test_the_command_goes_on_where_it_stopped(tmp_path):
    results = tmp_path / "lines.jsonl"
    command = [sys.executable, "-m", "tests.models.mutations", "--results", str(results)]
    first = subprocess.run([*command, "--seeds", "0", "3"], capture_output=True, text=True)
    assert first.returncode == 0 and first.stdout.endswith("0 failures\n")
    line = results.read_text().replace('"failures": {}', '"failures": {"1": "recalled"}')
    results.write_text(line)
    again = subprocess.run([*command, "--seeds", "0", "3"], capture_output=True, text=True)
    assert again.returncode == 1 and "1: recalled" in again.stdout
    assert results.read_text() == line
