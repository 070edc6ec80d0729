"""Errors of trajectories and their summary, from numbers that one can check by hand."""

import numpy as np
import pytest
from opensim_comparison import trajectory_error
from patterns import random_held


def test_the_largest_error_of_any_coordinate_until_each_time():
    q, reference = np.zeros((100, 3)), np.zeros((100, 3))
    q[4, 1], q[9, 0], q[10, 2], q[60, 1] = 0.1, -0.3, 0.2, 0.5
    assert trajectory_error.largest_errors(q, reference) == [0.3, 0.3, 0.5]
    assert trajectory_error.largest_errors(q[:50], reference[:50]) == [0.3, 0.3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_wrong_from_then_on(bad):
    q = np.zeros((100, 2))
    q[20, 1] = bad
    assert trajectory_error.largest_errors(q, np.zeros((100, 2))) == [0.0, np.inf, np.inf]


def test_summary_takes_the_largest_of_a_group_and_the_median_of_the_random_ones():
    errors = {
        "constant 0.05": [1.0, 5.0],
        "constant 0.5": [2.0, 3.0],
        "sinusoidal": [4.0, 4.5],
        "zero": [0.5, 0.6],
        "random 0": [1.0, 7.0],
        "random 1": [3.0, 5.0],
        "random 2": [2.0, 6.0],
    }
    assert trajectory_error.summary(errors) == {
        "constant": [2.0, 5.0],
        "sine": [4.0, 4.5],
        "random, median": [2.0, 6.0],
        "random, largest": [3.0, 7.0],
        "zero": [0.5, 0.6],
    }
    assert trajectory_error.summary({}) == {}


def test_patterns_are_those_of_the_trajectory_tests_and_random_ones_by_number():
    patterns = trajectory_error.excitations(muscle_count=4, seeds=2, steps=30)
    assert set(patterns) == {
        *("constant 0.05", "constant 0.5", "sinusoidal", "zero", "random 0", "random 1")
    }
    assert {pattern.shape for pattern in patterns.values()} == {(30, 4)}
    np.testing.assert_array_equal(patterns["random 0"], random_held(4)[:30])
    held = patterns["random 1"].reshape(6, 5, 4)
    assert (held == held[:, :1]).all() and not (held[0] == held[1]).any()
    assert not (patterns["random 0"] == patterns["random 1"]).any()
