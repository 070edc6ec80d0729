"""The example that optimizes excitations: gradient, descent, and playback in OpenSim."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim import sto
from jaxosim.viewer.motion import load_motion

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
STEPS, WORLDS, KNOTS = 4, 4, 3


@pytest.fixture(scope="module")
def example():
    """The modules of the example, found as they are when it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        import optimizing.descent
        import optimizing.report
        import optimizing.task

        yield optimizing


@pytest.fixture(scope="module")
def task(example):
    """An arm that is to move its mass center, in a narrow band of postures."""
    model, params = jaxosim.load_model("arm2dof6musc")
    params = jax.tree.map(lambda x: jnp.asarray(x, float), params)
    start = jax.jit(jaxosim.initial_state)(model, params)
    low, high = np.asarray(start.q) - 0.002, np.asarray(start.q) + 0.002
    wanted, tolerance = np.array([0.05, 0.0, 0.0]), np.full(len(low), 0.01)
    return example.task.Task(model, params, start, STEPS, wanted, low, high, tolerance)


@pytest.fixture(scope="module")
def optimizer(example, task):
    return example.descent.Optimizer(task, starts(example, task))


def starts(example, task):
    shape = (WORLDS, KNOTS, len(task.model.muscle_names))
    return example.task.Variables(
        logits=jax.random.normal(jax.random.key(3), shape, float) - 1,
        log_stiffness=jnp.zeros((WORLDS, len(task.model.springs.names))),
    )


def test_excitations_go_from_knot_to_knot_and_stay_within_0_and_1(example, task):
    world = jax.tree.map(lambda x: 8 * x[0], starts(example, task))
    excitations = np.asarray(task.excitations_of(world))
    assert excitations.shape == (STEPS, len(task.model.muscle_names))
    assert (excitations > 0).all() and (excitations < 1).all()
    straight = np.log(excitations / (1 - excitations))
    at = np.linspace(0, KNOTS - 1, STEPS)
    expected = [np.interp(at, range(KNOTS), np.asarray(knots)) for knots in world.logits.T]
    np.testing.assert_allclose(straight, np.transpose(expected), rtol=1e-9)


def test_objective_is_the_sum_of_what_was_asked(example, task):
    still = jax.tree.map(lambda x: jnp.stack([x, x]), task.start)
    q = still.q.at[0, 0].add(0.012)  # 0.01 beyond the band, in one of two instants
    activation = jnp.full_like(still.activation, 0.5)
    states = dataclasses.replace(still, q=q, activation=activation)
    outcome = jax.jit(task.judge)(task.params, states)
    assert outcome.terms.velocity == pytest.approx((0.05 / 0.1) ** 2)  # at rest
    assert outcome.terms.effort == pytest.approx(10 * 0.25)
    assert outcome.terms.posture == pytest.approx(0.5)
    assert outcome.total == pytest.approx(sum(outcome.terms))


@pytest.mark.thorough
def test_gradient_is_the_difference_quotient(example, task, optimizer):
    """Of worlds 0 and 1 along random directions; 2 and 3 are beside them."""
    variables = starts(example, task)
    directions = jax.random.normal(jax.random.key(4), variables.logits.shape, float)
    _, slope = optimizer.gradient(variables)
    expected = np.sum(np.asarray(slope.logits * directions), axis=(1, 2))
    step, sides = 1e-5, []
    for sign in (1, -1):
        moved = variables._replace(logits=variables.logits + sign * step * directions)
        sides.append(np.asarray(optimizer.gradient(moved)[0][0]))
    np.testing.assert_allclose((sides[0] - sides[1]) / (2 * step), expected, rtol=1e-4, atol=1e-7)
    assert np.abs(expected).min() > 1e-3


@pytest.mark.thorough
def test_a_short_descent_improves_every_start(example, task, optimizer):
    variables, free = starts(example, task), np.zeros(WORLDS, bool)
    with jax.numpy_dtype_promotion("standard"):  # optax multiplies counts by rates
        best, totals = optimizer.run("test", variables, free, 12, rate=0.3)
    assert totals.shape == (12, WORLDS)
    assert (totals.min(axis=0) < 0.8 * totals[0]).all()
    (again, _), _ = optimizer.gradient(best)
    np.testing.assert_allclose(again, totals.min(axis=0), rtol=1e-9)
    rows = optimizer.rows[-12:]
    assert [row["iteration"] for row in rows] == list(range(12))
    for entry, total in zip(rows, totals, strict=True):
        assert entry["best"] == total.min() and entry["worst"] == total.max()
        assert entry["velocity"] + entry["effort"] + entry["posture"] == pytest.approx(total.min())


@pytest.mark.thorough
def test_what_was_found_is_played_accurately_the_best_first(example, task, optimizer):
    import optimizing.report

    variables = starts(example, task)
    found = optimizing.report.Found.of("test", task, optimizer, variables)
    accurate = jax.jit(
        jax.vmap(lambda one: task.objective(one, jaxosim.Options(method="rk4", substeps=200))[0])
    )
    np.testing.assert_allclose(found.totals, np.sort(accurate(variables)), rtol=1e-4)
    order = np.argsort(accurate(variables))
    np.testing.assert_array_equal(found.variables.logits, variables.logits[order])


@pytest.mark.thorough
@pytest.mark.opensim
def test_playback_moves_as_the_rollout_does(example, task, optimizer, opensim):
    from optimizing.playback import play

    (_, outcome), _ = optimizer.gradient(starts(example, task))
    excitations = task.excitations_of(jax.tree.map(lambda x: x[0], starts(example, task)))
    theirs = play(task.model, task.params, task.start, np.asarray(excitations), 1e-8)
    ours = jax.tree.map(lambda x: np.asarray(x[0]), outcome.states)
    moved = np.abs(ours.q[-1] - np.asarray(task.start.q)).max()
    assert np.abs(np.asarray(theirs.q) - ours.q).max() < 0.01 * moved
    np.testing.assert_allclose(theirs.activation, ours.activation, atol=2e-3)
    np.testing.assert_allclose(theirs.time, ours.time, atol=1e-6)


@pytest.mark.slow
@pytest.mark.opensim
@pytest.mark.usefixtures("opensim")
def test_the_whole_example(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, str(EXAMPLES / "optimize_excitations.py"), "--cores", "2"]
    as_users = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(
        [*command, "--out", str(out)], env=as_users, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["objective_at_first"] > 10 * result["objective_at_last"]
    for name in ("excitations_kept", "excitations_adapted"):
        assert result["ankle"][name]["median_difference"] < 0.2  # some hold a jump of contact
    assert min(result["ankle"]["both_free"]["objective"]) < result["objective_at_last"]
    for name in ("excitations", "ankle"):
        played = result["opensim"][name]
        assert played["largest_difference"] < 5e-3
        assert played["objective_in_opensim"] == pytest.approx(played["objective"], rel=0.05)
        run = load_motion(out / f"{name}.npz")
        assert run.world_count == 16 and len(run.time) == 31
        states = sto.read_states(out / f"{name}_opensim.sto", run.model, run.params)
        assert np.abs(np.asarray(states.q) - run.world(0).q[1:]).max() < 5e-3
        _, excitation = sto.read_controls(out / f"{name}_controls.sto", run.model)
        np.testing.assert_allclose(excitation, run.controls[:, 0], atol=1e-6)
    assert (out / "history.csv").read_text().count("\n") == 1 + 100 + 50
