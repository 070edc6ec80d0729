"""The nouns: every record has its declared axes, every unit is known, Model is static under jit."""

import dataclasses
import functools
import importlib
import inspect
import pathlib
import re
import typing

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.pytree import check_shapes, declared_arrays
from jaxosim.system import (
    realize_acceleration,
    realize_dynamics,
    realize_position,
    realize_velocity,
)
from tests import hopper_model
from tests.models import osim_text as osim

BASE = {"1", "m", "rad", "s", "kg", "N", "J"}
POWERS = r"[²³]?(\^\([0-9]/[0-9]\))?"
BATCH = 2
KERNELS = ("fused", pytest.param("xla", marks=pytest.mark.thorough))


def records(name):
    """The pytree classes that a module defines."""
    module = importlib.import_module(name)
    return [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if dataclasses.is_dataclass(cls)
        and cls.__module__ == name
        and any("unit" in field.metadata for field in dataclasses.fields(cls))
    ]


ROOM = pathlib.Path(jaxosim.__file__).parent
LAWS = [
    ".".join(path.relative_to(ROOM.parent).with_suffix("").parts)
    for folder in ("dynamics", "forces", "muscles", "paths")
    for path in sorted((ROOM / folder).rglob("[!_]*.py"))
]
RECORDS = [
    cls
    for module in ("jaxosim.types", "jaxosim.outputs", "jaxosim.system", *LAWS)
    for cls in records(module)
]


@functools.cache
def traced(name):
    """Shapes of all stage records of a bundled model; nothing is computed."""
    model, params = jaxosim.load_model(name)

    def stages(params, q):
        muscles = params.muscles
        state = jaxosim.State(
            time=jnp.zeros(()),
            q=q,
            u=q,
            activation=muscles.default_activation,
            fiber_length=muscles.default_fiber_length,
            normalized_tendon_force=params.degroote_fregly2016.default_normalized_tendon_force,
            force_states=params.default_force_states,
        )
        excitation = muscles.default_activation
        position = realize_position(model, params, state)
        velocity = realize_velocity(model, params, state, excitation, position)
        dynamics = realize_dynamics(model, params, state, excitation, position, velocity)
        acceleration = realize_acceleration(model, params, position, velocity, dynamics)
        rates = jaxosim.state_derivative(model, params, state, excitation)
        info = jaxosim.describe(model, params, state, excitation)
        return position, velocity, dynamics, acceleration, rates, state, info

    return model, params, jax.eval_shape(stages, params, params.coordinates.default_value)


@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_every_record_has_its_declared_axes(name):
    model, params, stages = traced(name)
    check_shapes(params, model.sizes)
    for stage in stages:
        if isinstance(stage, jaxosim.StateDescription):
            sizes = model.sizes
            parts = [getattr(stage, field.name) for field in dataclasses.fields(stage)]
            kinds = {"markers": sizes["marker"]}
            for part in parts[:2] + parts[3:5]:
                check_shapes(part, sizes)
            check_shapes(stage.markers, {**sizes, "point": kinds["markers"]})
        else:
            check_shapes(stage, model.sizes)
        assert list(declared_arrays(stage))


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_unit_is_known(cls):
    for field in dataclasses.fields(cls):
        if "unit" not in field.metadata:
            is_record = dataclasses.is_dataclass(field.type) or isinstance(field.type, str)
            assert is_record or typing.get_origin(field.type) is dict, field.name
            continue
        unit = field.metadata["unit"]
        if unit == "mixed":
            continue
        for alternative in re.split(r" \| |, ", unit):
            for part in re.split(r"[·/](?![^(]*\))", alternative):
                bare = re.sub(POWERS + "$", "", part)
                assert bare in BASE, (cls.__name__, field.name, unit)


@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_params_are_all_float_arrays(name):
    _, params = jaxosim.load_model(name)
    leaves = jax.tree.leaves(params)
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float64 for leaf in leaves)
    assert len(leaves) == len(list(declared_arrays(params)))


@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_names_and_index_arrays_fit_each_other(name):
    model, _ = jaxosim.load_model(name)
    sizes = model.sizes
    assert len(model.body_names) == sizes["body"]
    assert len(model.muscle_names) == sizes["muscle"] == len(model.muscle_applies_force)
    assert sorted(np.concatenate(model.muscle_rows)) == list(range(sizes["muscle"]))
    assert sizes["path"] == len(model.paths.names)
    assert [model.paths.names[path] for path in model.muscle_path] == list(model.muscle_names)
    assert len(model.coordinate_names) == sizes["coordinate"] == len(model.locked)
    assert sorted(c for joint in model.joint_coordinates for c in joint) == list(
        range(sizes["coordinate"])
    )
    assert sorted(model.tree.mobility) == list(np.flatnonzero(~model.locked))
    assert (model.tree.parent < np.arange(sizes["mobod"])).all()  # parents come first
    support = model.tree.support
    np.testing.assert_array_equal(support, model.tree.descendants.T[:, model.tree.mobility_mobod])


def test_params_go_through_grad_and_tree_arithmetic():
    _, params = jaxosim.load_model("arm2dof6musc")
    slopes = jax.grad(lambda p: jnp.sum(p.muscles.max_isometric_force**2))(params)
    stepped = jax.tree.map(lambda p, g: p - 0.1 * g, params, slopes)
    assert isinstance(stepped, jaxosim.Params)
    chex.assert_trees_all_close(
        stepped.muscles.max_isometric_force, 0.8 * params.muscles.max_isometric_force, rtol=1e-14
    )
    chex.assert_trees_all_equal(stepped.bodies, params.bodies)


def test_a_model_is_static_and_hashed_by_identity():
    model, _ = jaxosim.load_model("arm2dof6musc")
    again, _ = jaxosim.load_model("arm2dof6musc")
    twin = dataclasses.replace(model)
    assert again is model
    assert hash(twin) != hash(model) and twin != model

    @jax.jit
    @chex.assert_max_traces(n=2)
    def count(model, x):
        return x * len(model.body_names)

    for one in (model, again, twin, twin):
        count(one, jnp.ones(()))
    with pytest.raises(AssertionError, match="traced"):
        count(dataclasses.replace(model), jnp.ones(()))


def small_model():
    """A pendulum with a muscle, which compiles faster than the bundled models."""
    points = osim.point("p1", location="0.1 0.2 0") + osim.point(
        "p2", "/bodyset/a", location="0.1 -0.1 0"
    )
    return hopper_model.load(osim.model(osim.muscle(points=points)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_jax_takes_models_and_options_as_arguments(kernel):
    model, params = small_model()
    options = jaxosim.Options(method="euler", substeps=1, kernel=kernel)
    state = jax.jit(jaxosim.initial_state)(model, params)
    controls = jnp.linspace(0.1, 0.6, 3)[:, None] * jnp.ones(len(model.control_names))[None]
    states = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), state)
    alone = [jaxosim.step(model, params, state, row, options) for row in controls]
    expected = jax.tree.map(lambda *rows: jnp.stack(rows), *alone)
    axes = (None, None, 0, 0, None)
    mesh = jaxosim.world_mesh(num_envs=3)
    for batch in (
        jax.vmap(jaxosim.step, axes),
        jax.jit(jax.vmap(jaxosim.step, axes)),
        jaxosim.batched(jaxosim.step, axes, batch_size=2),
        jax.jit(jaxosim.batched(jaxosim.step, axes, mesh=mesh)),
    ):
        obtained = batch(model, params, states, controls, options)
        chex.assert_trees_all_close(obtained, expected, rtol=1e-12, atol=1e-12)
    one = jax.jit(jaxosim.step)(model, params, state, controls[0], options)
    chex.assert_trees_all_close(one, alone[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_models_and_options_pass_through_scan_and_grad(kernel):
    model, params = small_model()
    options = jaxosim.Options(method="euler", substeps=1, kernel=kernel)
    state = jax.jit(jaxosim.initial_state)(model, params)
    controls = jnp.full((3, len(model.control_names)), 0.3)

    def end(model, params, state, controls, options):
        def step(carry, row):
            model, state, options = carry
            return (model, jaxosim.step(model, params, state, row, options), options), None

        return jax.lax.scan(step, (model, state, options), controls)[0][1].u[0]

    def known(controls):
        return jaxosim.rollout(model, params, state, controls, options).u[-1, 0]

    arguments = (model, params, state, controls, options)
    value, slopes = jax.jit(jax.value_and_grad(end, argnums=(0, 3)))(*arguments)
    expected_value, expected_slope = jax.jit(jax.value_and_grad(known))(controls)
    np.testing.assert_allclose(value, expected_value, rtol=1e-12)
    np.testing.assert_allclose(slopes[1], expected_slope, rtol=1e-9)
    assert slopes[0] is model  # no leaf of it is differentiated
    assert np.abs(slopes[1]).max() > 0


def test_options_are_hashed_by_value():
    assert hash(jaxosim.Options()) == hash(jaxosim.Options(method="ros3w"))
    assert jaxosim.Options(substeps=3) != jaxosim.Options()


def test_a_model_introduces_itself_briefly():
    model, _ = jaxosim.load_model("arm2dof6musc")
    assert len(repr(model)) < 200 and "coordinates" in repr(model)


def test_a_state_is_seven_arrays():
    assert [field.name for field in dataclasses.fields(jaxosim.State)] == [
        "time",
        "q",
        "u",
        "activation",
        "fiber_length",
        "normalized_tendon_force",
        "force_states",
    ]
    assert jaxosim.StateDerivative is jaxosim.State
