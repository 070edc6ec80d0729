"""Domain randomization: what is drawn, and that nothing else is."""

import jax
import numpy as np
import pytest

import jaxosim
from jaxosim import randomize
from jaxosim.pytree import declared_arrays


@pytest.fixture(scope="module")
def params():
    return jaxosim.load_model("gait14dof22musc_pros")[1]


def changed(before, after):
    """Ratios of the arrays that are not as they were, by name."""
    pairs = zip(declared_arrays(before), declared_arrays(after), strict=True)
    return {
        name: np.asarray(new)[np.asarray(old) != 0] / np.asarray(old)[np.asarray(old) != 0]
        for (name, old, _), (_, new, _) in pairs
        if not np.array_equal(old, new)
    }


def test_each_draws_its_own_numbers(params):
    key = jax.random.key(0)
    strength = changed(params, randomize.strength(0.5, 0.9)(params, key))
    assert set(strength) == {"muscles.max_isometric_force"}
    ratio = strength["muscles.max_isometric_force"]
    assert len(np.unique(ratio)) == 19 and 0.5 <= ratio.min() and ratio.max() <= 0.9
    assert set(changed(params, randomize.mass()(params, key))) == {"bodies.mass", "bodies.inertia"}
    ankle = changed(params, randomize.prosthesis()(params, key))
    assert set(ankle) == {"springs.stiffness", "springs.viscosity"}


def test_a_body_keeps_its_shape(params):
    new = randomize.mass()(params, jax.random.key(0)).bodies
    per_mass = new.inertia / new.mass[:, None]
    expected = params.bodies.inertia / params.bodies.mass[:, None]
    np.testing.assert_allclose(per_mass, expected, rtol=1e-12)


def test_the_ground_is_one(params):
    ratios = changed(params, randomize.contact()(params, jax.random.key(0)))
    assert {"contacts.stiffness", "contacts.dissipation"} <= set(ratios)
    for ratio in ratios.values():
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)


def test_composed_ones_draw_apart_and_batch(params):
    both = randomize.compose(randomize.strength(), randomize.mass())
    draw = jax.jit(jax.vmap(lambda key: both(params, key)))
    worlds = draw(jax.random.split(jax.random.key(0), 3))
    assert worlds.muscles.max_isometric_force.shape == (3, 19)
    assert len(np.unique(worlds.bodies.mass[:, 0])) == 3


def test_factors_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"muscles.max_isometric_force: expected low <= high"):
        randomize.strength(1.2, 0.8)


def test_pose_turns_angles_only(params):
    model = jaxosim.load_model("gait14dof22musc_pros")[0]
    q = params.coordinates.default_value
    new_q, new_u = randomize.pose(0.1, 0.2)(model, q, 0 * q, jax.random.key(0))
    moved = np.asarray(new_q != q)
    np.testing.assert_array_equal(moved, model.rotational)
    assert np.abs(new_q - q).max() <= 0.1 and 0 < np.abs(new_u).max() <= 0.2
