"""Rows of muscles owned by classes: merged in file order, without cost for a single class."""

import dataclasses
import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.muscles import MUSCLES, rows, thelen2003
from jaxosim.muscles.build import build

MODEL = "arm2dof6musc"
FIRST, SECOND = np.array([0, 2, 3, 5]), np.array([1, 4])
STRENGTH = 2.0  # of the second class's muscles, over the first's


def strong_length(muscles, path_length, fiber_length):
    """The second class's position stage: its tendons pull with twice the force."""
    info = thelen2003.realize_length(muscles, path_length, fiber_length)
    return dataclasses.replace(
        info, tendon_force_multiplier=STRENGTH * info.tendon_force_multiplier
    )


@dataclasses.dataclass(frozen=True)
class OtherSpec(thelen2003.Spec):
    """A muscle of the second class."""


STRONG = dataclasses.replace(thelen2003.ELASTIC, realize_length=strong_length)
OTHER = types.SimpleNamespace(
    **vars(thelen2003)
    | {"FIELD": "other", "Spec": OtherSpec, "MODES": (STRONG,), "mode_of": lambda _: STRONG}
)


def of_two_classes(monkeypatch):
    """A bundled model whose muscles belong to two classes, and params of it and of the original."""
    monkeypatch.setattr(rows, "MUSCLES", (thelen2003, OTHER))
    model, params = jaxosim.load_model(MODEL)
    assert len(model.muscle_names) == len(FIRST) + len(SECOND)
    own = {
        field: jax.tree.map(lambda x, owned=owned: x[owned], params.thelen2003)
        for field, owned in (("thelen2003", FIRST), ("other", SECOND))
    }
    mixed = types.SimpleNamespace(muscles=params.muscles, **own)
    rows_of = {"muscle_rows": (FIRST, SECOND), "muscle_modes": ((FIRST,), (SECOND,))}
    return dataclasses.replace(model, **rows_of), mixed, params


def inputs(params):
    """Path lengths, fiber lengths, activations and excitations, all different."""
    count = len(params.muscles.max_isometric_force)
    fiber = params.muscles.optimal_fiber_length * jnp.linspace(0.8, 1.3, count)
    path = fiber + params.muscles.tendon_slack_length * 1.01
    return path, fiber, jnp.linspace(0.1, 0.9, count), jnp.linspace(0.8, 0.2, count)


def properties_of(params):
    """The properties of a model whose muscles are all of the first class."""
    records = (params.muscles, params.thelen2003)
    return thelen2003.Properties(**{k: v for record in records for k, v in vars(record).items()})


def stages(model, params, path, fiber, activation, excitation):
    length = rows.realize_length(model, params, path, fiber)
    speed = jnp.zeros_like(path)
    velocity = rows.realize_fiber_velocity(model, params, length, speed, activation, fiber)
    return length, rows.realize_dynamics(model, params, length, velocity, activation, excitation)


# parity


def test_each_class_computes_its_own_muscles(monkeypatch):
    model, mixed, params = of_two_classes(monkeypatch)
    given = inputs(params)
    merged, forces = jax.jit(functools.partial(stages, model, mixed))(*given)
    expected = jax.jit(thelen2003.realize_length)(properties_of(params), *given[:2])
    np.testing.assert_allclose(merged.tendon_length, expected.tendon_length, rtol=1e-14)
    factor = np.where(np.isin(np.arange(6), SECOND), STRENGTH, 1.0)
    assert (np.asarray(expected.tendon_force_multiplier) > 0).all()
    np.testing.assert_allclose(
        merged.tendon_force_multiplier, factor * expected.tendon_force_multiplier, rtol=1e-14
    )
    np.testing.assert_allclose(
        forces.tendon_force,
        factor * expected.tendon_force_multiplier * params.muscles.max_isometric_force,
        rtol=1e-14,
    )


@pytest.mark.thorough
def test_equilibrium_is_found_for_the_muscles_of_all_classes(monkeypatch):
    model, mixed, params = of_two_classes(monkeypatch)
    path, _, activation, _ = inputs(params)
    monkeypatch.setattr(OTHER, "MODES", thelen2003.MODES)
    length, found = rows.equilibrium(model, mixed, path, jnp.zeros_like(path), activation)
    monkeypatch.setattr(rows, "MUSCLES", MUSCLES)
    one_class, _ = jaxosim.load_model(MODEL)
    expected, _ = rows.equilibrium(one_class, params, path, jnp.zeros_like(path), activation)
    np.testing.assert_allclose(length, expected, rtol=1e-12)
    assert found.dtype == bool and found.all()


# property


def test_muscles_of_one_class_are_not_copied():
    model, params = jaxosim.load_model(MODEL)

    def alone(path, fiber, activation, excitation):
        own = properties_of(params)
        length = thelen2003.realize_length(own, path, fiber)
        speed = jnp.zeros_like(path)
        velocity = thelen2003.realize_fiber_velocity(own, length, speed, activation, fiber)
        return length, thelen2003.realize_dynamics(own, length, velocity, activation, excitation)

    merged = functools.partial(stages, model, params)
    kept = {"optimization_barrier", "batch_minor"}  # what a stage says of memory
    names, expected = (
        [
            str(equation.primitive)
            for equation in jax.make_jaxpr(function)(*inputs(params)).eqns
            if str(equation.primitive) not in kept
        ]
        for function in (merged, alone)
    )
    assert names == expected


def test_a_model_without_muscles_has_empty_records():
    built = build([])
    assert [len(own) for own in built.rows] == [0] * len(MUSCLES)
    model, params = jaxosim.load_model(MODEL)
    none = dataclasses.replace(model, muscle_rows=built.rows, muscle_modes=built.modes)
    empty = types.SimpleNamespace(muscles=built.common, **built.own)
    length = rows.realize_length(none, empty, jnp.zeros(0), jnp.zeros(0))
    assert length.fiber_length.shape == (0,)


def test_rows_belong_to_the_class_that_read_them(monkeypatch):
    from jaxosim.muscles import build as module

    monkeypatch.setattr(module, "MUSCLES", (thelen2003, OTHER))
    specs = [OtherSpec("a", ()), thelen2003.Spec("b", (), af=0.3), OtherSpec("c", (), af=0.2)]
    built = module.build(specs)
    assert [own.tolist() for own in built.rows] == [[1], [0, 2]]
    assert built.own["other"].af.tolist() == [0.25, 0.2]
    assert built.own["thelen2003"].af.tolist() == [0.3]
    assert built.sizes == {"thelen2003": 1, "other": 2}


# gradient


def test_gradients_pass_through_the_merging(monkeypatch):
    model, mixed, params = of_two_classes(monkeypatch)
    path, fiber, _, _ = inputs(params)

    @jax.jit
    def forces(path):
        return rows.realize_length(model, mixed, path, fiber).tendon_force_multiplier

    slopes = jax.jit(jax.jacrev(forces))(path)
    step = 1e-7
    differences = (forces(path + step) - forces(path - step)) / (2 * step)
    np.testing.assert_allclose(np.diag(slopes), differences, rtol=1e-6)
    assert np.count_nonzero(slopes) == len(path)


# batch


@pytest.mark.parametrize("world", [0, 1])
def test_batch_equals_loop(monkeypatch, world):
    model, mixed, params = of_two_classes(monkeypatch)
    given = [jnp.stack([x, 1.01 * x]) for x in inputs(params)]
    _, together = jax.jit(jax.vmap(functools.partial(stages, model, mixed)))(*given)
    _, alone = stages(model, mixed, *(x[world] for x in given))
    np.testing.assert_allclose(together.tendon_force[world], alone.tendon_force, rtol=1e-13)
