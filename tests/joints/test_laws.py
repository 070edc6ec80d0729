"""Joints whose pose six axes do not give, beside live OpenSim."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.spatial import body_xyz_rotation
from jaxosim.dynamics.joints import coordinate_rates, coordinate_speeds, hinge_bias, realize_joints
from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.joints import LAWS, constant_curvature_joint
from tests import hopper_model
from tests.models import osim_text as osim

PARITY_STATES = 16
ROUNDING = 1e-12
DIFFERENCE_TOLERANCE = 1e-8  # of fourth-order differences with steps of 1e-3
ELLIPSOID = "<radii_x_y_z>0.1 0.25 0.18</radii_x_y_z>"
THORAX = (
    "<thoracic_ellipsoid_radii_x_y_z>0.07 0.15 0.08</thoracic_ellipsoid_radii_x_y_z>"
    "<scapula_winging_axis_origin>0.05 -0.02</scapula_winging_axis_origin>"
    "<scapula_winging_axis_direction>0.4</scapula_winging_axis_direction>"
)
ARC = "<neutral_angle_x_z_y>0.1 -0.2 0.15</neutral_angle_x_z_y><length>0.3</length>"


def coordinates(count, prefix, **locked):
    """A list of coordinates, of which some may be locked."""
    return (
        "<coordinates>"
        + "".join(
            osim.element(
                "Coordinate", f"{prefix}{i}", default_value="0.2", locked=locked.get(f"c{i}")
            )
            for i in range(count)
        )
        + "</coordinates>"
    )


def placed(kind, name, parent, child, inside):
    """A joint between displaced and turned frames of two bodies."""
    frames = osim.frames(
        osim.offset(f"{name}_p", parent, "0.1 -0.2 0.05", "0.3 -0.2 0.5"),
        osim.offset(f"{name}_c", child, "-0.03 0.1 0.02", "-0.4 0.1 0.2"),
    )
    return osim.joint(kind, name, f"{name}_p", f"{name}_c", inside + frames)


def body(name):
    return osim.body(
        name, "1.5", mass_center="0.05 -0.03 0.02", inertia="0.2 0.3 0.25 0.02 -0.01 0.03"
    )


def world(*roots, tips=True):
    """Joints on ground, each with a pin on its body."""
    bodies = "".join(body(f"r{i}") + (body(f"t{i}") if tips else "") for i in range(len(roots)))
    joints = ""
    for i, (kind, inside, turned) in enumerate(roots):
        root, tip = f"/bodyset/r{i}", f"/bodyset/t{i}"
        parent, child = (root, "/ground") if turned else ("/ground", root)
        joints += placed(kind, f"j{i}", parent, child, inside)
        if tips:
            joints += placed("PinJoint", f"p{i}", root, tip, coordinates(1, f"pin{i}_"))
    return osim.model(bodies=bodies, joints=joints)


WORLDS = {
    "ellipsoid": world(("EllipsoidJoint", coordinates(3, "e") + ELLIPSOID, False)),
    "ellipsoid, reversed": world(("EllipsoidJoint", coordinates(3, "e") + ELLIPSOID, True)),
    "scapulothoracic, no winging": world(
        ("ScapulothoracicJoint", coordinates(4, "s", c3="true") + THORAX, False)
    ),
    "beside others": world(
        ("PinJoint", coordinates(1, "a"), False),
        ("ScapulothoracicJoint", coordinates(4, "s") + THORAX, False),
        ("EllipsoidJoint", coordinates(3, "e") + ELLIPSOID, False),
        ("ConstantCurvatureJoint", coordinates(3, "k") + ARC, False),
    ),
    "arc": world(
        ("ConstantCurvatureJoint", coordinates(3, "k") + "<length>0.3</length>", False), tips=False
    ),
    "arc, reversed": world(("ConstantCurvatureJoint", coordinates(3, "k", c1="true") + ARC, True)),
    "two": world(
        ("ScapulothoracicJoint", coordinates(4, "s") + THORAX, False),
        ("EllipsoidJoint", coordinates(3, "e") + ELLIPSOID, False),
        tips=False,
    ),
}
MIXED = "two"
# The others are parts of these.
COMPARED = (
    "beside others",
    "ellipsoid, reversed",
    "scapulothoracic, no winging",
    "arc, reversed",
)


def poses(model, count, seed, largest=1.2):
    rng = np.random.default_rng(seed)
    shape = (count, len(model.coordinate_names))
    q = np.where(model.locked, 0.2, rng.uniform(-largest, largest, shape))
    return q, 2 * rng.standard_normal(shape)


compiled = jax.jit(realize_joints)


@functools.cache
def kinematics_of(model):
    """R, p, V, the bias of A, and the rates of the coordinates, compiled."""

    def at(params, q, u):
        info = realize_joints(model, params, q)
        velocity, bias = hinge_bias(model, info, u[model.tree.mobility])
        return info.rotation, info.position, velocity, bias, coordinate_rates(model, info, u)

    return jax.jit(at)


# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n == "beside others" else pytest.mark.thorough) for n in COMPARED],
)
def test_poses_velocities_and_accelerations_are_opensims(opensim, name):
    model, params = hopper_model.load(WORLDS[name])
    largest = 2.0 if name.startswith("arc") else 1.2  # beyond the bounds of an arc
    states = hopper_model.states_at(model, params, *poses(model, PARITY_STATES, 1, largest))
    hopper_model.assert_parity(WORLDS[name], states)


@pytest.mark.opensim
@pytest.mark.parametrize("name", ["beside others"])
def test_motion_types_are_opensims(opensim, name):
    model, _ = hopper_model.load(WORLDS[name])
    live = hopper_model.oracle_of(WORLDS[name])
    assert list(live.coordinate_names) == list(model.coordinate_names)
    np.testing.assert_array_equal(model.rotational, live.rotational)


# property


@pytest.mark.thorough
def test_hinge_map_and_its_rate_are_those_of_the_pose():
    """V_FM = H u, and its rate at constant u is that of the bias."""
    model, params = hopper_model.load(WORLDS[MIXED])
    q, u = (jnp.asarray(x[0]) for x in poses(model, 1, seed=3))
    at = lambda q: kinematics_of(model)(params, q, u)  # noqa: E731
    R, _, velocity, bias, q_dot = at(q)
    h = 1e-3
    ahead, far, back, farther = (at(q + t * q_dot) for t in (h, 2 * h, -h, -2 * h))
    R_dot, p_dot, V_dot = (
        np.asarray((8 * (a - b) - (c - d)) / (12 * h))
        for a, b, c, d in list(zip(ahead, back, far, farther, strict=True))[:3]
    )
    spin = R_dot @ np.swapaxes(R, 1, 2)
    angular = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    np.testing.assert_allclose(velocity[:, :3], angular, rtol=0, atol=DIFFERENCE_TOLERANCE)
    np.testing.assert_allclose(velocity[:, 3:], p_dot, rtol=0, atol=DIFFERENCE_TOLERANCE)
    np.testing.assert_allclose(bias, V_dot, rtol=0, atol=DIFFERENCE_TOLERANCE)
    assert np.abs(bias[:, 3:]).max() > 0.1


@pytest.mark.thorough
def test_the_origin_stays_on_the_ellipsoid():
    model, params = hopper_model.load(WORLDS["ellipsoid"])
    for q in poses(model, 5, seed=4)[0]:
        place = np.asarray(compiled(model, params, jnp.asarray(q)).position[0])
        assert abs(np.sum((place / [0.1, 0.25, 0.18]) ** 2) - 1) < ROUNDING


@pytest.mark.thorough
@pytest.mark.parametrize("axis, side, sign", [(0, 2, 1.0), (1, 0, -1.0)])
def test_the_end_of_the_arc_is_that_of_a_circle(axis, side, sign):
    """Bent by an angle a about x or z, an arc ends a/2 aside at the chord 2 sin(a/2)/a.

    OpenSim takes an arc that is bent by nearly 90° for a straight one along y of M.
    """
    model, params = hopper_model.load(WORLDS["arc"])
    for angle in (0.3, 0.9, 1.4, -1.5, 1.55, 3.0, -2.0):
        bounded = np.clip(angle, -constant_curvature_joint.BOUND, constant_curvature_joint.BOUND)
        info = compiled(model, params, jnp.zeros(3).at[axis].set(angle))
        if abs(np.sin(angle)) > constant_curvature_joint.RIGHT or abs(angle) > 1.6:
            end = 0.3 * np.asarray(info.rotation[0])[:, 1]
            np.testing.assert_allclose(info.position[0], end, rtol=0, atol=ROUNDING)
            continue
        chord = 0.3 * np.sin(bounded / 2) / (bounded / 2)
        expected = np.zeros(3)
        expected[1], expected[side] = np.cos(bounded / 2), sign * np.sin(bounded / 2)
        np.testing.assert_allclose(info.position[0], chord * expected, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(
            np.trace(info.rotation[0]), 1 + 2 * np.cos(bounded), rtol=0, atol=ROUNDING
        )


@pytest.mark.thorough
def test_beyond_the_bound_the_arc_does_not_move_with_its_angles():
    model, params = hopper_model.load(WORLDS["arc"])
    slopes = jax.jit(jax.jacobian(lambda q: realize_joints(model, params, q).position))
    inside, outside = slopes(jnp.full(3, 0.7)), slopes(jnp.full(3, 1.6))
    assert np.abs(inside[0, :, :2]).max() > 0.1
    assert not np.any(outside)


@pytest.mark.thorough
def test_speeds_and_rates_are_inverse_maps():
    model, params = hopper_model.load(WORLDS[MIXED])
    q, u = (jnp.asarray(x[0]) for x in poses(model, 1, seed=5))
    info = compiled(model, params, q)
    back = coordinate_speeds(model, info, coordinate_rates(model, info, u))
    np.testing.assert_allclose(back, u[model.tree.mobility], rtol=0, atol=ROUNDING)


@pytest.mark.thorough
def test_fixed_steps_cross_gimbal_lock():
    """A step from the second angle at nearly 90° is that of the reference method."""
    import jaxosim

    model, params = hopper_model.load(WORLDS["ellipsoid"])
    assert list(model.floating.mobod) == [0]
    state = hopper_model.initial(model, params)
    index = model.joint_coordinates[0][1]
    state = hopper_model.replace_at(state, q=(index, np.pi / 2 - 1e-4), u=(0, 1.0))
    excitation = jnp.zeros(0)
    after = hopper_model.step_of(model, jaxosim.Options(substeps=10))(params, state, excitation)
    fine = hopper_model.step_of(model, jaxosim.Options(substeps=40))(params, state, excitation)
    np.testing.assert_allclose(after.u, fine.u, rtol=0, atol=1e-6)


# gradient


def scalar_of(law):
    """A number that depends on everything that a law gives, compiled, with its gradients."""

    def scalar(params, q):
        info = law.realize(params, q, body_xyz_rotation(q[:, :3]))
        parts = info.rotation, info.position, info.hinge, law.bias(info, jnp.cos(q + 1))
        return sum(jnp.sum(jnp.sin(part + 0.3)) for part in parts)

    return jax.jit(scalar), jax.jit(jax.grad(scalar, argnums=(0, 1)))


@pytest.mark.thorough
@pytest.mark.parametrize("law", LAWS)
def test_gradients_equal_differences(law):
    params = getattr(hopper_model.load(WORLDS["beside others"])[1].joints, law.FIELD)
    value, gradient = scalar_of(law)
    for q in (np.zeros((1, law.COUNT)), poses_of(law), np.full((1, law.COUNT), np.pi / 2)):
        q = jnp.asarray(q)
        slopes = gradient(params, q)
        assert hopper_model.all_finite(slopes)
        moved = jnp.asarray(np.random.default_rng(7).standard_normal(q.shape))
        expected = hopper_model.slope_along(lambda x: value(params, x), q, moved, 1e-3)
        obtained = hopper_model.inner(slopes[1], moved)
        assert abs(expected - obtained) < DIFFERENCE_TOLERANCE * max(1, abs(expected))
        direction = hopper_model.random_direction(params, seed=8)
        expected = hopper_model.slope_along(lambda p: value(p, q), params, direction, 1e-3)  # noqa: B023
        obtained = hopper_model.inner(slopes[0], direction)
        assert abs(expected - obtained) < DIFFERENCE_TOLERANCE * max(1, abs(expected))
        bounded = law is constant_curvature_joint and np.abs(q).max() > law.BOUND
        assert all(np.abs(leaf).min() > 0 for leaf in jax.tree.leaves(slopes[0])) != bounded


def poses_of(law):
    return np.random.default_rng(6).uniform(-1.2, 1.2, (1, law.COUNT))


# batch, compile


@pytest.mark.thorough
def test_vmap_equals_loop_and_traces_once():
    model, params = hopper_model.load(WORLDS[MIXED])
    q = jnp.asarray(poses(model, 3, seed=9)[0])

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(q):
        return realize_joints(model, params, q)

    loop = hopper_model.stack([one(row) for row in q])
    together = jax.jit(jax.vmap(lambda row: realize_joints(model, params, row)))(q)
    chex.assert_trees_all_close(together, loop, rtol=0, atol=1e-13)


@pytest.mark.thorough
def test_single_precision_stays_single_where_jax_allows_double():
    world = WORLDS["beside others"]
    assert hopper_model.dtypes_in_single_precision(world) == {np.dtype(np.float32)}


# errors


@pytest.mark.parametrize(
    "kind, count, tag",
    [
        ("EllipsoidJoint", 3, "radii_x_y_z"),
        ("ScapulothoracicJoint", 4, "thoracic_ellipsoid_radii_x_y_z"),
    ],
)
def test_an_ellipsoid_without_radii_is_an_error(kind, count, tag):
    with pytest.raises(OsimFormatError, match=f"expected a {tag}"):
        hopper_model.load(world((kind, coordinates(count, "e"), False)))


def test_a_scapulothoracic_joint_towards_ground_is_refused():
    text = world(("ScapulothoracicJoint", coordinates(4, "s") + THORAX, True))
    with pytest.raises(UnsupportedComponentError, match="'j0': its parent frame"):
        hopper_model.load(text)


def test_a_massless_body_on_an_ellipsoid_is_refused():
    text = WORLDS["ellipsoid"].replace("1.5", "0", 2)
    with pytest.raises(OsimFormatError, match="to have mass"):
        hopper_model.load(text)


def test_other_classes_are_refused_by_name_with_the_reason():
    with pytest.raises(UnsupportedComponentError, match=r"CantileverFreeBeamJoint.*4\.6\.1"):
        hopper_model.load(world(("CantileverFreeBeamJoint", coordinates(3, "c"), False)))
