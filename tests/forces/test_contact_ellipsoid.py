"""Ellipsoids in Hunt-Crossley contact: live OpenSim's forces, and what geometry asks of them."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays.spatial import body_xyz_rotation
from jaxosim.errors import OsimFormatError
from jaxosim.forces.ellipsoid_contact import ellipsoid_of, overlap
from jaxosim.system import realize_dynamics, realize_position, realize_velocity
from jaxosim.viewer.scene import build_scene
from tests import hopper_model
from tests.forces.touching import TILTED, as_states, force, material, two_bodies
from tests.models import osim_text as osim

STATES = 256
DEEPEST = (
    0.05  # m, in parity: about half of what is inside; farther in, several normals are opposite
)
HARD, SOFT = ("400000", "0.4", "0.9", "0.6", "0.1"), ("90000", "1.5", "0.5", "0.5", "0.3")
STEP = 1e-5  # of differences of fourth order


def _surface(name, location, orientation="0 0 0", **size):
    tag = "ContactSphere" if "radius" in size else "ContactEllipsoid"
    place = {"socket_frame": f"/bodyset/{name[0]}", "location": location}
    return osim.element(tag, name, **place, orientation=orientation, **size)


def world(radii="0.09 0.05 0.07"):
    """Two free bodies with ellipsoids and a sphere over a tilted half-space."""
    surfaces = [
        _surface("a0", "-0.05 0 0.02", "0.3 -0.4 0.9", radii=radii),
        _surface("a1", "0.08 0.01 0", radius="0.06"),
        _surface("b0", "0.03 0.02 0", "-0.7 0.2 0.4", radii="0.06 0.11 0.05"),
        _surface("b1", "-0.09 0 0.03", "0.5 0.6 -0.2", radii="0.05 0.05 0.05"),
    ]
    forces = [
        force("flat", material("slope a0", *HARD), transition_velocity="0.2"),
        force("pair", material("a0", *SOFT), material("b0", *HARD), transition_velocity="0.05"),
        force("mixed", material("a1 b0", *HARD), material("b1", *SOFT), transition_velocity="0.1"),
        force("many", material("slope a0 b1", *SOFT), transition_velocity="0.1"),
    ]
    bodies, joints = two_bodies()
    geometry = osim.members("ContactGeometrySet", TILTED, *surfaces)
    return osim.model(*forces, bodies=bodies, joints=joints, rest=geometry)


WORLD = world()


@pytest.fixture(scope="module")
def loaded():
    return hopper_model.load(WORLD)


def states_of(model, params, count, seed):
    """Bodies near the slope and near each other."""
    rng = np.random.default_rng(seed)
    q = rng.uniform(-1.5, 1.5, (count, 12))
    q[:, 3:6] = rng.uniform(-0.08, 0.08, (count, 3))
    q[:, 9:12] = q[:, 3:6] + rng.uniform(-0.16, 0.16, (count, 3))
    speed = rng.choice([0.0, 0.1, 1.0], (count, 1))
    return hopper_model.states_at(model, params, q, speed * rng.standard_normal((count, 12)))


def contacts(model, params, state):
    """The record of all contacts."""
    position = realize_position(model, params, state)
    velocity = realize_velocity(model, params, state, state.activation, position)
    dynamics = realize_dynamics(model, params, state, state.activation, position, velocity)
    return dynamics.forces["contacts"]


@functools.cache
def contacts_of(model):
    return jax.jit(jax.vmap(functools.partial(contacts, model), (None, 0)))


def surfaces(count, seed):
    """Pairs of ellipsoids that touch, or nearly: rotations, semi-axes and distance of centers."""
    rng = np.random.default_rng(seed)
    turned = body_xyz_rotation(jnp.asarray(rng.uniform(-np.pi, np.pi, (2, count, 3))))
    semi_axes = rng.uniform(0.03, 0.1, (2, count, 3))
    apart = rng.standard_normal((count, 3))
    apart *= rng.uniform(0.11, 0.2, (count, 1)) / np.linalg.norm(apart, axis=1)[:, None]
    return jnp.asarray(turned), jnp.asarray(semi_axes), jnp.asarray(apart)


def law(rotation, semi_axes, apart):
    """The overlap of one pair."""
    one, other = (ellipsoid_of(rotation[side], semi_axes[side]) for side in (0, 1))
    return overlap(one, other, apart)


laws = jax.jit(jax.vmap(law, (1, 1, 0)))


# parity


@pytest.mark.opensim
def test_records_and_accelerations(opensim, loaded):
    states = states_of(*loaded, 2 * STATES, seed=1)
    depth = np.asarray(contacts_of(loaded[0])(loaded[1], as_states(states)).depth)
    of_ellipsoids = slice(loaded[0].contacts.half_space_count, None)
    shallow = np.flatnonzero((depth[:, of_ellipsoids] < DEEPEST).all(axis=1))[:STATES]
    assert len(shallow) == STATES and ((depth[shallow] > 0).sum(axis=0) > 15).all()
    hopper_model.assert_parity(WORLD, {name: part[shallow] for name, part in states.items()})


def test_a_half_space_sees_the_semi_axes():
    """As OpenSim 4.6 has it, 233.309 N; by the radii of curvature it were 365.148 N."""
    wall = osim.element("ContactHalfSpace", "wall", socket_frame="/ground")  # at x > 0
    round_ = osim.element(
        "ContactEllipsoid", "round", socket_frame="/bodyset/a", radii="0.1 0.3 0.2"
    )
    slider = osim.joint(
        *("SliderJoint", "j", "/ground", "/bodyset/a"), osim.coordinates("x", default_value="-0.09")
    )
    text = osim.model(
        force("contact", material("wall round", "1e6", *"0000"), transition_velocity="0.1"),
        joints=slider,
        rest=osim.members("ContactGeometrySet", wall, round_),
    )
    model, params = hopper_model.load(text)
    state = hopper_model.initial(model, params)
    found = contacts_of(model)(params, hopper_model.stack([state]))
    np.testing.assert_allclose(found.normal_force, [[233.30903]], rtol=1e-6)


# property


@pytest.mark.thorough
def test_both_points_are_on_their_surfaces_with_opposite_normals():
    rotation, semi_axes, apart = surfaces(512, seed=2)
    found = laws(rotation, semi_axes, apart)
    assert 100 < (np.asarray(found.depth) > 0).sum() < 400
    half = np.asarray(found.depth)[:, None] * np.asarray(found.normal) / 2
    for side, center, sign in ((0, 0 * apart, 1), (1, apart, -1)):
        own = ellipsoid_of(rotation[side], semi_axes[side])
        arm = np.asarray(found.middle + sign * half - center)
        bent = np.einsum("nij,nj->ni", own.curved, arm)
        np.testing.assert_allclose(np.einsum("ni,ni->n", arm, bent), 1.0, rtol=1e-9)
        bent *= sign / np.linalg.norm(bent, axis=1)[:, None]
        np.testing.assert_allclose(bent, found.normal, atol=1e-8)


@pytest.mark.thorough
def test_spheres_are_ellipsoids_of_equal_axes():
    _, semi_axes, apart = surfaces(64, seed=3)
    radius = semi_axes[:, :, 0]
    rotation = surfaces(64, seed=4)[0]
    found = laws(rotation, jnp.broadcast_to(radius[..., None], semi_axes.shape), apart)
    distance = np.linalg.norm(apart, axis=1)
    normal = np.asarray(apart) / distance[:, None]
    np.testing.assert_allclose(found.depth, radius[0] + radius[1] - distance, atol=1e-15)
    np.testing.assert_allclose(found.normal, normal, atol=1e-14)
    np.testing.assert_allclose(found.radius, radius[0] * radius[1] / sum(radius), rtol=1e-12)


@pytest.mark.thorough
def test_exchanged_surfaces_touch_alike():
    rotation, semi_axes, apart = surfaces(64, seed=5)
    found = laws(rotation, semi_axes, apart)
    other = laws(rotation[::-1], semi_axes[::-1], -apart)
    chex.assert_trees_all_close(found.depth, other.depth, atol=1e-14)
    chex.assert_trees_all_close(found.normal, -other.normal, atol=1e-10)
    chex.assert_trees_all_close(found.middle, apart + other.middle, atol=1e-10)
    chex.assert_trees_all_close(found.radius, other.radius, rtol=1e-9)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences():
    rotation, semi_axes, apart = surfaces(128, seed=6)
    direction = np.random.default_rng(7).standard_normal((*semi_axes.shape[:-1], 6))

    def along(s):
        turned = jnp.einsum(
            "...ij,...jk->...ik", rotation, body_xyz_rotation(s * direction[..., :3])
        )
        grown = semi_axes * (1 + 0.1 * s * direction[..., 3:])
        return laws(turned, grown, apart + s * 0.1 * direction[0, :, :3])

    _, slope = jax.jvp(along, (0.0,), (1.0,))
    ahead, farther, behind, back = (along(k * STEP) for k in (1, 2, -1, -2))
    expected = jax.tree.map(
        lambda a, b, c, d: (8 * (a - c) - (b - d)) / (12 * STEP), ahead, farther, behind, back
    )
    for ours, theirs in zip(slope, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
        assert np.abs(theirs).max() > 1e-3


@pytest.mark.thorough
def test_gradients_are_finite_for_coincident_centers():
    rotation, semi_axes, apart = surfaces(4, seed=8)
    slopes = jax.jit(jax.vmap(jax.jacrev(law, argnums=(0, 1, 2)), (1, 1, 0)))
    assert hopper_model.all_finite(slopes(rotation, semi_axes, 0 * apart))
    assert hopper_model.all_finite(slopes(rotation, semi_axes, apart))


# batch, compile


@pytest.mark.thorough
def test_a_batch_is_single_worlds_in_both_precisions(loaded):
    model, params = loaded
    batch = as_states(states_of(model, params, 16, seed=9))

    def depths(model, params, state, controls):
        found = contacts(model, params, state)
        return found.depth, found.normal, found.position

    worlds = [hopper_model.row(batch, index) for index in range(16)]
    hopper_model.assert_batches_equal_single_worlds(
        depths, model, params, worlds, tolerances=(1e-9, 2e-4)
    )


# files


@pytest.mark.parametrize("radii", ["0.1 0 0.1", "0.1 -0.1 0.1"])
def test_radii_have_to_be_above_zero(radii):
    with pytest.raises(OsimFormatError, match=r"a0.*expected radii above 0"):
        hopper_model.load(world(radii))


def test_ellipsoids_are_drawn(loaded):
    shapes = {shape.name: shape for shape in build_scene(*loaded).shapes}
    corners = shapes["contact/b0"].mesh.vertices
    away = corners - np.array([0.03, 0.02, 0.0])
    own = ellipsoid_of(
        body_xyz_rotation(jnp.array([-0.7, 0.2, 0.4])), jnp.array([0.06, 0.11, 0.05])
    )
    on = np.einsum("ni,ij,nj->n", away, own.curved, away)[:-2]  # without the middles of its caps
    np.testing.assert_allclose(on, 1.0, rtol=1e-6)
