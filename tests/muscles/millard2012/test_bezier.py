"""Curves of Bézier segments: OpenSim's numbers, roots to rounding, derivatives of every order."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.muscles.millard2012.bezier import (
    Points,
    balanced_point,
    curve_value,
    parameter_at,
    point_at,
)
from jaxosim.muscles.millard2012.curves import (
    ActiveForceLengthCurve,
    FiberForceLengthCurve,
    ForceVelocityCurve,
    TendonForceLengthCurve,
)
from tests import hopper_model

VALUE_TOLERANCE = 1e-10
SLOPE_TOLERANCE = 1e-10  # relative to max(1, |value|)
ROUNDING = 10  # of a root: units of precision of the segment's height, whose slope is up to 5
GRADIENT_TOLERANCE = 1e-7

value = jax.jit(curve_value)
slope = jax.jit(lambda curve, x: jax.jvp(lambda x: curve_value(curve, x), (x,), (jnp.ones(1),))[1])
root = jax.jit(parameter_at)


def at_all(function, points, x):
    """A function of a curve at many places: each as if it were a muscle."""
    curve = jnp.asarray(points)
    each = jax.vmap(lambda x: function(curve[None], x[None])[0])
    return np.asarray(each(jnp.asarray(x, float)))


def places(points):
    """All along a curve, at its knots, and beyond its ends."""
    low, high = points[0, 0, 0], points[-1, -1, 0]
    beyond = 0.3 * (high - low)
    return np.concatenate(
        [np.linspace(low - beyond, high + beyond, 101), points[:, 0, 0], points[-1:, -1, 0]]
    )


# parity


ACTIVE = {"min_norm_active_fiber_length": 0.4, "transition_norm_fiber_length": 0.7}
ACTIVE |= {"max_norm_active_fiber_length": 1.6, "shallow_ascending_slope": 0.7}
FIBER = {"strain_at_zero_force": 0.05, "strain_at_one_norm_force": 0.6}
FIBER |= {"stiffness_at_low_force": 0.3, "stiffness_at_one_norm_force": 4.0, "curviness": 0.4}
TENDON = {"strain_at_one_norm_force": 0.033, "stiffness_at_one_norm_force": 50.0}
TENDON |= {"norm_force_at_toe_end": 0.5, "curviness": 0.2}
VELOCITY = {"isometric_slope": 4.0, "max_eccentric_velocity_force_multiplier": 1.5}
VELOCITY |= {"concentric_slope_near_vmax": 0.3, "eccentric_slope_near_vmax": 0.2}
VELOCITY |= {"concentric_curviness": 0.5, "eccentric_curviness": 0.8}
CURVES = {
    "active": ActiveForceLengthCurve().points(True),
    "active, undamped": ActiveForceLengthCurve(**ACTIVE, minimum_value=0.15).points(False),
    "fiber": FiberForceLengthCurve().points(),
    "fiber, changed": FiberForceLengthCurve(**FIBER).points(),
    "tendon": TendonForceLengthCurve().points(),
    "tendon, changed": TendonForceLengthCurve(**TENDON).points(),
    "velocity": ForceVelocityCurve().points(True),
    "velocity, changed": ForceVelocityCurve(**VELOCITY).points(True),
    "inverse velocity": ForceVelocityCurve().points(False)[..., ::-1],
    "inverse velocity, changed": ForceVelocityCurve(**VELOCITY).points(False)[..., ::-1],
}


def live_curve(opensim, name):
    """OpenSim's curve of the same properties."""
    velocity = [VELOCITY[f"{kind}_curviness"] for kind in ("concentric", "eccentric")]
    near = [VELOCITY[f"{kind}_slope_near_vmax"] for kind in ("concentric", "eccentric")]
    most, iso = VELOCITY["max_eccentric_velocity_force_multiplier"], VELOCITY["isometric_slope"]
    return {
        "active": lambda: opensim.ActiveForceLengthCurve(0.47 - 0.0259, 0.73, 1.8123, 0.8616, 0.0),
        "active, undamped": lambda: opensim.ActiveForceLengthCurve(*ACTIVE.values(), 0.15),
        "fiber": opensim.FiberForceLengthCurve,
        "fiber, changed": lambda: opensim.FiberForceLengthCurve(*FIBER.values()),
        "tendon": opensim.TendonForceLengthCurve,
        "tendon, changed": lambda: opensim.TendonForceLengthCurve(*TENDON.values()),
        "velocity": opensim.ForceVelocityCurve,
        "velocity, changed": lambda: opensim.ForceVelocityCurve(
            0.0, near[0], iso, 0.0, near[1], most, *velocity
        ),
        "inverse velocity": lambda: opensim.ForceVelocityInverseCurve(
            0.125, 0.25, 5.0, 0.075, 0.15, 1.4, 0.6, 0.9
        ),
        "inverse velocity, changed": lambda: opensim.ForceVelocityInverseCurve(
            near[0] / 2, near[0], iso, near[1] / 2, near[1], most, *velocity
        ),
    }[name]()


@pytest.mark.opensim
@pytest.mark.parametrize("name", CURVES)
def test_curves_are_live_opensims(opensim, name):
    points, live = CURVES[name], live_curve(opensim, name)
    x = places(points)
    shift = 1.0 if name.startswith("tendon") else 0.0  # ours is of the strain
    expected = [live.calcValue(float(one) + shift) for one in x]
    slopes = np.array([live.calcDerivative(float(one) + shift, 1) for one in x])
    np.testing.assert_allclose(at_all(value, points, x), expected, rtol=0, atol=VALUE_TOLERANCE)
    error = np.abs(at_all(slope, points, x) - slopes) / np.maximum(1, np.abs(slopes))
    assert error.max() < SLOPE_TOLERANCE


def test_curves_pass_through_the_points_that_define_them():
    active = CURVES["active"]
    x = [0.2, 0.47 - 0.0259, 1.0, 1.8123, 2.5]
    np.testing.assert_allclose(at_all(value, active, x), [0, 0, 1, 0, 0], atol=1e-15)
    tendon = at_all(value, CURVES["tendon"], [-0.1, 0.0, 0.049])
    np.testing.assert_allclose(tendon, [0, 0, 1], atol=1e-14)
    fiber = at_all(value, CURVES["fiber"], [0.9, 1.0, 1.7])
    np.testing.assert_allclose(fiber, [0, 0, 1], atol=1e-14)
    velocity = at_all(value, CURVES["velocity"], [-1.5, -1.0, 0.0, 1.0, 1.5])
    np.testing.assert_allclose(velocity, [0, 0, 1, 1.4, 1.4], atol=1e-14)


# property


def segments(count=4000):
    """Segments of all shapes: corners anywhere, also at an end, and every curviness."""
    rng = np.random.default_rng(0)
    shift = np.concatenate([rng.uniform(0, 1, count // 2), 10 ** rng.uniform(-6, 0, count // 2)])
    shift = np.where(rng.random(count) < 0.5, shift, 1 - shift)
    curviness = rng.uniform(0.1, 0.9, count)
    points = Points(np.zeros(count), curviness * shift, 1 + curviness * (shift - 1), np.ones(count))
    u = np.concatenate([rng.uniform(0, 1, count // 2), 10 ** rng.uniform(-8, 0, count // 2)])
    return Points(*map(jnp.asarray, points)), jnp.asarray(np.where(shift > 0.5, u, 1 - u))


def test_the_root_is_found_to_rounding_in_segments_of_all_shapes():
    points, u = segments()
    target = point_at(points, u)
    found = root(points, target)
    assert (
        np.abs(np.asarray(point_at(points, found) - target)).max() < ROUNDING * np.finfo(float).eps
    )
    assert (found >= 0).all() and (found <= 1).all()


def test_the_root_is_found_to_rounding_in_float32():
    points, u = jax.tree.map(lambda x: x.astype(jnp.float32), segments())
    target = point_at(points, u)
    error = np.abs(np.asarray(point_at(points, root(points, target)) - target))
    assert error.max() < ROUNDING * np.finfo(np.float32).eps


def test_the_root_is_found_where_an_end_is_flat():
    points = Points(*(jnp.array([x]) for x in (0.0, 0.0, 0.4, 1.0)))
    for target in (0.0, 1e-12, 0.3, 1.0):
        u = root(points, jnp.array([target]))
        np.testing.assert_allclose(point_at(points, u), target, atol=1e-15)


def test_a_balanced_point_is_on_the_curve_and_balances():
    curve = jnp.asarray(CURVES["velocity"])[None]
    balance = jax.jit(jax.vmap(balanced_point, (None, 0, 0, 0)))
    of_x, of_y, total = (
        x.reshape(-1, 1) for x in np.meshgrid([0.001, 0.1, 1.0], [0.0, 0.003, 1.0], [-3.0, 0.4, 9])
    )
    x, y = balance(curve, *map(jnp.asarray, (of_x, of_y, total)))
    np.testing.assert_allclose(of_x * x + of_y * y, total, atol=1e-13)
    on_curve = np.array([value(curve, one)[0] for one in x])
    np.testing.assert_allclose(y[:, 0], on_curve, atol=1e-11)


@pytest.mark.parametrize("name", CURVES)
def test_curves_and_their_slopes_are_continuous_at_the_knots(name):
    points = CURVES[name]
    for knot in [*points[:, 0, 0], points[-1, -1, 0]]:
        step = 1e-9
        before, after = at_all(slope, points, [knot - step, knot + step])
        steepest = np.abs(at_all(slope, points, places(points))).max()
        assert abs(after - before) < 1e-4 * steepest


# gradient


@jax.jit
def blended(arguments):
    """A scalar of a curve's value, a balanced point and both curves' control points."""
    curve, other, x, of_x, of_y, total = arguments
    speed, force = balanced_point(curve, of_x, of_y, total)
    return jnp.sum(curve_value(other, x) + jnp.tanh(speed) + force)


def arguments(count=6):
    rng = np.random.default_rng(3)
    repeated = [
        jnp.broadcast_to(jnp.asarray(CURVES[name]), (count, *CURVES[name].shape))
        for name in ("velocity", "active")
    ]
    bounds = ((0.5, 1.7), (0.05, 0.2), (0.2, 1.0), (0.2, 1.4))
    return (*repeated, *(jnp.asarray(rng.uniform(low, high, count)) for low, high in bounds))


def test_gradients_equal_differences():
    at = arguments()
    slopes = jax.jit(jax.grad(blended))(at)
    for index in range(len(at)):
        direction = list(jax.tree.map(jnp.zeros_like, at))
        direction[index] = hopper_model.random_direction(at[index], seed=index)
        expected = hopper_model.slope_along(blended, at, tuple(direction), 1e-4)
        obtained = hopper_model.inner(slopes, tuple(direction))
        assert abs(obtained - expected) < GRADIENT_TOLERANCE * max(1.0, abs(expected)), index


@pytest.mark.thorough
def test_second_derivatives_equal_differences_of_the_first():
    at = arguments()

    @jax.jit
    def turned(at):
        one = jax.tree.map(jnp.ones_like, at[2:])
        zero = jax.tree.map(jnp.zeros_like, at[:2])
        return jax.jvp(blended, (at,), ((*zero, *one),))[1]

    slopes = jax.jit(jax.grad(turned))(at)
    direction = hopper_model.random_direction(at, seed=5)
    direction = (*jax.tree.map(jnp.zeros_like, direction[:2]), *direction[2:])
    expected = hopper_model.slope_along(turned, at, direction, 1e-4)
    obtained = hopper_model.inner(slopes, direction)
    assert abs(obtained - expected) < 1e-5 * max(1.0, abs(expected))
    assert abs(expected) > 0.1


def test_derivatives_of_first_and_second_order_are_finite_everywhere():
    @jax.jit
    def both(at):
        def first(at):
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jax.grad(blended)(at)[2:]))

        return jax.grad(first)(at)

    curve, other, *_ = arguments(1)
    for x in (-1e6, 0.0, *CURVES["active"][:, 0, 0], 1.8123, 1e6):
        for of_y in (0.0, 1e-3, 1.0):
            for total in (-1e9, -0.1, 0.0, 0.1 - of_y, of_y, 1e9):
                numbers = [jnp.array([one]) for one in (x, 0.1, of_y, total)]
                assert hopper_model.all_finite(both((curve, other, *numbers)))


@pytest.mark.parametrize("edge, into", [(1.0, 1), (1.7, 1), (1.7, -1)])
def test_slopes_of_the_passive_curve_at_its_edges(edge, into):
    curve = jnp.asarray(CURVES["fiber"])[None]
    if edge == 1.0:
        assert value(curve, jnp.array([edge])) == 0 and slope(curve, jnp.array([edge])) == 0
        return
    at, within = hopper_model.slopes_at_an_edge(
        lambda x: curve_value(curve, x[None])[0], edge, into
    )
    np.testing.assert_allclose(at, within, rtol=1e-6)


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(x):
        curve = jnp.broadcast_to(jnp.asarray(CURVES["tendon"]), (3, 2, 4, 2))
        return curve_value(curve, x)

    x = jnp.linspace(-0.02, 0.08, 12).reshape(4, 3)
    loop = jnp.stack([one(row) for row in x])
    np.testing.assert_allclose(jax.vmap(lambda x: one(x))(x), loop, rtol=1e-13, atol=1e-15)
