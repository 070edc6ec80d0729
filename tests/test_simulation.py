"""Starting state, control steps and rollouts: consistency, convergence, gradients, restarts."""

import dataclasses
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import ModelMismatchError
from jaxosim.integrators.problem import error_norm
from jaxosim.simulation import init_integrator, step_with_state, substeps
from tests import hopper_model

SAME = 1e-10  # one program in two groupings: rounding, multiplied by stiff contacts
EQUILIBRIUM_TOLERANCE = 1e-7  # (m/s) fiber speed left by OpenSim's force tolerance of 1e-8
GRADIENT_TOLERANCE = 1e-4  # of a step: differences lose digits to stiff contacts
DIFFERENCE_STEP = 1e-6  # relative; 1e-5 away from the state that is used lies a kink
LIVE_TOLERANCE = 1e-6  # of 50 ms at accuracy 1e-9, both integrators at their own error
DURATION = 5  # control steps
# Largest error of q and u after 50 ms with 40 substeps, measured; a wrong scheme is 10 times worse.
CONVERGED = {"ros3w": 2e-3, "rk4": 4e-4, "euler": 1.5e-1}

FINE = {name: jaxosim.Options(method=name, substeps=40) for name in CONVERGED}
REFERENCE = jaxosim.Options.reference(accuracy=1e-9)
HEIGHT, KNEE, ANKLE = 2, 3, 4  # coordinates of the hopper


@pytest.fixture(scope="module")
def world():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.initial(model, params)
    return model, params, state, jnp.array([[0.2, 0.1], [0.9, 0.1], [0.9, 0.7], [0.0, 1.0], [0, 0]])


@pytest.fixture(scope="module")
def reference(world):
    """The end of 50 ms by the error-controlled integrator."""
    model, params, state, excitations = world
    return hopper_model.rollout_of(model, REFERENCE)(params, state, excitations)


def largest_difference(a, b):
    """Largest difference of poses, and of speeds relative to their size."""
    speed = jnp.abs(a.u - b.u) / jnp.maximum(1.0, jnp.abs(b.u))
    return float(jnp.maximum(jnp.abs(a.q - b.q).max(), speed.max()))


# parity


@pytest.mark.opensim
def test_reference_method_follows_live_opensim(opensim, world, reference):
    live = hopper_model.oracle_of(hopper_model.HOPPER).trajectory(
        np.asarray(world[3]), accuracy=1e-9
    )
    for name in ("q", "u", "activation", "fiber_length"):
        np.testing.assert_allclose(
            getattr(reference, name), live[name][1:], rtol=LIVE_TOLERANCE, atol=LIVE_TOLERANCE
        )


@pytest.mark.opensim
def test_initial_state_is_live_opensims(opensim, world):
    live = hopper_model.oracle_of(hopper_model.HOPPER).rest()
    for name in ("q", "u", "activation", "fiber_length"):
        np.testing.assert_allclose(getattr(world[2], name), live[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("given", [[0, 0, 1, 0, 0], (0, 0, 1, 0, 0), np.array([0, 0, 1, 0, 0])])
def test_a_pose_may_be_given_as_whole_numbers_or_a_list(world, given):
    model, params, _, _ = world
    state = jaxosim.initial_state(model, params, q=given, u=given)
    expected = jaxosim.initial_state(
        model, params, q=jnp.array([0.0, 0, 1, 0, 0]), u=jnp.array([0.0, 0, 1, 0, 0])
    )
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("given", [{"q": [0.0, 1.0]}, {"u": 3}, {"q": np.zeros((2, 5))}])
def test_a_pose_of_another_model_is_refused(world, given):
    with pytest.raises(ModelMismatchError, match=r"expected shape \[coordinate=5\]"):
        jaxosim.initial_state(world[0], world[1], **given)


# property


def test_initial_state_is_in_equilibrium(world):
    model, params, state, _ = world
    rates = hopper_model.rates(model, params, state, state.activation)
    assert float(jnp.abs(rates.fiber_length).max()) < EQUILIBRIUM_TOLERANCE
    assert float(jnp.abs(rates.activation).max()) == 0.0


def test_initial_state_takes_a_pose_and_speeds(world):
    model, params, state, _ = world
    q, u = state.q + 0.1, jnp.ones_like(state.u)
    given = jax.jit(lambda p, q, u: jaxosim.initial_state(model, p, q, u))(params, q, u)
    chex.assert_trees_all_equal(given.q, q)
    np.testing.assert_array_equal(given.u, np.where(model.locked, 0.0, 1.0))
    assert float(jnp.abs(given.fiber_length - state.fiber_length).max()) > 1e-3


@pytest.mark.parametrize("method", CONVERGED)
def test_fine_steps_converge_to_the_reference(world, reference, method):
    model, params, state, excitations = world
    states = hopper_model.rollout_of(model, FINE[method])(params, state, excitations)
    error = largest_difference(hopper_model.row(states, -1), hopper_model.row(reference, -1))
    print(method, error)
    assert error < CONVERGED[method]


@pytest.mark.thorough
def test_substeps_end_where_a_path_gains_or_loses_a_point(world):
    """Within the step of which the knee meets the edge, to a part of a substep."""
    model, params, state, excitations = world
    edge = hopper_model.CONDITION[1]
    start = hopper_model.replace_at(state, q=(HEIGHT, 1.0))  # in the air
    start = hopper_model.replace_at(start, q=(KNEE, edge + 0.005), u=(KNEE, -12.0))
    options = jaxosim.Options()
    run = jax.jit(lambda p, s, e: substeps(model, p, s, e, options))
    states = run(params, start, excitations[0])
    knee = np.asarray(states.q[:, KNEE])
    assert np.abs(knee - edge).min() < 0.05 * np.abs(np.diff(knee)).max()
    end = hopper_model.step_of(model, options)(params, start, excitations[0])
    last = dataclasses.replace(hopper_model.row(states, -1), time=end.time)
    chex.assert_trees_all_close(last, end, rtol=SAME, atol=SAME)


def test_rollout_is_repeated_step(world):
    model, params, state, excitations = world
    options = jaxosim.Options()
    states = hopper_model.rollout_of(model, options)(params, state, excitations)
    for index, excitation in enumerate(excitations):
        state = hopper_model.step_of(model, options)(params, state, excitation)
        chex.assert_trees_all_close(hopper_model.row(states, index), state, rtol=SAME, atol=SAME)


def test_a_rollout_can_be_cut_and_resumed(world):
    model, params, state, excitations = world
    run = hopper_model.rollout_of(model, jaxosim.Options())
    whole = run(params, state, jnp.concatenate([excitations, excitations]))
    middle = hopper_model.row(run(params, state, excitations), -1)
    rest = run(params, middle, excitations)
    chex.assert_trees_all_close(jax.tree.map(lambda x: x[5:], whole), rest, rtol=SAME, atol=SAME)


def test_time_advances_by_the_step_size(world):
    model, params, state, excitations = world
    states = hopper_model.rollout_of(model, jaxosim.Options())(params, state, excitations)
    np.testing.assert_allclose(states.time, 0.01 * np.arange(1, DURATION + 1), rtol=0, atol=1e-15)


@pytest.mark.parametrize("options", [jaxosim.Options(), REFERENCE], ids=["ros3w", "merson"])
def test_a_locked_coordinate_stays_where_it_is_put(world, options):
    model, params, state, excitations = world
    moved = hopper_model.replace_at(state, q=(ANKLE, 0.4))
    run = hopper_model.rollout_of(model, options)
    states, others = run(params, moved, excitations), run(params, state, excitations)
    np.testing.assert_array_equal(states.q[:, ANKLE], 0.4)
    np.testing.assert_array_equal(states.u[:, ANKLE], 0.0)
    assert largest_difference(states, dataclasses.replace(others, q=states.q)) > 1e-3


def test_a_first_stage_of_its_own_keeps_the_old_controls_for_one_stage(world, reference):
    model, params, state, excitations = world

    @jax.jit
    def steps(controls):
        def one(carry, row):
            before = carry[1].controls
            after = step_with_state(model, params, carry[0], row, carry[1], REFERENCE, before)
            return after, after[0]

        return jax.lax.scan(one, (state, init_integrator(state, controls[0])), controls)[1]

    stale = steps(excitations)
    same = (hopper_model.row(reference, 0), hopper_model.row(stale, 0))
    chex.assert_trees_all_close(*same, rtol=SAME, atol=SAME)
    gap = np.abs(np.asarray(reference.activation - stale.activation))[1]
    assert 1e-12 < gap.max() < 1e-3


def test_error_norm_is_the_largest_of_three_weighted_rms(world):
    model, _, state, _ = world
    zero = jax.tree.map(jnp.zeros_like, state)
    count = state.q.size
    fast = hopper_model.replace_at(state, u=(0, 4.0))
    error = hopper_model.replace_at(zero, u=(0, 1.0))
    assert float(error_norm(model, fast, error)) == pytest.approx(0.25 / count**0.5)
    error = hopper_model.replace_at(error, q=(0, 1.0))
    assert float(error_norm(model, fast, error)) == pytest.approx(1 / count**0.5)
    error = hopper_model.replace_at(zero, fiber_length=(0, 1.0))
    assert float(error_norm(model, fast, error)) == pytest.approx(
        1 / (2 * state.activation.size) ** 0.5
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "rk5"}, r"expected one of .*'ros3w'.* got 'rk5'"),
        ({"method": None}, r"expected one of .*'ros3w'.* got None"),
        ({"substeps": 0}, "substeps: expected a positive whole number, got 0"),
        ({"substeps": 2.0}, "substeps: expected a positive whole number, got 2.0"),
        ({"substeps": True}, "substeps: expected a positive whole number, got True"),
        ({"step_size": 0.0}, "step_size: expected a positive number, got 0.0"),
        ({"step_size": np.nan}, "step_size: expected a positive number, got nan"),
        ({"step_size": "0.01"}, "step_size: expected a positive number, got '0.01'"),
        ({"accuracy": -1.0}, "accuracy: expected a positive number, got -1.0"),
        ({"accuracy": np.inf}, "accuracy: expected a positive number, got inf"),
    ],
)
def test_options_are_checked_when_made(change, message):
    with pytest.raises(ValueError, match=message):
        jaxosim.Options(**change)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(jaxosim.Options(), **change)


def test_named_options_are_as_documented():
    assert jaxosim.Options() == jaxosim.Options(method="ros3w", substeps=6)
    assert jaxosim.Options.fast() == jaxosim.Options(substeps=4)
    assert jaxosim.Options.fine() == jaxosim.Options(substeps=10)
    assert jaxosim.Options.accurate() == jaxosim.Options(substeps=24)
    assert jaxosim.Options.reference(1e-6).accuracy == 1e-6


def test_step_names_a_wrong_shape(world):
    model, params, state, excitations = world
    wrong = dataclasses.replace(state, activation=jnp.zeros(5))
    with pytest.raises(ModelMismatchError, match=r"State\.activation"):
        jaxosim.step(model, params, wrong, excitations[0])


@pytest.mark.parametrize("verb", [jaxosim.step, jaxosim.state_derivative, jaxosim.describe])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 2), (2, 1)], ids=str)
def test_controls_of_another_shape_are_refused(world, verb, shape):
    model, params, state, _ = world
    expected = rf"controls: expected shape \[control=2\], got {re.escape(str(list(shape)))}"
    with pytest.raises(ModelMismatchError, match=expected):
        verb(model, params, state, jnp.full(shape, 0.5))


@pytest.mark.parametrize("shape", [(), (2,), (3, 1), (3, 3), (1, 3, 2)], ids=str)
def test_rows_of_controls_of_another_shape_are_refused(world, shape):
    model, params, state, _ = world
    expected = rf"controls: expected shape \[time, control=2\], got \[{str(shape)[1:-1].strip(',')}"
    with pytest.raises(ModelMismatchError, match=expected):
        jaxosim.rollout(model, params, state, jnp.full(shape, 0.5))


@pytest.mark.parametrize(
    "controls, found",
    [
        (np.full(2, 0.5j), "complex128"),
        (np.array(["a", "b"]), "<U1"),
        (jax.random.split(jax.random.key(0), 2), "key<fry>"),
        (["left", "right"], "list"),
        (None, "NoneType"),
    ],
    ids=["complex", "text", "keys", "list of text", "None"],
)
@pytest.mark.parametrize("verb", [jaxosim.step, jaxosim.state_derivative, jaxosim.describe])
def test_controls_of_another_kind_are_refused(world, verb, controls, found):
    model, params, state, _ = world
    expected = rf"controls: expected real numbers \[control=2\], got .*{re.escape(found)}"
    with pytest.raises(ModelMismatchError, match=expected):
        verb(model, params, state, controls)


def test_controls_of_rollout_of_another_kind_are_refused(world):
    model, params, state, _ = world
    expected = r"controls: expected real numbers \[time, control=2\], got dtype complex128"
    with pytest.raises(ModelMismatchError, match=expected):
        jaxosim.rollout(model, params, state, np.full((3, 2), 0.5j))


@pytest.mark.parametrize(
    "verb", [jaxosim.step, jaxosim.rollout, jaxosim.state_derivative, jaxosim.describe]
)
def test_arguments_in_another_order_are_refused_by_name(world, verb):
    model, params, state, excitations = world
    controls = excitations if verb is jaxosim.rollout else excitations[0]
    with pytest.raises(ModelMismatchError, match=r"params: expected jaxosim\.Params, got State"):
        verb(model, state, params, controls)
    with pytest.raises(ModelMismatchError, match=r"state: expected jaxosim\.State, got NoneType"):
        verb(model, params, None, controls)
    with pytest.raises(ModelMismatchError, match=r"model: expected jaxosim\.Model, got str"):
        verb("arm2dof6musc", params, state, controls)


@pytest.mark.parametrize(
    "verb", [jaxosim.step, jaxosim.rollout, jaxosim.state_derivative, jaxosim.describe]
)
@pytest.mark.parametrize(
    "wrong, expected",
    [
        ({"q": jnp.zeros((5, 1))}, r"State\.q: expected shape \[coordinate=5\], got \[5, 1\]"),
        ({"u": jnp.zeros(4)}, r"State\.u: expected shape \[coordinate=5\], got \[4\]"),
        ({"q": jnp.zeros(5, int)}, r"State\.q: expected floating-point numbers, got int64"),
        ({"q": jnp.zeros(5, jnp.float32)}, r"State\.q: expected float64 as .*, got float32"),
        ({"time": None}, r"State\.time: expected an array, got NoneType"),
        ({"time": jax.random.key(0)}, r"State\.time: expected floating-point numbers, got key"),
    ],
    ids=["rank", "length", "whole numbers", "precision", "None", "key"],
)
def test_states_that_do_not_fit_are_refused(world, verb, wrong, expected):
    model, params, state, excitations = world
    controls = excitations if verb is jaxosim.rollout else excitations[0]
    with pytest.raises(ModelMismatchError, match=expected):
        verb(model, params, dataclasses.replace(state, **wrong), controls)


def test_whole_numbers_and_lists_are_taken_as_numbers(world):
    model, params, state, _ = world
    options = jaxosim.Options(method="euler", substeps=1)
    with jax.numpy_dtype_promotion("strict"):
        whole = jaxosim.step(model, params, state, np.array([1, 0]), options)
        listed = jaxosim.step(model, params, state, [1.0, 0.0], options)
        pose, speeds = [0] * len(state.q), np.zeros(len(state.u), int)
        placed = jaxosim.initial_state(model, params, pose, speeds)
    chex.assert_trees_all_equal(whole, listed)
    assert placed.q.dtype == placed.u.dtype == placed.time.dtype == state.q.dtype


@pytest.mark.parametrize("name", ["q", "u"])
def test_initial_state_names_a_wrong_shape(world, name):
    model, params, state, _ = world
    expected = rf"^{name}: expected shape \[coordinate={len(state.q)}\], got \[2\]"
    with pytest.raises(ModelMismatchError, match=expected):
        jaxosim.initial_state(model, params, **{name: jnp.zeros(2)})


@pytest.mark.parametrize("method", ["ros3w", "rk4", "merson"])
def test_x64_may_be_switched_after_a_model_has_been_traced(method):
    options = jaxosim.Options(method=method)

    def dtypes():
        model, params = hopper_model.load(hopper_model.HOPPER)
        state = jax.eval_shape(jaxosim.initial_state, model, params)
        excitations = jax.ShapeDtypeStruct((3, 2), jnp.result_type(float))
        states = jax.eval_shape(jaxosim.rollout, model, params, state, excitations, options)
        return {str(leaf.dtype) for leaf in jax.tree.leaves((state, states))}

    for mode in (True, False, True):
        with jax.enable_x64(mode):
            assert dtypes() == {"float64" if mode else "float32"}


def test_single_precision_is_kept_beside_double(world):
    model, *double, excitations = world
    params, state = jax.tree.map(lambda leaf: leaf.astype(np.float32), tuple(double))
    states = jax.eval_shape(jaxosim.rollout, model, params, state, excitations)  # float64 controls
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(states)} == {"float32"}


def test_records_of_two_precisions_are_refused_by_name(world):
    model, params, state, excitations = world
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), state)
    for verb in (jaxosim.step, jaxosim.state_derivative, jaxosim.describe):
        expected = r"State\.time: expected float64 as Params\.gravity has, got float32"
        with pytest.raises(ModelMismatchError, match=expected):
            verb(model, params, single, excitations[0])


def test_double_precision_is_refused_where_jax_has_it_off(world):
    model, params, state, excitations = world
    with jax.enable_x64(False):
        with pytest.raises(ModelMismatchError, match=r"float64 numbers, and JAX's x64 mode is off"):
            jaxosim.step(model, params, state, excitations[0])
        with pytest.raises(ModelMismatchError, match=r"float64 numbers, and JAX's x64 mode is off"):
            jaxosim.initial_state(model, params)


def test_whole_numbers_in_a_state_are_refused(world):
    model, params, state, excitations = world
    whole = dataclasses.replace(state, q=jnp.zeros(state.q.shape, int))
    with pytest.raises(ModelMismatchError, match=r"State\.q: expected floating-point numbers"):
        jaxosim.step(model, params, whole, excitations[0])


# gradient


@pytest.fixture(scope="module")
def final_height(world):
    """Height after a rollout, a function of (params, state, excitations)."""
    model = world[0]
    return jax.jit(lambda at: jaxosim.rollout(model, *at).q[-1, HEIGHT])


@pytest.fixture(scope="module")
def slopes_of(final_height):
    """Its gradient, compiled once."""
    return jax.jit(jax.grad(final_height))


@pytest.fixture(scope="module")
def derivative_along(final_height):
    """Its derivative at arguments along a direction, compiled once."""
    return jax.jit(lambda at, direction: jax.jvp(final_height, (at,), (direction,))[1])


@pytest.fixture(scope="module")
def off_the_kinks(world):
    """Arguments off the kink of the force-velocity curve at rest, at which an implicit step jumps.

    There the slope that the step takes for a fiber's is another when it lengthens.
    """
    _, params, state, excitations = world
    state = dataclasses.replace(state, fiber_length=1.02 * state.fiber_length)
    return params, state, excitations + 0.05  # and not at excitation = activation


def directions_from(at):
    """Random changes of one argument at a time."""
    zero, moved = jax.tree.map(jnp.zeros_like, at), hopper_model.random_direction(at, seed=5)
    for index in range(len(at)):
        yield tuple(moved[i] if i == index else zero[i] for i in range(len(at)))


def test_derivative_of_a_rollout_is_the_difference_quotient(
    final_height, derivative_along, off_the_kinks
):
    at = off_the_kinks
    for direction in directions_from(at):
        expected = hopper_model.slope_along(final_height, at, direction, DIFFERENCE_STEP)
        obtained = float(derivative_along(at, direction))
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1e-3, abs(expected))


def test_gradient_of_a_rollout_is_finite_and_the_derivative(
    slopes_of, derivative_along, off_the_kinks
):
    at = off_the_kinks
    slopes = slopes_of(at)
    assert hopper_model.all_finite(slopes)
    for direction in directions_from(at):
        expected = float(derivative_along(at, direction))
        assert abs(hopper_model.inner(slopes, direction) - expected) < SAME * max(
            1.0, abs(expected)
        )


def test_gradient_is_finite_from_rest_with_zero_excitation(world, slopes_of):
    """Zero slip, excitation at the activation's floor, and a fiber at its shortest."""
    _, params, state, excitations = world
    resting = dataclasses.replace(state, u=jnp.zeros_like(state.u))
    short = hopper_model.replace_at(resting, fiber_length=(0, 0.0), activation=(1, 0.01))
    for start in (resting, short):
        assert hopper_model.all_finite(slopes_of((params, start, jnp.zeros_like(excitations))))


# batch


def test_vmap_of_step_equals_a_loop(world):
    model, params, _, excitations = world
    options = jaxosim.Options()
    states = hopper_model.stack(
        [hopper_model.random_state(model, params, s, 0.05) for s in range(3)]
    )
    batched = jax.jit(jax.vmap(jaxosim.step, (None, None, 0, 0)))
    together = batched(model, params, states, excitations[:3])
    for index in range(3):
        alone = hopper_model.step_of(model, options)(
            params, hopper_model.row(states, index), excitations[index]
        )
        chex.assert_trees_all_close(hopper_model.row(together, index), alone, rtol=SAME, atol=SAME)


# compile


def test_one_trace_for_equal_options(world):
    model, params, state, excitations = world

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(model, params, state, excitation, options):
        return jaxosim.step(model, params, state, excitation, options)

    for _ in range(2):
        one(model, params, state, excitations[0], jaxosim.Options(method="euler", substeps=1))


def test_the_error_norms_slope_where_a_speed_begins_to_count_by_its_size(world):
    model, _, state, _ = world
    error = hopper_model.replace_at(jax.tree.map(jnp.zeros_like, state), u=(0, 1.0))
    norm = lambda speed: error_norm(model, hopper_model.replace_at(state, u=(0, speed)), error)  # noqa: E731
    at, within = hopper_model.slopes_at_an_edge(norm, 1.0, 1)
    np.testing.assert_allclose(at, within, rtol=1e-5)
