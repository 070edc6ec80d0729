"""FunctionBasedPath: beside OpenSim, work of the tension, gradients, batches, refusals."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.system import realize
from jaxosim.viewer.scene import build_scene, default_state
from tests import actuated_bodies, hopper_model
from tests.constraints import worlds
from tests.forces import checks
from tests.models import osim_text as osim

KNOTS = {"x": "-2 -0.5 0.3 1 2", "y": "0.4 0.1 0.2 -0.1 0.3"}


def polynomial(dimension, order, seed):
    """A MultivariatePolynomialFunction whose arguments are multiplied."""
    count = math.comb(dimension + order, order)
    coefficients = np.random.default_rng(seed).uniform(-0.1, 0.1, count)
    coefficients[0] = 1.0
    return osim.element(
        "MultivariatePolynomialFunction",
        "",
        coefficients=" ".join(map(repr, coefficients.tolist())),
        dimension=dimension,
        order=order,
    )


def linear(coefficients):
    """A LinearFunction."""
    return osim.element("LinearFunction", "", coefficients=coefficients)


def path(coordinates, length, arms=(), speed=None):
    """A FunctionBasedPath."""
    inside = f"<length_function>{length}</length_function>"
    inside += f"<moment_arm_functions>{''.join(arms)}</moment_arm_functions>" if arms else ""
    if speed:
        inside += f"<lengthening_speed_function>{speed}</lengthening_speed_function>"
    return osim.element("FunctionBasedPath", "path", inside, coordinate_paths=coordinates)


def spring(name, inside, **values):
    """A PathSpring along a path."""
    values = {"resting_length": "0.2", "stiffness": "30", "dissipation": "0.3"} | values
    return osim.element("PathSpring", name, inside, **values)


def muscle(name, inside, **values):
    """A muscle along a path."""
    values = {"optimal_fiber_length": "0.5", "tendon_slack_length": "0.5"} | values
    return osim.element("Thelen2003Muscle", name, inside, **values)


STRAIGHT = osim.element(
    "GeometryPath",
    "path",
    osim.members(
        "PathPointSet",
        osim.point("p1", location="0.3 0.4 0.1")
        + osim.point("p2", "/bodyset/b", location="0 -0.5 0.2"),
    ),
)
FORMULA = osim.element(
    "ExpressionBasedFunction", "", expression="1 + c*sin(a)*b - a^2/9; c=0.2", variables="a b"
)
SCALED = osim.element("MultiplierFunction", "", f"<function>{polynomial(2, 3, 3)}</function>")
POLYNOMIAL = polynomial(5, 2, 1)
FREE, HINGE = "/jointset/free", "/jointset/k"


def springs_on(joint):
    """Springs along paths of every kind, which depend on a hinge and on angles of a joint."""
    return (
        spring("spline", path(f"{HINGE}/s", osim.element("SimmSpline", "", **KNOTS))),
        spring("line", path(f"{joint}/r {HINGE}/s", linear("0.3 -0.2 0.8"))),
        spring(
            "arms",
            path(
                f"{joint}/q {HINGE}/s",
                polynomial(2, 2, 4),
                (linear("0.2 0.1 0.3"), polynomial(2, 3, 5)),
            ),
        ),
        spring("speed", path(f"{joint}/q", polynomial(1, 3, 6), (), linear("0.1 0.7 0.2"))),
        spring("formula", path(f"{joint}/q {HINGE}/s", FORMULA)),
        spring("product", path(f"{joint}/r {HINGE}/s {joint}/q", polynomial(3, 2, 9))),
    )


BODIES = {
    "bodies": osim.body("a", mass_center="0.1 0.2 0") + osim.body("b", "2") + osim.body("c"),
    "joints": osim.joint("FreeJoint", "free", "/ground", "/bodyset/a", osim.coordinates(*"pqrxyz"))
    + osim.joint("PinJoint", "k", "/bodyset/a", "/bodyset/b", osim.coordinates("s"))
    + osim.joint(
        "PinJoint",
        "l",
        "/bodyset/b",
        "/bodyset/c",
        osim.coordinates("t", locked="true", default_value="0.3"),
    ),
}
WORLD = osim.model(
    muscle(
        "cubic", path(f"{FREE}/p {FREE}/q {FREE}/y {HINGE}/s /jointset/l/t", polynomial(5, 2, 1))
    ),
    muscle("straight", STRAIGHT),
    muscle("scaled", path(f"{HINGE}/s {FREE}/q", SCALED)),
    *springs_on(FREE),
    osim.element(
        "PathActuator",
        "both",
        path(
            f"{HINGE}/s {FREE}/r",
            polynomial(2, 2, 7),
            (linear("0.2 0.1 0.3"), linear("0.1 0.1 -0.3")),
            polynomial(4, 3, 8),
        ),
        optimal_force="3",
    ),
    rest=osim.members(
        "ConstraintSet",
        worlds.coupler("c", "p", "s", worlds.function("LinearFunction", coefficients="0.5 0.1")),
    ),
    **BODIES,
)


@pytest.fixture(scope="module")
def springs():
    return hopper_model.load(actuated_bodies.world(*springs_on("/jointset/j")))


# parity


@pytest.mark.opensim
def test_lengths_speeds_moment_arms_and_accelerations_are_opensims(opensim):
    """On a free joint, whose speeds are no rates, a locked coordinate and a coupled one."""
    model, params = hopper_model.load(WORLD)
    q, u = np.random.default_rng(1).uniform(-1, 1, (2, 16, 8))
    q[:, 6], q[:, 7] = 0.5 * q[:, 0] + 0.1, 0.3
    hopper_model.assert_parity(WORLD, hopper_model.states_at(model, params, q, u))


# property


@pytest.mark.thorough
def test_the_lengthening_speed_is_the_rate_of_the_length_unless_functions_say_otherwise(springs):
    model, params = springs
    state = checks.state_at(model, params)

    def moved(q):
        at = dataclasses.replace(state, q=q)
        position, velocity, _ = realize(model, params, at, checks.no_controls())
        return position.paths.length, velocity

    (_, velocity), (rate, _) = jax.jit(lambda q, v: jax.jvp(moved, (q,), (v,)))(state.q, state.u)
    own = np.isin(model.paths.names, ("spline", "line", "formula", "product"))
    np.testing.assert_allclose(velocity.lengthening_speed[own], rate[own], rtol=1e-12, atol=1e-14)
    assert np.all(np.abs(velocity.lengthening_speed - rate)[~own] > 1e-3)


def test_muscles_without_points_are_not_drawn():
    model, params = hopper_model.load(WORLD)
    scene = build_scene(model, params, bones=False)
    assert [name for name, r in zip(model.muscle_names, scene.muscle_radius, strict=True) if r] == [
        "straight"
    ]
    assert hopper_model.all_finite(scene.frame(default_state(params)))


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences_also_where_all_coordinates_are_zero(springs):
    model, params = springs
    at_zero = dataclasses.replace(checks.state_at(model, params), q=jnp.zeros(3), u=jnp.zeros(3))
    checks.assert_gradients_equal_differences(
        model, params, "paths", checks.state_at(model, params), others=(at_zero,)
    )


# batch, compile


@pytest.mark.thorough
def test_a_batch_by_the_fused_kernel_equals_single_steps(springs):
    model, params = springs
    at = [checks.state_at(model, params, seed) for seed in (1, 2)]
    checks.assert_batches_equal_single_steps(model, params, at)


# refusals


LINE = linear("1 0")
CONSTANT = osim.element("Constant", "", value="1")
TWO = f"{FREE}/p {FREE}/q"


@pytest.mark.parametrize(
    "text, message",
    [
        (path(f"{FREE}/p {FREE}/p", linear("1 1 0")), "each coordinate once"),
        (path("p", LINE), "paths of coordinates in coordinate_paths, found 'p'"),
        (path("", LINE), "at least one coordinate"),
        (path(f"{FREE}/p", CONSTANT), "length_function functions of 1 arguments, found 0"),
        (path(TWO, LINE), "length_function functions of 2 arguments, found 1"),
        (path(TWO, linear("1 1 0"), (linear("1 1 0"),)), "for each of 2 coordinates, found 1"),
        (path(TWO, linear("1 1 0"), (LINE, LINE)), "moment_arm_functions functions of 2 .* 1"),
        (path(f"{FREE}/p", LINE, (), LINE), "lengthening_speed_function functions of 2 .* 1"),
        (path(f"{FREE}/p", "").replace("<length_function></length_function>", ""), "a length_fun"),
    ],
)
def test_faults_are_errors_that_name_the_path(text, message):
    with pytest.raises(OsimFormatError, match=rf"PathSpring\[a\]/FunctionBasedPath.*{message}"):
        hopper_model.load(osim.model(spring("a", text), **BODIES))


@pytest.mark.opensim
@pytest.mark.parametrize("text", [path(f"{FREE}/p {FREE}/p", linear("1 1 0")), path(TWO, LINE)])
def test_opensim_refuses_such_paths_too(opensim, text):
    with pytest.raises(RuntimeError):
        opensim.Model(str(hopper_model.path_of(osim.model(spring("a", text), **BODIES))))


def test_functions_of_other_classes_are_refused_by_name_whoever_owns_the_path():
    signal = path(f"{FREE}/p", osim.element("SignalGenerator", ""))
    unknown = osim.element("StrangeMuscle", "m", signal)
    with pytest.raises(UnsupportedComponentError) as caught:
        hopper_model.load(osim.model(spring("a", signal), unknown, **BODIES))
    found = [one.class_name for one in caught.value.unsupported]
    assert sorted(found) == ["SignalGenerator", "SignalGenerator", "StrangeMuscle"]
