"""Files that are damaged at random load, or are refused by name; nothing else happens."""

import collections
import resource
import time
import warnings

import jax
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.models.mutations import mutated

DEFAULT_RUN, LONG_RUN = 2_000, 100_000
SECONDS, MEMORY = 5.0, 1 << 20  # of one file; the latter in kB, for the process
REFUSALS = (jaxosim.OsimFormatError, jaxosim.UnsupportedComponentError)


def outcome_of(text, path):
    """What becomes of a text, checked."""
    path.write_text(text, encoding="utf-8")
    before = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, params = jaxosim.load_model(path)
    except REFUSALS as error:
        assert str(path) in str(error), error
        assert len(str(error)) > len(str(path)) + 10, error
        return "refused"
    finally:
        assert time.process_time() - before < SECONDS
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(params))
    return "loaded"


def check(seeds, path):
    """Loads a mutation for each seed; the error of a failure is of the seed that failed."""
    outcomes = collections.Counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in seeds:
        try:
            outcomes[outcome_of(mutated(hopper_model.HOPPER, seed), path)] += 1
        except BaseException as error:
            error.add_note(f"mutation {seed}")
            raise
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEMORY
    return outcomes


def test_damaged_files_load_or_are_refused(tmp_path):
    outcomes = check(range(DEFAULT_RUN), tmp_path / "damaged.osim")
    assert min(outcomes["loaded"], outcomes["refused"]) > DEFAULT_RUN // 5, outcomes


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_for_what_follows_from_them_are_refused(tmp_path):
    path = tmp_path / "large.osim"
    path.write_text(hopper_model.HOPPER.replace("0.03 0.045 0.05", "0.03 -1e308 0.05"), "utf-8")
    with pytest.raises(jaxosim.OsimFormatError, match="large.osim: paths.functions.simm_spline"):
        jaxosim.load_model(path)


@pytest.mark.slow
def test_many_damaged_files_load_or_are_refused(tmp_path):
    check(range(DEFAULT_RUN, LONG_RUN), tmp_path / "damaged.osim")
