"""Small worlds and shared programs of the laws' tests.

Worlds are short `.osim` texts, written once to a temporary folder so that OpenSim can read the same
file. Programs are compiled once for a model and reused by every test of a run. Arithmetic between
programs is NumPy's, since `jax.numpy` compiles a program for each operation and shape, `asarray`
included.
"""

import dataclasses
import functools
import hashlib
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.forces.force import Kinematics
from jaxosim.fused import using
from jaxosim.simulation import find_initial_state
from tests.models import osim_text as osim

_FOLDER = tempfile.TemporaryDirectory(prefix="jaxosim-worlds-")

SPLINE_KNOTS = (-1.2, -0.4, 0.1, 0.8)  # of the hopper's knee
CONDITION = (-1.0, -0.3)  # range of the knee in which its flexor's middle point is present
FLOOR = osim.element(
    "ContactHalfSpace", "floor", socket_frame="/ground", orientation="0 0 -1.5707963267949"
)


# ------------------------------------------------------------------------------ files, models


def path_of(text):
    """A file that holds the text; the same one for the same text."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = pathlib.Path(_FOLDER.name) / f"{name}.osim"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    return path


def load(name_or_text):
    """Model and Params of a bundled name or of an `.osim` text."""
    return jaxosim.load_model(source_of(name_or_text))


def source_of(name_or_text):
    """What `load_model` and the oracle take."""
    return path_of(name_or_text) if name_or_text.startswith("<") else name_or_text


@functools.cache
def oracle_of(name_or_text):
    """Live OpenSim of the same model."""
    from jaxosim.models.catalog import resolve
    from jaxosim.opensim.model import OpenSimModel

    return OpenSimModel(resolve(source_of(name_or_text)))


def assert_parity(name_or_text, states, only=None):
    """Every quantity of the acceptance table at these states, against live OpenSim.

    Ball and Free joints have a fourth, unused q in Simbody, past which the oracle does not count:
    for models with them q_dot is left out here and tested in tests/dynamics/test_joints.py.
    """
    from opensim_comparison.states import QUANTITIES, compare

    comparison = compare(oracle_of(name_or_text), source_of(name_or_text), states)
    uneven = bool(load(name_or_text)[0].tree.angular_velocity.any())
    for quantity in QUANTITIES:
        if only is None or quantity.name in only:
            parts = {k: v for k, v in quantity.parts.items() if not (uneven and k == "q_dot")}
            quantity = dataclasses.replace(quantity, parts=parts)
            error = comparison.error(quantity)
            assert error.value <= quantity.tolerance, (quantity.name, error)
    return comparison


def states_at(model, params, q, u, seed=0):
    """`[state, …]` arrays for the oracle: poses and speeds given, muscles drawn at random."""
    rng = np.random.default_rng(seed)
    shape = (len(q), len(model.muscle_names))
    return {
        "time": np.zeros(len(q)),
        "q": np.asarray(q, float),
        "u": np.where(model.locked, 0.0, u),
        "activation": rng.uniform(0.01, 1.0, shape),
        "fiber_length": rng.uniform(0.6, 1.4, shape)
        * np.asarray(params.muscles.optimal_fiber_length),
        "excitation": rng.uniform(0.0, 1.0, (len(q), len(model.control_names))),
        "normalized_tendon_force": rng.uniform(
            0.0, 1.5, (len(q), model.sizes["degroote_fregly2016"])
        ),
        "force_states": rng.uniform(-1.0, 1.0, (len(q), model.sizes["force_state"])),
    }


# -------------------------------------------------------------------------------- programs


rates = jax.jit(jaxosim.state_derivative)
describe = jax.jit(jaxosim.describe)
initial = jax.jit(jaxosim.initial_state)


@functools.cache
def step_of(model, options):
    """Compiled `step` of (params, state, excitation)."""
    return jax.jit(lambda p, s, e: jaxosim.step(model, p, s, e, options))


@functools.cache
def rollout_of(model, options):
    """Compiled `rollout` of (params, state, excitations)."""
    return jax.jit(lambda p, s, e: jaxosim.rollout(model, p, s, e, options))


def dtypes_in_single_precision(name_or_text):
    """Dtypes of the start and of the state a step later, with params in float32."""
    model, params = load(name_or_text)
    params = jax.tree.map(lambda x: x.astype(jnp.float32), params)

    def states():
        start, _ = find_initial_state(model, params)
        return start, jaxosim.step(model, params, start, jnp.zeros(len(model.control_names), "f4"))

    return {x.dtype for x in jax.tree.leaves(jax.eval_shape(states))}


# ------------------------------------------------------------------------- states, gradients


def random_state(model, params, seed, spread=0.2, speed=1.0):
    """A state around the default pose, its fibers near optimal length."""
    rng = np.random.default_rng(seed)
    draw = lambda like: jnp.asarray(rng.standard_normal(like.shape))  # noqa: E731
    coordinates, muscles = params.coordinates, params.muscles
    free = jnp.asarray(~model.locked, float)
    activation = rng.uniform(0.05, 0.95, muscles.max_isometric_force.shape)
    return jaxosim.State(
        time=jnp.zeros(()),
        q=coordinates.default_value + spread * free * draw(coordinates.default_value),
        u=speed * free * draw(coordinates.default_value),
        activation=jnp.asarray(activation),
        fiber_length=muscles.optimal_fiber_length
        * jnp.asarray(rng.uniform(0.8, 1.2, activation.shape)),
        normalized_tendon_force=jnp.asarray(
            rng.uniform(0.1, 1.0, model.sizes["degroote_fregly2016"])
        ),
        force_states=jnp.asarray(rng.uniform(-1.0, 1.0, model.sizes["force_state"])),
    )


def replace_at(state, **changes):
    """The state with single entries changed: field=(index, value)."""
    new = {name: getattr(state, name).at[i].set(value) for name, (i, value) in changes.items()}
    return dataclasses.replace(state, **new)


def stack(records):
    """Records with a leading axis."""
    return jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *records))


def row(record, index):
    """One world of a batch."""
    return jax.device_put(jax.tree.map(lambda leaf: np.asarray(leaf)[index], record))


def all_finite(tree):
    """Whether every number of a pytree is finite."""
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def nonzero(tree):
    """Whether any number of a pytree differs from zero."""
    return any(np.any(leaf) for leaf in jax.tree.leaves(tree))


def random_direction(tree, seed):
    """A pytree of the same shape, each number moved in proportion to its size."""
    rng = np.random.default_rng(seed)

    def move(leaf):
        size = np.where(np.isfinite(leaf), np.abs(leaf), 0.0)
        return jnp.asarray(rng.standard_normal(leaf.shape) * size)

    return jax.tree.map(move, tree)


def slope_along(function, at, direction, h):
    """Central difference of a scalar function of a pytree, fourth order."""

    def value(t):
        moved = jax.tree.map(lambda a, d: np.asarray(a) + t * np.asarray(d), at, direction)
        return float(function(jax.device_put(moved)))

    return (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)


def inner(a, b):
    """Scalar product of two pytrees."""
    leaves = map(jax.tree.leaves, (a, b))
    return sum(float(np.sum(np.asarray(x) * np.asarray(y))) for x, y in zip(*leaves, strict=True))


def assert_batches_equal_single_worlds(
    function, model, params, states, controls=None, tolerances=(1e-10, 1e-4)
):
    """A batch by the fused kernel, in double and single precision, is single worlds by XLA.

    Args:
      function: of model, params, state and controls; traced once for the single worlds.
      model: static structure.
      params: model parameters.
      states: of the worlds.
      controls: of all worlds; zero by default.
      tolerances: in double and in single precision.
    """
    controls = jnp.zeros(len(model.control_names)) if controls is None else controls
    one = jax.jit(lambda state: function(model, params, state, controls))
    with using("xla"):
        alone = stack([one(state) for state in states])
    assert one._cache_size() == 1
    for dtype, tolerance in zip((jnp.float64, jnp.float32), tolerances, strict=True):
        numbers, batch, given = jax.tree.map(
            lambda x, dtype=dtype: jnp.asarray(x, dtype), (params, stack(states), controls)
        )
        with using("fused"):
            together = jax.jit(
                jax.vmap(lambda state, n=numbers, c=given: function(model, n, state, c))
            )(batch)
        for ours, theirs in zip(*map(jax.tree.leaves, (together, alone)), strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------------------------- worlds


# A trunk on a planar joint, a shank on a spline knee, a foot that is locked to it. It has one of
# everything: two muscles with a moving and a conditional point, two contact spheres on a floor, a
# limit, a spring, a locked coordinate and a marker.
HOPPER = (pathlib.Path(__file__).parent / "data/hopper.osim").read_text(encoding="utf-8")


def slopes_at_an_edge(function, edge, into):
    """Derivative of a function of one number exactly at an edge of its range, and just within.

    Args:
      function: of a scalar.
      edge: where.
      into: +1 where the range lies above, −1 where it lies below.
    """
    slope = jax.jit(jax.jacfwd(function))
    at, within = (np.asarray(slope(jnp.asarray(x))) for x in (edge, edge + into * 1e-9))
    assert np.abs(within).max() > 0, "a slope of zero would show nothing"
    return at, within


# ---------------------------------------------------------------- a force by itself


def on_coordinates(force, params, q, u):
    """What forces of one class do, each on a coordinate of its own.

    Args:
      force: a module of `jaxosim.forces` whose forces act on one coordinate each.
      params: its numbers.
      q: `[force]` (rad | m) the coordinates' values.
      u: `[force]` (rad/s | m/s) their speeds.
    """
    structure = force.Structure(names=("",) * len(q), coordinate=np.arange(len(q)))
    nowhere = {"pose": jnp.zeros((1, 3, 4)), "velocity": jnp.zeros((1, 6))}
    no_paths = jnp.zeros(0)
    kinematics = Kinematics(
        time=jnp.zeros(()),
        q=q,
        u=u,
        hinge=jnp.zeros((len(q), 6)),
        path_length=no_paths,
        lengthening_speed=no_paths,
        force_states=jnp.zeros(0),
        **nowhere,
    )
    return force.evaluate(structure, params, None, kinematics, jnp.zeros(0))
