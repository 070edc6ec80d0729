"""CoordinateLimitForce: live OpenSim, its energy, and the slopes that the implicit step uses."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.forces import coordinate_limit_force
from jaxosim.forces.coordinate_limit_force import Params
from tests import hopper_model
from tests.models import osim_text as osim

DEGREE = np.pi / 180
ROUNDING = 1e-12
PLACES = np.linspace(-2.0, 2.0, 81)

VALUES = {
    "upper_stiffness": 20 / DEGREE,
    "upper_limit": 30 * DEGREE,
    "lower_stiffness": 12 / DEGREE,
    "lower_limit": -40 * DEGREE,
    "damping": 0.25 / DEGREE,
    "transition": 10 * DEGREE,
}
LIMITS = Params(**{name: jnp.array([value]) for name, value in VALUES.items()})


def realize_limits(limits, q, u):
    """What limits do, each on a coordinate of its own."""
    return hopper_model.on_coordinates(coordinate_limit_force, limits, q, u)


realize = jax.jit(realize_limits)


def wide(count):
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count,)), LIMITS)


def at(q, u=0.0):
    """All places at once."""
    q = np.atleast_1d(np.asarray(q, float))
    return realize(wide(len(q)), jnp.asarray(q), jnp.full(len(q), u))


def _stopped_world():
    """Limits on an angle, a length, and a coordinate that is coupled to both."""
    coupled = (
        osim.axis("rotation1", "c", "0 0 1", osim.linear("0.5 0"))
        + osim.axis("rotation2", "", "1 0 0", _still())
        + osim.axis("rotation3", "", "0 1 0", _still())
        + osim.axis("translation1", "c", "1 0 0", osim.linear("0.3 0"))
        + osim.axis("translation2", "", "0 1 0", _still())
        + osim.axis("translation3", "", "0 0 1", _still())
    )
    joints = (
        osim.pin("j1", child="/bodyset/a", coordinate="angle")
        + osim.joint("SliderJoint", "j2", "/ground", "/bodyset/b", osim.coordinates("length"))
        + osim.custom(coupled, osim.coordinates("c"), "j3", "/bodyset/c")
    )
    stops = [
        osim.element(
            "CoordinateLimitForce",
            f"stop_{name}",
            coordinate=name,
            upper_stiffness="20",
            upper_limit="0.3",
            lower_stiffness="15",
            lower_limit="-0.4",
            damping="0.25",
            transition="0.5",
        )
        for name in ("angle", "length", "c")
    ]
    return osim.model(*stops, bodies="".join(osim.body(b) for b in "abc"), joints=joints)


def _still():
    return '<Constant name="function"><value>0</value></Constant>'


WORLD = _stopped_world()


# parity


@pytest.mark.opensim
def test_forces_and_energies_are_opensims(opensim):
    """An angle's file numbers are per degree; a length's and a coupled coordinate's are not."""
    model, params = hopper_model.load(WORLD)
    assert list(model.rotational) == [True, False, False]
    rng = np.random.default_rng(1)
    q = rng.uniform(-1.2, 1.2, (64, 3))
    q[:, 0] *= DEGREE * 2
    q[:3] = [[0.3 * DEGREE, 0.3, 0.3], [-0.4 * DEGREE, -0.4, -0.4], [0.8 * DEGREE, 0.8, 0.8]]
    hopper_model.assert_parity(
        WORLD, hopper_model.states_at(model, params, q, rng.standard_normal((64, 3)))
    )


# property


def test_nothing_happens_inside_the_limits():
    info = at(np.linspace(-40, 30, 9) * DEGREE, u=3.0)
    for name in ("force", "potential_energy", "damping"):
        np.testing.assert_array_equal(getattr(info, name), 0.0)


def test_stiffness_is_full_beyond_the_transition():
    q = np.array([41, 60]) * DEGREE
    info = at(q)
    np.testing.assert_allclose(
        info.force, -VALUES["upper_stiffness"] * (q - 30 * DEGREE), rtol=ROUNDING
    )
    np.testing.assert_allclose(info.stiffness, VALUES["upper_stiffness"], rtol=ROUNDING)
    np.testing.assert_allclose(at(-q - 20 * DEGREE).stiffness, VALUES["lower_stiffness"])
    np.testing.assert_allclose(info.damping, VALUES["damping"], rtol=ROUNDING)


def test_force_is_minus_the_slope_of_the_energy():
    energy = jax.jit(
        jax.grad(lambda q: jnp.sum(realize_limits(wide(81), q, 0 * q).potential_energy))
    )
    np.testing.assert_allclose(
        at(PLACES).force, -energy(jnp.asarray(PLACES)), atol=ROUNDING * VALUES["upper_stiffness"]
    )


def test_damping_only_takes_energy_away():
    for u in (-2.0, 0.5, 7.0):
        with_speed, still = at(PLACES, u), at(PLACES)
        assert (np.asarray(with_speed.force - still.force) * u <= 0).all()


# gradient


def test_reported_slopes_are_the_derivatives():
    q, u = jnp.asarray(PLACES), jnp.full(81, 0.7)
    one = jnp.ones(81)
    by_q = jax.jvp(lambda x: realize(wide(81), x, u).force, (q,), (one,))[1]
    by_u = jax.jvp(lambda x: realize(wide(81), q, x).force, (u,), (one,))[1]
    at_rest = jax.jvp(lambda x: realize(wide(81), x, 0 * u).force, (q,), (one,))[1]
    info, still = at(PLACES, 0.7), at(PLACES)
    np.testing.assert_allclose(-by_u, info.damping, atol=ROUNDING)
    np.testing.assert_allclose(-at_rest, still.stiffness, atol=1e-9)
    assert hopper_model.all_finite(by_q)


@pytest.mark.parametrize("place", [30.0, 40.0, -40.0, -50.0, 0.0])
def test_gradient_is_finite_and_equals_differences_at_the_corners(place):
    """At a limit and where the transition ends, force and slope go on without a jump."""
    point = (LIMITS, jnp.array([place * DEGREE]), jnp.array([0.3]))

    def scalar(at):
        info = realize(*at)
        return jnp.sum(info.force) + jnp.sum(info.potential_energy)

    slopes = jax.grad(scalar)(point)
    direction = hopper_model.random_direction(point, seed=1)
    expected = hopper_model.slope_along(scalar, point, direction, 1e-6)
    assert hopper_model.all_finite(slopes)
    assert abs(hopper_model.inner(slopes, direction) - expected) < 1e-5 * max(1.0, abs(expected))


# batch, compile


def test_vmap_equals_loop_and_traces_once():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(q):
        return realize_limits(LIMITS, q, q)

    q = jnp.asarray(PLACES[:, None])
    loop = hopper_model.stack([one(row) for row in q])
    together = jax.vmap(lambda row: realize_limits(LIMITS, row, row))(q)
    chex.assert_trees_all_close(together, loop, rtol=ROUNDING)
