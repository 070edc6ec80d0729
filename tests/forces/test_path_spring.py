"""PathSpring: beside OpenSim along fixed and conditional points, energy, slack, refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.outputs import force_records
from tests import hopper_model
from tests.models import osim_text as osim

STIFFNESS, RESTING, DISSIPATION = 200.0, 0.9, 0.3


def spring(name, points, **values):
    """A PathSpring through points."""
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", points))
    values = {
        "resting_length": str(RESTING),
        "stiffness": str(STIFFNESS),
        "dissipation": str(DISSIPATION),
    } | values
    return osim.element("PathSpring", name, path, **values)


ENDS = osim.point("p1", location="0.3 0.4 0.1") + osim.point(
    "p3", "/bodyset/b", location="0 -0.5 0"
)
BENT = (
    osim.point("p1", location="0.3 0.4 0.1")
    + osim.point(
        "p2",
        "/bodyset/a",
        "ConditionalPathPoint",
        location="0.1 -0.2 0",
        socket_coordinate="/jointset/j/q",
        range="-0.5 0.6",
    )
    + osim.point("p3", "/bodyset/b", location="0 -0.5 0")
)
BODIES = {
    "bodies": osim.body("a") + osim.body("b"),
    "joints": osim.pin()
    + osim.joint("SliderJoint", "s", "/bodyset/a", "/bodyset/b", osim.coordinates("x")),
}
MUSCLE = osim.muscle(points=osim.point("m1", location="0.1 0.1 0") + osim.point("m2", "/bodyset/a"))
WORLD = osim.model(
    spring("straight", ENDS),
    MUSCLE,
    spring("bent", BENT, stiffness="80"),
    **BODIES,
)
UNDAMPED = osim.model(spring("straight", ENDS, dissipation="0", resting_length="0.2"), **BODIES)


def state_at(model, params, q, u):
    start = hopper_model.initial(model, params)
    return dataclasses.replace(start, q=jnp.asarray(q), u=jnp.asarray(u))


# parity


@pytest.mark.opensim
def test_springs_beside_a_muscle_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    assert model.path_springs.names == ("straight", "bent")
    rng = np.random.default_rng(1)
    q, u = rng.uniform(-1, 1, (32, 2)), 2 * rng.standard_normal((32, 2))
    hopper_model.assert_parity(WORLD, hopper_model.states_at(model, params, q, u))


def test_records_are_the_tensions():
    """Numbers of OpenSim 4.6 for a slider along x from ground, one point 0.1 m above its body."""
    text = osim.model(
        spring(
            "s",
            osim.point("a") + osim.point("b", "/bodyset/a", location="0 0.1 0"),
            resting_length="0.3",
            stiffness="100",
            dissipation="0.2",
        ),
        joints=osim.joint("SliderJoint", "j", "/ground", "/bodyset/a", osim.coordinates("x")),
    )
    model, params = hopper_model.load(text)
    expected = {
        (0.5, 0.0): 20.990195135927852,
        (0.5, 0.4): 22.636801514269646,
        (0.5, -10.0): -20.174964322616944,
        (0.1, 0.2): 0.0,
        (-0.6, 0.3): 29.00313436588005,
    }
    for (q, u), tension in expected.items():
        info = hopper_model.describe(model, params, state_at(model, params, [q], [u]), jnp.zeros(0))
        (found,) = force_records(model, info)["s"]
        np.testing.assert_allclose(found, tension, rtol=1e-13)


def test_a_spring_that_is_switched_off_does_nothing():
    off = osim.model(spring("on", ENDS), spring("off", BENT, appliesForce="false"), **BODIES)
    model, _ = hopper_model.load(off)
    assert model.path_springs.names == model.paths.names == ("on",)


@pytest.mark.parametrize("tag", ["resting_length", "stiffness", "dissipation"])
@pytest.mark.parametrize("value, said", [("-1", " of 0 or more, found -1.0"), (None, "")])
def test_a_property_that_is_missing_or_negative_is_refused(tag, value, said):
    text = osim.model(spring("s", ENDS, **{tag: value or "REMOVED"}), **BODIES)
    text = text.replace(f"<{tag}>REMOVED</{tag}>", "")
    with pytest.raises(OsimFormatError, match=rf"PathSpring\[s\].*expected a {tag}{said}$"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_a_spring_without_dissipation_keeps_the_energy():
    """What the spring loses, the bodies gain: power of the tension and rate of its energy."""
    model, params = hopper_model.load(UNDAMPED)
    state = state_at(model, params, [0.3, 0.4], [0.7, -0.5])

    def energy(q):
        at = dataclasses.replace(state, q=q)
        tension = hopper_model.describe(model, params, at, jnp.zeros(0)).forces["path_springs"]
        return jnp.sum(tension.tension**2) / (2 * STIFFNESS)

    without = dataclasses.replace(
        params, path_springs=dataclasses.replace(params.path_springs, stiffness=jnp.zeros(1))
    )
    force = [
        hopper_model.rates(model, numbers, state, jnp.zeros(0)).u for numbers in (params, without)
    ]
    _, energy_rate = jax.jvp(energy, (state.q,), (state.u,))
    moved = force[0] - force[1]  # M⁻¹ τ
    lever = jax.grad(energy)(state.q)
    assert float(lever @ moved) < 0  # towards less energy
    assert float(energy_rate) == pytest.approx(float(lever @ state.u), rel=1e-12)


@pytest.mark.thorough
def test_the_energy_of_a_fall_on_a_spring_stays():
    model, params = hopper_model.load(UNDAMPED)
    start = state_at(model, params, [0.3, 0.4], [0.7, -0.5])
    options = jaxosim.Options(method="rk4", substeps=20)
    states = jaxosim.rollout(model, params, start, jnp.zeros((30, 0)), options)

    def energy(state):
        info = jaxosim.describe(model, params, state, jnp.zeros(0))
        moving = jnp.sum(params.bodies.mass[:, None] * info.bodies.velocity**2 / 2) - jnp.sum(
            params.bodies.mass[:, None] * info.bodies.position * params.gravity[None]
        )
        turning = jnp.sum(info.bodies.angular_velocity[:, 2] ** 2 * params.bodies.inertia[:, 2]) / 2
        spring = jnp.sum(info.forces["path_springs"].tension ** 2) / (2 * STIFFNESS)
        return moving + turning + spring

    found = jax.vmap(energy)(states)
    np.testing.assert_allclose(found, energy(start), rtol=1e-7)


@pytest.mark.thorough
def test_slack_paths_pull_nothing_and_have_no_stiffness():
    model, params = hopper_model.load(WORLD)
    loose = dataclasses.replace(
        params,
        path_springs=dataclasses.replace(params.path_springs, resting_length=jnp.full(2, 5.0)),
    )
    state = state_at(model, params, [0.1, 0.2], [0.3, 0.4])
    info = hopper_model.describe(model, loose, state, jnp.array([0.2]))
    np.testing.assert_array_equal(info.forces["path_springs"].tension, 0.0)


# gradient


@pytest.mark.thorough
@pytest.mark.parametrize("q", [[0.3, 0.4], [0.6, 0.1]], ids=["free", "at the edge of the range"])
def test_gradients_equal_differences(q):
    model, params = hopper_model.load(WORLD)
    state = state_at(model, params, q, [0.7, -0.5])

    def scalar(numbers, u):
        springs = dataclasses.replace(params.path_springs, **numbers)
        changed = dataclasses.replace(params, path_springs=springs)
        at = dataclasses.replace(state, u=u)
        return jnp.sum(hopper_model.rates(model, changed, at, jnp.array([0.2])).u)

    at = (
        {
            "stiffness": params.path_springs.stiffness,
            "resting_length": params.path_springs.resting_length,
            "dissipation": params.path_springs.dissipation,
        },
        state.u,
    )
    direction = hopper_model.random_direction(at, seed=2)
    slopes = jax.grad(scalar, argnums=(0, 1))(*at)
    expected = hopper_model.slope_along(lambda x: scalar(*x), at, direction, 1e-5)
    assert hopper_model.all_finite(slopes)
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.thorough
def test_the_derivative_at_the_resting_length_is_that_of_the_stretched_spring():
    model, params = hopper_model.load(UNDAMPED)
    q = jnp.array([0.3, 0.4])

    def tension(resting):
        springs = dataclasses.replace(params.path_springs, resting_length=resting[None])
        numbers = dataclasses.replace(params, path_springs=springs)
        at = state_at(model, params, q, [0.0, 0.0])
        return (
            hopper_model.describe(model, numbers, at, jnp.zeros(0))
            .forces["path_springs"]
            .tension[0]
        )

    length = 0.2 + float(tension(jnp.asarray(0.2))) / STIFFNESS
    assert float(jax.grad(tension)(jnp.asarray(length - 1e-9))) == pytest.approx(-STIFFNESS)


# batch, compile


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["ros3w", "rk4"])
def test_vmap_equals_loop_by_every_method(method):
    model, params = hopper_model.load(WORLD)
    states = [state_at(model, params, [0.1 * k, 0.2], [0.3, -0.1 * k]) for k in range(3)]
    options = jaxosim.Options(method=method)
    step = jax.jit(lambda s: jaxosim.step(model, params, s, jnp.array([0.4]), options))
    together = jax.vmap(step)(hopper_model.stack(states))
    for index, state in enumerate(states):
        alone = step(state)
        for ours, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(ours[index], theirs, rtol=1e-12, atol=1e-12)
    assert step._cache_size() == 1


@pytest.mark.thorough
def test_a_stiff_spring_does_not_make_the_implicit_method_diverge():
    """Stiffness of 1e7 N/m on bodies of 1 kg: explicit substeps would need 1e-4 s."""
    model, params = hopper_model.load(UNDAMPED)
    stiff = dataclasses.replace(params.path_springs, stiffness=jnp.array([1e7]))
    hard = dataclasses.replace(params, path_springs=stiff)
    start = state_at(model, params, [0.3, 0.4], [0.0, 0.0])
    resting = hopper_model.describe(model, params, start, jnp.zeros(0)).forces["path_springs"]
    length = jnp.asarray(0.2 + float(resting.tension[0]) / STIFFNESS)
    hard = dataclasses.replace(
        hard, path_springs=dataclasses.replace(stiff, resting_length=length[None])
    )
    states = jaxosim.rollout(model, hard, start, jnp.zeros((20, 0)))
    assert np.all(np.isfinite(states.u)) and np.abs(states.u).max() < 20
