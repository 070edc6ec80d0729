"""A missed target is reported as missed, on either side and for any measurement."""

import math

import pytest
from tables import Target, show_targets, text_of


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("x", 1.5, 1.5), True),
        (Target("x", 1.51, 1.5), False),
        (Target("x", 2.0, 2.0, at_least=True), True),
        (Target("x", 1.99, 2.0, at_least=True), False),
        (Target("x", math.nan, 2.0), False),
        (Target("x", math.nan, 2.0, at_least=True), False),
    ],
)
def test_a_target_is_met_on_its_own_side_only(target, met):
    assert target.met is met


def test_a_missed_target_is_printed_as_such(capsys):
    show_targets([Target("fast enough", 3.0, 2.0, at_least=True), Target("small enough", 3.0, 2.0)])
    fast, small = (line for line in capsys.readouterr().out.splitlines() if "enough" in line)
    assert fast.split()[-1] == "yes" and "≥ 2" in fast
    assert small.split()[-1] == "NO" and "≤ 2" in small


def test_cells_show_counts_in_full_and_other_numbers_with_three_digits():
    cells = [16384, 25_812.4, 1.234567, 3e-9, None, True, False, "osl"]
    assert [text_of(cell) for cell in cells] == [
        *("16,384", "25,812", "1.23", "3e-09", "", "yes", "NO", "osl")
    ]
