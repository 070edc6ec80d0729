"""What constraints do to bodies and coordinates: beside OpenSim's records."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.integrators.projection import project
from jaxosim.outputs import constraint_records
from tests import hopper_model
from tests.constraints import worlds
from tests.models import osim_text as osim

# Between two bodies of one chain, whose common ancestor moves; and a coupler that passes by one.
CHAIN = osim.model(
    bodies="".join(
        osim.body(name, mass_center="0.1 0.2 0", inertia="0.3 0.2 0.4 0 0 0") for name in "abcd"
    ),
    joints=osim.joint("BallJoint", "j1", "/ground", "/bodyset/a", osim.coordinates(*"xyz"))
    + osim.pin("j2", "/bodyset/a", "/bodyset/b", "qb")
    + osim.joint(
        "UniversalJoint",
        "j3",
        "/bodyset/b",
        "/bodyset/c",
        osim.coordinates("p", "r", default_value="0.2"),
    )
    + osim.joint("PlanarJoint", "j4", "/bodyset/a", "/bodyset/d", osim.coordinates("s", "t", "v")),
    rest=osim.members(
        "ConstraintSet",
        worlds.coinciding("between", "/bodyset/c", "0.1 0 0.3", "/bodyset/d", "0.2 -0.1 0"),
        worlds.coupler(
            "sum", "r x", "qb", worlds.function("LinearFunction", coefficients="0.5 0 0.1")
        ),
    ),
)


@functools.cache
def onto_constraints(model):
    """Compiled projection of (params, state)."""
    return jax.jit(lambda params, state: project(model, params, state))


def states_of(model, params, count, seed=0):
    """States near the default pose, on the constraints."""
    rng, start = np.random.default_rng(seed), hopper_model.initial(model, params)
    move = lambda x, size: x + size * jnp.asarray(rng.standard_normal(x.shape))  # noqa: E731
    states = []
    for _ in range(count):
        state = dataclasses.replace(start, q=move(start.q, 0.2), u=move(start.u, 1.0))
        for _ in range(3):
            state = onto_constraints(model)(params, state)
        states.append(state)
    return states


def acting(model, params, state, controls):
    """What all constraints do."""
    return jaxosim.describe(model, params, state, controls).constraints


def recorded(constraint, at):
    """OpenSim's record of a constraint."""
    values = constraint.getRecordValues(at)
    return [values.get(i) for i in range(values.getSize())]


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "text",
    [pytest.param(worlds.EVERYTHING, marks=pytest.mark.thorough), CHAIN],
    ids=["everything", "chain"],
)
def test_records_of_constraints_are_opensims(opensim, text):
    model, params = hopper_model.load(text)
    oracle = hopper_model.oracle_of(text)
    constraints = oracle.model.getConstraintSet()
    largest = dict.fromkeys((c.getName() for c in constraints if c.getName() != "off"), 0.0)
    for state in states_of(model, params, 4):
        at = oracle.state_of({name: np.asarray(getattr(state, name)) for name in ("q", "u")})
        oracle.model.realizeAcceleration(at)
        info = hopper_model.describe(model, params, state, jnp.zeros(0))
        found = constraint_records(model, info)
        assert list(found) and set(found) == set(largest)
        expected = {name: recorded(constraints.get(name), at) for name in found}
        if "again" in found:  # the same as another: the two together have one answer, not each
            for records in (found, expected):
                records["point"] = list(np.add(records["point"], records["again"]))
                del records["again"]
        for name, values in expected.items():
            scale = max(1.0, np.abs(values).max())
            error = np.abs(np.array(found[name]) - values).max() / scale
            assert error < 1e-8, (name, error)
            largest[name] = max(largest[name], np.abs(values).max())
    assert all(size > 0.1 for name, size in largest.items() if name != "again"), largest


# property


@pytest.mark.thorough
def test_a_point_that_is_held_bears_the_weight_that_hangs_on_it():
    body = osim.body("a", "2", mass_center="0 -0.3 0")
    free = osim.joint("FreeJoint", "free", "/ground", "/bodyset/a", osim.coordinates(*"xyzuvw"))
    held = worlds.coinciding("held", "/ground", "0 1 0", "/bodyset/a", "0 0 0")
    model, params = hopper_model.load(
        osim.model(bodies=body, joints=free, rest=osim.members("ConstraintSet", held))
    )
    start = hopper_model.initial(model, params)
    state = dataclasses.replace(start, q=start.q.at[4].set(1.0), u=jnp.zeros_like(start.u))
    info = hopper_model.describe(model, params, state, jnp.zeros(0))
    acts = info.constraints["point_constraints"]
    weight = np.array([0, 2 * 9.80665, 0])
    np.testing.assert_allclose(acts.force[0], [-weight, weight], atol=1e-6)
    np.testing.assert_allclose(acts.torque[0, 1], 0, atol=1e-6)


def test_a_model_without_constraints_reports_none():
    model, params = hopper_model.load(osim.model())
    start = jaxosim.initial_state
    info = jax.eval_shape(lambda: acting(model, params, start(model, params), jnp.zeros(0)))
    assert info == {}


# gradient, batch, compile


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(CHAIN)
    (state,) = states_of(model, params, 1)

    def scalar(at):
        moved = dataclasses.replace(state, q=at[0], u=at[1])
        acts = acting(model, params, moved, jnp.zeros(0))
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(acts))

    at = state.q, state.u
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.jit(jax.grad(scalar))(at)
    expected = hopper_model.slope_along(jax.jit(scalar), at, direction, 1e-4)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.thorough
def test_a_batch_of_fused_kernels_equals_single_worlds_and_is_traced_once():
    model, params = hopper_model.load(CHAIN)
    hopper_model.assert_batches_equal_single_worlds(
        acting, model, params, states_of(model, params, 3), tolerances=(1e-9, 1e-3)
    )
