"""describe and to_dict: osim-rl's state description, entry by entry, from recorded episodes."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import ModelMismatchError
from jaxosim.opensim.sampling import random_states
from jaxosim.outputs import force_records
from tests import hopper_model
from tests.episodes import EPISODES, flat

MODELS = {
    "Prosthetics-3D-pros-difficulty0": "gait14dof22musc_pros",
    "Prosthetics-3D-intact-difficulty0": "gait14dof22musc",
    "Prosthetics-2D-pros-difficulty0": "gait14dof22musc_planar_pros",
    "Prosthetics-2D-intact-difficulty0": "gait14dof22musc_planar",
    "L2Run": "gait9dof18musc",
}
ROWS = 4
DESCRIPTION_TOLERANCE = 1e-8  # relative to max(1, |value|)
# OpenSim holds locked coordinates by a constraint whose rounding reaches 1e-7 of an acceleration;
# jaxosim/opensim/refinement.py takes it out, a recorded episode cannot.
ACCELERATION_TOLERANCE = 1e-6
ROUNDING = 1e-12


@pytest.fixture(scope="module", params=MODELS)
def episode(request):
    """A recorded episode, its model, and osim-rl's entries as we give them, `[row, entry]`."""
    if not EPISODES.is_dir():
        pytest.skip("the recorded episodes are not at hand")
    with np.load(EPISODES / f"{request.param}--random.npz") as file:
        data = {name: file[name] for name in file.files}
    model, params = jaxosim.load_model(MODELS[request.param])
    rows = np.linspace(0, len(data["q"]) - 1, ROWS).astype(int)
    entries = [flat(described(model, params, data, row)) for row in rows]
    return model, data, rows, entries


def described(model, params, data, row):
    """Our dictionary of one recorded state; excitations do not enter it."""
    assert tuple(data["coordinate_names"]) == model.coordinate_names
    assert tuple(data["muscle_names"]) == model.muscle_names
    names = ("q", "u", "activation", "fiber_length")
    recorded = {n: jnp.asarray(data[n][row]) for n in names}
    none = jnp.zeros(0)
    absent = {"normalized_tendon_force": none, "force_states": none}
    state = jaxosim.State(time=jnp.zeros(()), **absent, **recorded)
    info = hopper_model.describe(model, params, state, jnp.zeros(len(model.muscle_names)))
    return jaxosim.to_dict(model, info)


def hopper():
    model, params = hopper_model.load(hopper_model.HOPPER)
    state = hopper_model.random_state(model, params, seed=1)
    return model, params, state, hopper_model.describe(model, params, state, jnp.zeros(2))


# parity


def test_names_and_lengths_are_osim_rls(episode):
    _, data, _, entries = episode
    for entry in entries:
        assert sorted(entry) == sorted(data["description_names"])


def test_every_entry_of_recorded_states(episode):
    _, data, rows, entries = episode
    worst = {}
    for row, entry in zip(rows, entries, strict=True):
        for name, expected in zip(data["description_names"], data["description"][row], strict=True):
            error = abs(entry[str(name)] - expected)
            if name.startswith("body_pos_rot"):
                error = min(error, abs(2 * np.pi - error))
            kind = "acceleration" if "_acc" in name or "/acc" in name else "rest"
            worst[kind] = max(worst.get(kind, (0, "")), (error / max(1, abs(expected)), str(name)))
    assert worst["rest"][0] < DESCRIPTION_TOLERANCE, worst
    assert worst["acceleration"][0] < ACCELERATION_TOLERANCE, worst


@pytest.mark.opensim
def test_markers_and_mass_center_of_the_hopper(opensim):
    states = random_states(hopper_model.oracle_of(hopper_model.HOPPER), 16, seed=9)
    hopper_model.assert_parity(hopper_model.HOPPER, states)


@pytest.mark.opensim
def test_the_record_of_a_disabled_muscle_is_zero(opensim):
    extensor = '<Thelen2003Muscle name="extensor">'
    off = hopper_model.HOPPER.replace(extensor, f"{extensor}<appliesForce>false</appliesForce>")
    assert off != hopper_model.HOPPER
    model, _, state, info = hopper()
    works = jaxosim.load_model(hopper_model.path_of(off))[0].muscle_applies_force
    disabled = dataclasses.replace(model, muscle_applies_force=works)
    values = {name: np.asarray(getattr(state, name)) for name in ("q", "u", "activation")}
    expected = hopper_model.oracle_of(off).evaluate(
        {**values, "fiber_length": np.asarray(state.fiber_length), "excitation": np.zeros(2)}
    )
    records = force_records(disabled, info)
    assert info.muscles.tendon_force[model.muscle_names.index("extensor")] > 1
    for name in model.muscle_names:
        scale = max(1.0, abs(expected["records"][name][0]))
        np.testing.assert_allclose(
            records[name], expected["records"][name], rtol=0, atol=DESCRIPTION_TOLERANCE * scale
        )
    assert records["extensor"] == [0.0]


# property


def test_dictionary_holds_plain_numbers():
    model, _, _, info = hopper()
    entries = flat(jaxosim.to_dict(model, info))
    assert all(type(value) is float for value in entries.values())
    assert len(entries["markers/top/pos/0"].hex()) > 0
    assert "forces/contact/0" not in entries and "forces/h/17" in entries


def test_forces_come_in_file_order():
    model, _, _, info = hopper()
    records = force_records(model, jax.tree.map(np.asarray, info))
    assert tuple(records) == model.force_names
    assert {name: len(values) for name, values in records.items()} == {
        "extensor": 1,
        "flexor": 1,
        "h": 18,
        "stop": 2,
        "spring": 1,
    }


def test_contact_records_balance():
    """What the floor feels is minus what the foot feels, moments about ground's origin too."""
    model, params, state, _ = hopper()
    low = hopper_model.replace_at(hopper_model.initial(model, params), q=(2, 0.71))
    info = hopper_model.describe(model, params, low, jnp.zeros(2))
    rows = np.array(jaxosim.to_dict(model, info)["forces"]["h"]).reshape(3, 6)
    floor, heel, toe = rows
    assert heel[1] > 100
    np.testing.assert_array_equal(heel, toe)  # one body, so the same record twice
    np.testing.assert_allclose(floor[:3], -heel[:3], rtol=ROUNDING)
    foot = model.body_names.index("foot")
    arm = np.asarray(info.bodies.position[foot])
    about_ground = heel[3:] + np.cross(arm, heel[:3])
    np.testing.assert_allclose(floor[3:], -about_ground, atol=1e-9 * abs(heel[1]))


def test_describe_and_rates_agree():
    model, params, state, info = hopper()
    rates = hopper_model.rates(model, params, state, jnp.zeros(2))
    np.testing.assert_allclose(info.coordinates.acceleration, rates.u, rtol=1e-11)
    np.testing.assert_allclose(info.muscles.fiber_velocity, rates.fiber_length, rtol=1e-11)
    np.testing.assert_allclose(info.muscles.activation_rate, rates.activation, rtol=1e-11)
    assert not np.any(np.asarray(info.muscles.moment_arm)[:, model.locked])


def test_velocities_and_accelerations_are_rates_of_positions():
    model, params, state, info = hopper()
    rates = hopper_model.rates(model, params, state, jnp.zeros(2))

    def motion(q, u):
        moved = dataclasses.replace(state, q=q, u=u)
        return jaxosim.describe(model, params, moved, jnp.zeros(2))

    _, rate = jax.jit(lambda q, u, dq, du: jax.jvp(motion, (q, u), (dq, du)))(
        state.q, state.u, rates.q, rates.u
    )
    for part in ("bodies", "markers", "mass_center"):
        now, change = getattr(info, part), getattr(rate, part)
        scale = 1 + float(jnp.abs(now.acceleration).max())
        np.testing.assert_allclose(change.position, now.velocity, atol=1e-11)
        np.testing.assert_allclose(change.velocity, now.acceleration, atol=1e-11 * scale)
    np.testing.assert_allclose(
        rate.bodies.angular_velocity, info.bodies.angular_acceleration, atol=1e-9 * scale
    )


def test_wrong_shapes_are_named():
    model, params, state, _ = hopper()
    with pytest.raises(ModelMismatchError, match=r"State\.u"):
        jaxosim.describe(model, params, dataclasses.replace(state, u=jnp.zeros(1)), jnp.zeros(2))


# gradient


def test_gradient_through_describe_is_finite():
    model, params, state, _ = hopper()

    def scalar(state):
        info = jaxosim.describe(model, params, state, jnp.zeros(2))
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(info))

    assert hopper_model.all_finite(jax.jit(jax.grad(scalar))(state))


# batch, compile


def test_vmap_equals_loop():
    model, params, _, _ = hopper()
    states = [hopper_model.random_state(model, params, seed) for seed in range(3)]
    together = jax.jit(jax.vmap(jaxosim.describe, (None, None, 0, None)))(
        model, params, hopper_model.stack(states), jnp.zeros(2)
    )
    for index, state in enumerate(states):
        alone = hopper_model.describe(model, params, state, jnp.zeros(2))
        chex.assert_trees_all_close(hopper_model.row(together, index), alone, rtol=1e-9, atol=1e-9)


def test_one_trace():
    model, params, state, _ = hopper()
    one = jax.jit(lambda *arguments: jaxosim.describe(*arguments))  # with a cache of its own
    for controls in (jnp.zeros(2), jnp.ones(2)):
        one(model, params, state, controls)
    assert one._cache_size() == 1
