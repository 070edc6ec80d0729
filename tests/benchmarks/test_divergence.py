"""What counts as a world that breaks away, and what the gradients are compared by."""

import dataclasses
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
CALM = np.array([1.0, 1.0, 10.0, 1.0, 10.0])
FAST = np.array([1.0, 1.0, 31.0, 1.0, 31.0])  # beyond three times that
LOCKED = np.array([1.0, 1.0, 10.0, 1.0, 31.0])  # in the rates of its angles alone


@pytest.fixture
def scripts(monkeypatch):
    """The scripts, which find each other in their own folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import divergence
    import gradient_terms

    return divergence, gradient_terms


def counts(compared, ours, theirs, again=CALM, around=CALM):
    """Worlds of one beyond its reference, diverged, not finite; the reference as asked again."""
    result = compared(
        ours[None], theirs[None], lambda numbers: again[None], lambda number: around[None]
    )
    return result["beyond the reference"], result["diverged"], result["not finite"]


def test_a_world_like_its_reference_is_not_asked_about_again(scripts):
    result = scripts[0].compared(CALM[None], CALM[None], None, None)
    assert result["beyond the reference"] == result["diverged"] == 0


def test_a_reference_that_was_looked_at_too_seldom_is_asked_again(scripts):
    assert counts(scripts[0].compared, FAST, CALM, again=FAST) == (0, 0, 0)


def test_what_a_neighbor_of_the_reference_does_is_no_divergence(scripts):
    assert counts(scripts[0].compared, FAST, CALM, around=FAST) == (1, 0, 0)


def test_a_world_beyond_all_of_them_has_diverged(scripts):
    assert counts(scripts[0].compared, FAST, CALM) == (1, 1, 0)


def test_a_world_beyond_in_the_rates_of_its_angles_alone_is_counted_apart(scripts):
    assert counts(scripts[0].compared, LOCKED, CALM) == (1, 0, 0)
    result = scripts[0].compared(
        LOCKED[None], CALM[None], lambda n: CALM[None], lambda n: CALM[None]
    )
    assert result["in rates of angles alone"] == 1


@pytest.mark.thorough
def test_next_to_gimbal_lock_a_joint_turns_no_faster_than_its_body(scripts):
    """Two angles that turn about nearly one axis, at rates that nearly cancel."""
    model, params = jaxosim.load_model("gait14dof22musc_pros")
    state = jaxosim.initial_state(model, params)
    tilt, listing, rotation = (
        model.coordinate_names.index(f"pelvis_{name}") for name in ("tilt", "list", "rotation")
    )
    q = state.q.at[listing].set(1.55)
    u = jnp.zeros_like(state.u).at[tilt].set(500.0).at[rotation].set(500.0)
    opposed = min(
        (u, u.at[rotation].set(-500.0)),
        key=lambda u: float(
            scripts[0].sizes(model, params, dataclasses.replace(state, q=q, u=u))[2]
        ),
    )
    sizes = scripts[0].sizes(model, params, dataclasses.replace(state, q=q, u=opposed))
    assert sizes[4] == 500.0
    assert abs(sizes[2] - 500.0 * np.sqrt(2 - 2 * np.sin(1.55))) < 0.1


def test_what_is_not_finite_has_diverged_whatever_the_reference_does(scripts):
    assert counts(scripts[0].compared, np.nan * CALM, CALM, FAST, FAST) == (1, 1, 1)


@pytest.mark.parametrize("again, given_up", [(CALM, 0), (np.nan * CALM, 1)])
def test_a_reference_that_gave_up_is_asked_again_and_counted(scripts, again, given_up):
    ours, theirs = np.stack([CALM, CALM]), np.stack([CALM, np.nan * CALM])
    result = scripts[0].compared(ours, theirs, lambda numbers: again[None], None)
    assert result["reference gave up"] == given_up and result["diverged"] == 0


def test_gradients_are_compared_by_direction_and_length(scripts):
    expected = np.array([[3.0, 4.0], [1.0, 0.0]])
    same = scripts[1].compared(2 * expected, expected)
    assert same["cosine, least"] == pytest.approx(1)
    assert same["relative error, median"] == pytest.approx(1)
    turned = scripts[1].compared(np.array([[-4.0, 3.0], [1.0, 0.0]]), expected)
    assert turned["cosine, least"] == pytest.approx(0)
    assert turned["relative error, median"] == pytest.approx(2**0.5 / 2)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16])
def test_worlds_are_asked_about_in_parts_of_one_size(scripts, count):
    parts = scripts[0].in_parts(np.arange(count), 8)
    assert {(len(part), part.dtype.kind) for part in parts} == {(8, "i")}
    np.testing.assert_array_equal(np.unique(np.concatenate(parts)), np.arange(count))
