"""The small models of every class of muscles and paths, and the states in which they are."""

import gradients
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from class_models import MUSCLES, WRAPS, text_of
from classes import CLASSES, count_bad, measured, random_worlds

from jaxosim import muscles
from jaxosim.paths import wraps
from tests import hopper_model

KEY = jax.random.key(0)


def test_every_class_has_a_model_with_each_of_its_modes():
    assert sorted(MUSCLES) == sorted(tag for kind in muscles.MUSCLES for tag in kind.TAGS[:1])
    assert sorted(WRAPS) == sorted(kind.TAG for kind in wraps.WRAPS)
    for kind in muscles.MUSCLES:
        model, _ = hopper_model.load(text_of(kind.TAGS[0]))
        own = model.muscle_modes[muscles.MUSCLES.index(kind)]
        assert all(len(rows) for rows in own), kind.FIELD


@pytest.mark.opensim
@pytest.mark.thorough
@pytest.mark.parametrize("kind", CLASSES)
def test_opensim_loads_them_with_the_same_lengths_of_paths(opensim, kind):
    text = text_of(kind)
    model, params = hopper_model.load(text)
    q = np.random.default_rng(1).uniform(-0.5, 0.5, (4, len(model.coordinate_names)))
    hopper_model.assert_parity(text, hopper_model.states_at(model, params, q, q), only=("paths",))


@pytest.mark.thorough
def test_states_at_edges_and_what_is_not_finite_are_counted():
    model, params = hopper_model.load(text_of("DeGrooteFregly2016Muscle"))
    (inside, _), (outside, _) = (
        random_worlds(model, params, 400, [0, 0], e) for e in (False, True)
    )
    for name, edge in (("q", 0.0), ("activation", 1.0), ("normalized_tendon_force", -0.2)):
        share = [(getattr(state, name) == edge).mean() for state in (inside, outside)]
        assert share[0] == 0 and 0.02 < share[1] < 0.1, name
    fast = jax.jit(lambda params, state, controls: state.u[:, 0] < 3)
    bad = count_bad(fast, model, params, count=400, chunk=200, seed=0)
    assert bad["float64"] == bad["float32"] and 30 < bad["float64"] < 90


@pytest.mark.thorough
def test_quotients_over_kinks_and_choices_are_told_apart():
    def bent(params, at, weight):  # chosen by a flag, with a kink where at is zero
        return weight * (jnp.abs(at) + jnp.where(params["has_passive_curve"] > 0, 5.0, at))

    params = {"has_passive_curve": jnp.zeros(())}
    program = jax.jit(jax.vmap(gradients.directional(bent), in_axes=(None, 0, 0, 0)))
    at, weight = jnp.array([1e-12, 3e-10, 0.3, -2.0]), jnp.array([2.0, 1.0, 0.7, 0.2])
    finite, slope, quotient, doubt = program(params, at, weight, jax.random.split(KEY, 4))
    assert finite.all()
    assert (doubt > gradients.KNOWN).tolist() == [True, True, False, False]
    np.testing.assert_allclose(slope[2:], quotient[2:], rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RigidTendonMuscle", "Schutte1993Muscle_Deprecated"])
def test_a_class_is_measured(kind):
    figures = measured(kind, states=100, gradients=10, seed=0)
    nothing = {"float64": 0, "float32": 0}
    assert figures["rates not finite"] == figures["gradients not finite"] == nothing
    assert figures["compared"] > 900 and figures["errors"][2] < 1e-6
