"""What a comparison names as beyond its bounds: a simulated OpenSim whose numbers scatter."""

import types

import numpy as np
from opensim_comparison.misses import Misses
from opensim_comparison.states import Comparison, Quantity

LENGTHS = Quantity("paths", 1e-9, {"muscle_length": ""})
RATES = Quantity("rates", 1e-9, {"u_dot": ""}, within=("own_residual", 1.0))
STATES, ELEMENTS = 3, 2


def misses(quantity, obtained, expected=None, scatter=0.0, condition=1.0, unknown=()):
    """Phrases where OpenSim says `expected`, zeros by default, and this much more when shifted."""
    (key,) = quantity.parts
    said = np.zeros((STATES, ELEMENTS)) if expected is None else expected
    oracle = types.SimpleNamespace(
        locked=np.zeros(ELEMENTS, bool),
        evaluate=lambda values: {key: said[int(values["time"])] + scatter},
    )
    states = {
        name: np.zeros((STATES, ELEMENTS))
        for name in ("q", "u", "activation", "fiber_length", "normalized_tendon_force")
    }
    states |= {"force_states": np.zeros((STATES, 0)), "time": np.arange(STATES)}
    answers = {
        key: said,
        "condition": np.full(STATES, condition),
        "own_residual": np.zeros(STATES),
    }
    compared = Comparison(oracle, states, answers, {key: np.asarray(obtained, float)})  # type: ignore[arg-type]
    finite_paths = ~np.isin(np.arange(STATES), unknown)
    return list(Misses(compared, 2, finite_paths).phrases([quantity]))


def values(at=None, value=1e-6):
    found = np.zeros((STATES, ELEMENTS))
    if at is not None:
        found[at] = value
    return found


def test_a_difference_beyond_bound_and_scatter_is_named_with_its_place():
    assert misses(LENGTHS, values()) == []
    named = ["paths 1.0e-06 (muscle_length[1] in state 2)"]
    assert misses(LENGTHS, values((2, 1))) == named
    assert misses(LENGTHS, values((2, 1)), scatter=9e-7) == named
    assert misses(LENGTHS, values((2, 1)), scatter=2e-6) == []


def test_what_is_not_finite_in_one_program_alone_is_named():
    for wrong in (np.nan, np.inf):
        assert misses(LENGTHS, values((0, 1), wrong), scatter=1.0) == [
            "paths inf (muscle_length[1] in state 0)"
        ]
        assert misses(LENGTHS, values(), expected=values((0, 1), wrong)) == [
            "OpenSim has no muscle_length in 1 states"
        ]


def test_accelerations_of_near_singular_states_are_left_out():
    assert misses(RATES, values((1, 0))) == ["rates 1.0e-06 (u_dot[0] in state 1)"]
    assert misses(RATES, values((1, 0)), condition=1e7) == []
    assert misses(LENGTHS, values((1, 0)), condition=1e7) != []


def test_accelerations_are_left_out_where_opensim_has_no_length_of_a_path():
    named = ["OpenSim has no length of a path in 1 states"]
    assert misses(RATES, values((1, 0)), unknown=[1]) == named
    assert misses(RATES, values((1, 0), np.nan), unknown=[1]) == named
    assert len(misses(RATES, values((1, 0)), unknown=[2])) == 2
    assert len(misses(LENGTHS, values((1, 0)), unknown=[1])) == 2


def test_infinity_is_no_scatter():
    for scatter in (np.inf, np.nan):
        assert misses(LENGTHS, values((0, 1), np.inf), scatter=scatter) != []
