"""Paths over wrap objects: lengths, speeds, moment arms, limits, gradients, batches."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.errors import OsimFormatError
from jaxosim.fused import fused, using
from jaxosim.paths.geometry_path import realize_paths
from tests import hopper_model
from tests.models import osim_text as osim
from tests.paths import wrap_models
from tests.paths.wrap_models import MODELS, MORE_MODELS

STATES = 24
SWEEP = 256
STEADY = 1e-12  # a tenth of the acceptance table's tolerance
DIFFERENCE = 1e-6  # (rad) of finite differences
GRADIENT_TOLERANCE = 1e-6  # (m) of the slope of a length


@functools.cache
def lengths_of(text):
    """Compiled lengths of (params, q) of a batch, `[state, path]`, and their slopes."""
    model, params = hopper_model.load(text)

    def lengths(params, q):
        instance = realize_instance(model, params)
        bodies = realize_pose(model, instance, realize_joints(model, params, q))
        return realize_paths(model, params, instance, bodies, q).length

    batch = jax.jit(jax.vmap(fused(lengths), in_axes=(None, 0)))
    slopes = jax.jit(jax.vmap(fused(jax.jacrev(lengths, argnums=1)), in_axes=(None, 0)))
    return params, batch, slopes


def poses(count, seed=0, spread=1.5):
    """Poses of a model of wrap_models, `[state, coordinate]`."""
    return np.random.default_rng(seed).uniform(-spread, spread, (count, 5))


def states_of(text, count, seed=0, spread=1.5):
    """Poses in motion, for OpenSim and us."""
    model, params = hopper_model.load(text)
    q = poses(count, seed, spread)
    u = np.random.default_rng(seed + 1).normal(size=q.shape)
    return hopper_model.states_at(model, params, q, u, seed)


# parity


SOME_SLOW = [
    "alone",
    pytest.param("alone, by search", marks=pytest.mark.thorough),
    pytest.param("several", marks=pytest.mark.thorough),
    pytest.param("several, by search", marks=pytest.mark.slow),
]


@pytest.mark.opensim
@pytest.mark.parametrize("name", SOME_SLOW)
def test_lengths_speeds_and_moment_arms_are_opensims(opensim, name):
    states = states_of(MODELS[name], STATES)
    hopper_model.assert_parity(MODELS[name], states, only=("paths",))


@pytest.mark.opensim
@pytest.mark.thorough
def test_a_slender_ellipsoid_bends_paths_as_in_opensim(opensim):
    # A point of the fan next to the surface is its own nearest point, but for rounding, and counts
    # for nothing: else the direction of a unit of rounding turns the plane, by chance.
    text = wrap_models.slender()
    hopper_model.assert_parity(text, states_of(text, 64, spread=0.3), only=("paths",))


@pytest.mark.opensim
@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.3, 1.5, 3.0])
@pytest.mark.parametrize("name", [*MODELS, *MORE_MODELS])
def test_all_poses_are_opensims(opensim, name, spread):
    text = (MODELS | MORE_MODELS)[name]
    states = states_of(text, SWEEP, seed=7, spread=spread)
    good = opensim_is_steady(hopper_model.oracle_of(text), states)
    assert good.mean() > (0.5 if "WrapTorus" in text else 0.95)
    states = {key: value[good] for key, value in states.items()}
    hopper_model.assert_parity(text, states, only=("paths", "record values"))


def opensim_is_steady(oracle, states):
    """Where OpenSim's lengths and their speeds are finite and not moved by a shift of 1e-15."""
    from jaxosim.opensim.scatter import shifted

    muscles = list(oracle.model.getMuscleList())
    draws = np.random.default_rng(0)

    def measured(values):
        state = oracle.state_of(values)
        oracle.model.realizeVelocity(state)
        return np.array([(m.getLength(state), m.getLengtheningSpeed(state)) for m in muscles])

    def scatter(values):
        center = measured(values)
        moved = [measured(shifted(values, ~oracle.locked, draws)) for _ in range(4)]
        return np.max(np.abs(moved - center) / np.maximum(1.0, np.abs(center)))

    rows = ({key: value[row] for key, value in states.items()} for row in range(len(states["q"])))
    return np.array([scatter(values) <= STEADY for values in rows])  # NaN is not


# property


def test_a_wrap_without_quadrant_comes_and_goes_without_a_jump():
    params, lengths, _ = lengths_of(MODELS["alone"])
    line = np.linspace(-1.5, 1.5, 2001)[:, None] * np.array([[0.9, 0.3, -0.5, 0.0, 0.0]])
    length = np.asarray(lengths(params, line))
    for kind in ("WrapCylinder", "WrapSphere"):
        model, _ = hopper_model.load(MODELS["alone"])
        path = length[:, model.muscle_names.index(f"{kind}_0")]
        straight = np.asarray(lengths(_shrunk(params), line))[
            :, model.muscle_names.index(f"{kind}_0")
        ]
        wraps = path - straight > 1e-9
        assert wraps.any() and not wraps.all()
        assert np.abs(np.diff(path)).max() < 2e-3


def _shrunk(params):
    """Params whose wrap objects are so small that nothing meets them."""
    paths = params.paths
    small = {
        name: dataclasses.replace(getattr(paths, name), radius=1e-9 * getattr(paths, name).radius)
        for name in ("wrap_cylinders", "wrap_spheres")
    }
    return dataclasses.replace(params, paths=dataclasses.replace(paths, **small))


# gradient


GRADIENTS = [
    "alone",
    pytest.param("alone, by search", marks=pytest.mark.slow),
    pytest.param("several", marks=pytest.mark.slow),
    pytest.param("several, by search", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", GRADIENTS)
def test_slopes_are_finite_and_those_of_differences_away_from_jumps(name):
    params, lengths, slopes = lengths_of(MODELS[name])
    q = np.concatenate([poses(STATES - 1, seed=3), np.zeros((1, 5))])
    slope = np.asarray(slopes(params, q))
    assert np.isfinite(slope).all()
    direction = poses(1, seed=5, spread=1.0)
    up, down = (np.asarray(lengths(params, q + s * DIFFERENCE * direction)) for s in (1, -1))
    rest = up - down - 2 * DIFFERENCE * slope @ direction[0]
    off = np.abs(rest) > 2 * DIFFERENCE * GRADIENT_TOLERANCE
    assert off.mean() < 0.05
    below, above = jumps(lambda x: lengths(params, x), q - DIFFERENCE * direction, direction, off)
    # What the slope misses is still there over a millionth of the way: the length jumps.
    np.testing.assert_allclose(above.length - below.length, rest[off], rtol=0.1, atol=1e-9)


class Side(NamedTuple):
    """Poses `[jump, coordinate]` on one side of jumps, and the lengths of the paths that jump."""

    q: np.ndarray
    length: np.ndarray
    path: np.ndarray


def jumps(lengths, start, direction, off):
    """Both sides of jumps of lengths over two differences from poses, a millionth of them apart.

    Args:
      lengths: of `[state, coordinate]`, `[state, path]`.
      start: `[state, coordinate]`.
      direction: `[1, coordinate]`.
      off: `[state, path]` bool, where they are.
    """
    state, path = np.nonzero(off)

    def length(way):
        rows = start[state] + way[:, None] * direction
        found = [np.zeros((0, off.shape[1]))]
        for i in range(0, len(rows), STATES):
            found.append(lengths(np.resize(rows[i : i + STATES], (STATES, 5))))
        return rows, np.concatenate(found)[np.arange(len(path)), path]

    low, high = np.zeros(len(path)), np.full(len(path), 2 * DIFFERENCE)
    for _ in range(20):
        middle = 0.5 * (low + high)
        at_low, at_middle, at_high = (length(way)[1] for way in (low, middle, high))
        first = np.abs(at_middle - at_low) > np.abs(at_high - at_middle)
        low, high = np.where(first, low, middle), np.where(first, middle, high)
    return (Side(*length(way), path) for way in (low, high))


# batch


def test_a_batch_is_a_loop_over_its_poses():
    params, lengths, _ = lengths_of(MODELS["alone"])
    q = poses(STATES, seed=4)
    one_by_one = np.concatenate([lengths(params, q[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(lengths(params, q)[:4], one_by_one, rtol=0, atol=1e-14)


# compile


def test_other_dimensions_do_not_trace_again():
    params, lengths, _ = lengths_of(MODELS["alone"])
    q = poses(STATES, seed=4)
    lengths(params, q)
    before = lengths._cache_size()
    longer = lengths(dataclasses.replace(params, paths=_shrunk(params).paths), q)
    assert lengths._cache_size() == before
    assert np.abs(longer - lengths(params, q)).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_agrees_with_xla(name, dtype):
    model, params = hopper_model.load(MODELS[name])
    state = hopper_model.random_state(model, params, seed=2)
    params, state = jax.tree.map(lambda x: jnp.asarray(x, dtype), (params, state))
    excitation = jnp.full(len(model.control_names), 0.3, dtype)
    found = {}
    for kernel in ("fused", "xla"):
        with using(kernel):
            rates = jax.jit(lambda p, s, e: jaxosim.state_derivative(model, p, s, e))
            found[kernel] = rates(params, state, excitation)
    tolerance = 1e-9 if dtype == jnp.float64 else 1e-3
    for ours, theirs in zip(*map(jax.tree.leaves, found.values()), strict=True):
        scale = np.maximum(1.0, np.abs(theirs))
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=tolerance)


# errors


def with_wrap(wrap, kind="WrapCylinder", **values):
    """A muscle over an object on ground."""
    sizes = {"radius": "0.1", "length": "1"} if kind == "WrapCylinder" else {}
    roll = osim.element(kind, "roll", **(sizes | values))
    ground = osim.element("Ground", "ground", osim.members("WrapObjectSet", roll))
    wraps = osim.members("PathWrapSet", osim.element("PathWrap", "w", **wrap))
    return osim.model(osim.muscle(wraps=wraps), rest=ground)


@pytest.mark.parametrize(
    ("wrap", "values", "message"),
    [
        ({"wrap_object": "ball"}, {}, "the name of one, found 'ball'"),
        ({"wrap_object": ""}, {}, "the name of one, found ''"),
        ({"wrap_object": "roll", "range": "1 3"}, {}, "points from 1 to 2, found 1 to 3"),
        ({"wrap_object": "roll", "range": "2 1"}, {}, "points from 1 to 2, found 2 to 1"),
        ({"wrap_object": "roll", "method": "fast"}, {}, "a method of hybrid, midpoint, axial"),
        ({"wrap_object": "roll"}, {"radius": "-0.1"}, "a radius of 0 or more"),
        ({"wrap_object": "roll"}, {"quadrant": "north"}, "a quadrant such as all, x or -y"),
    ],
)
def test_what_opensim_would_not_accept_is_named(wrap, values, message):
    with pytest.raises(OsimFormatError, match=message):
        hopper_model.load(with_wrap(wrap, **values))


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("WrapEllipsoid", {"dimensions": "0.1 0 0.1"}, "dimensions above 0"),
        ("WrapTorus", {"inner_radius": "0"}, "an inner_radius above 0 and below outer_radius"),
        ("WrapTorus", {"outer_radius": "0.01"}, "found 0.01 and 0.01"),
    ],
)
def test_dimensions_that_opensim_would_not_accept_are_named(kind, values, message):
    with pytest.raises(OsimFormatError, match=message):
        hopper_model.load(with_wrap({"wrap_object": "roll"}, kind, **values))


def test_old_files_keep_the_wrap_objects_of_ground():
    old = """<OpenSimDocument Version="30000"><Model name="m"><BodySet><objects>
    <Body name="ground"><mass>0</mass><Joint/><WrapObjectSet><objects>
    <WrapSphere name="ball"><radius>0.1</radius><translation>0 0.5 0</translation></WrapSphere>
    </objects></WrapObjectSet></Body>
    <Body name="a"><mass>1</mass><inertia_xx>1</inertia_xx><inertia_yy>1</inertia_yy>
    <inertia_zz>1</inertia_zz><Joint><PinJoint name="j"><parent_body>ground</parent_body>
    <CoordinateSet><objects><Coordinate name="q"/></objects></CoordinateSet></PinJoint></Joint>
    </Body></objects></BodySet><ForceSet><objects><Thelen2003Muscle name="m1"><GeometryPath>
    <PathPointSet><objects><PathPoint name="p1"><location>-1 0.45 0</location><body>ground</body>
    </PathPoint><PathPoint name="p2"><location>1 0.45 0</location><body>a</body></PathPoint>
    </objects></PathPointSet><PathWrapSet><objects><PathWrap><wrap_object>ball</wrap_object>
    </PathWrap></objects></PathWrapSet></GeometryPath></Thelen2003Muscle></objects></ForceSet>
    </Model></OpenSimDocument>"""
    model, _ = hopper_model.load(old)
    assert model.paths.wrap_body.tolist() == [-1]
    assert len(model.paths.wrap_groups) == 1


def test_an_inactive_wrap_object_leaves_the_path_straight():
    straight = wrap_models.arm(
        [osim.muscle("m", wrap_models.points(), wrap_models.wraps("off"))],
        [wrap_models.wrap_object("WrapSphere", "off", active="false", radius="0.05")],
    )
    model, _ = hopper_model.load(straight)
    assert model.paths.wrap_groups == ()
