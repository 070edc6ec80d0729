"""BushingForce: beside OpenSim between frames of several kinds, energy, stiffness, refusals."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES, DAMPING, bushing, bushings
from tests.models import osim_text as osim

STIFFNESS = {"rotational_stiffness": "3 4 5", "translational_stiffness": "60 70 80"}


WORLD = bushings(**STIFFNESS, **DAMPING)
UNDAMPED = osim.model(
    bushing("b", "/ground", "/bodyset/a", **STIFFNESS),
    bushing("c", "/bodyset/a", "/bodyset/w", **STIFFNESS),
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_bushings_between_bodies_of_all_kinds_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    assert model.bushings.names == ("on_ground", "between", "welded", "still", "bare")
    hopper_model.assert_parity(WORLD, checks.states(model, params, 32))


@pytest.mark.opensim
def test_bushings_of_old_files_are_opensims(opensim):
    """Before frames, a bushing had bodies, locations and orientations, and was disabled."""
    values = {"location_body_1": "0.123456789 0.2 0", "orientation_body_2": "0.1 0.2 -0.3"}
    old = [
        osim.element("BushingForce", name, body_1="ground", body_2="a", isDisabled=off, **more)
        for name, off, more in (("off", "true", {}), ("on", "false", values | STIFFNESS))
    ]
    joint = osim.element(
        "FreeJoint",
        "j",
        osim.members(
            "CoordinateSet",
            *(osim.element("Coordinate", f"q{i}") for i in range(6)),
        ),
        parent_body="ground",
    )
    bodies = osim.element("Body", "ground", "<Joint/>", mass="0") + osim.element(
        "Body",
        "a",
        f"<Joint>{joint}</Joint>",
        mass="1",
        mass_center="0 0 0",
        **{f"inertia_{axis}": "1" for axis in ("xx", "yy", "zz")},
    )
    text = osim.document(
        osim.members("BodySet", bodies) + osim.members("ForceSet", *old), version=30000
    )
    model, params = hopper_model.load(text)
    assert model.bushings.names == ("on",)
    quantities = {"reported accel.", "poses, velocities"}
    hopper_model.assert_parity(text, checks.states(model, params, 4), only=quantities)


@pytest.mark.opensim
def test_a_bushing_among_the_components_is_opensims(opensim):
    inside = bushing("b", "/ground", "/bodyset/a", **STIFFNESS, **DAMPING)
    text = osim.model(rest=f"<components>{inside}</components>", **BODIES)
    model, params = hopper_model.load(text)
    assert model.bushings.names == ("b",)
    hopper_model.assert_parity(text, checks.states(model, params, 4), only={"reported accel."})


def test_a_bushing_that_is_switched_off_does_nothing():
    off = bushing("off", "/ground", "/bodyset/b", appliesForce="false", **STIFFNESS)
    model, _ = hopper_model.load(osim.model(off, **BODIES))
    assert model.bushings.names == model.force_names == ()


@pytest.mark.parametrize("tag", [*STIFFNESS, *DAMPING])
def test_a_negative_number_is_refused(tag):
    text = osim.model(bushing("b", "/ground", "/bodyset/a", **{tag: "1 -2 3"}), **BODIES)
    with pytest.raises(OsimFormatError, match=rf"BushingForce\[b\].*expected a {tag} .*-2"):
        hopper_model.load(text)


def test_a_frame_that_does_not_exist_is_refused():
    text = WORLD.replace("<socket_frame2>f2<", "<socket_frame2>f3<")
    with pytest.raises(OsimFormatError, match="socket_frame2.*'f3'"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_the_power_of_undamped_bushings_is_what_their_energy_loses():
    model, params = hopper_model.load(UNDAMPED)
    state = checks.state_at(model, params)
    stiffness = jnp.array([[3.0, 4, 5, 60, 70, 80]])

    def energy(forces):
        return jnp.sum(stiffness * forces["bushings"].deflection.value ** 2) / 2

    lost = -checks.energy_rate(model, params, state, energy)
    power = checks.power_on_bodies(model, params, state, "bushings")
    assert power == pytest.approx(lost, rel=1e-10) and abs(lost) > 1


# gradient


@pytest.mark.thorough
@pytest.mark.parametrize("pose", ["anywhere", "without deflection"])
def test_gradients_equal_differences(pose):
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params)
    if pose == "without deflection":
        place = params.bushings.translation
        still = dataclasses.replace(params.bushings, translation=0 * place, orientation=0 * place)
        params = dataclasses.replace(params, bushings=still)
        state = dataclasses.replace(state, q=jnp.zeros_like(state.q))
    checks.assert_gradients_equal_differences(model, params, "bushings", state)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)


@pytest.mark.thorough
def test_a_stiff_bushing_does_not_make_the_implicit_method_diverge():
    """1e7 N/m and N·m/rad on bodies of 1 kg: explicit substeps would need 1e-4 s."""
    model, params = hopper_model.load(UNDAMPED)
    stiffness = jnp.array([[1e7] * 3, [0.0] * 3])
    hard = dataclasses.replace(
        params.bushings,
        translation=jnp.zeros((2, 2, 3)),
        orientation=jnp.zeros((2, 2, 3)),
        rotational_stiffness=stiffness,
        translational_stiffness=stiffness,
    )
    params = dataclasses.replace(params, bushings=hard)
    start = hopper_model.initial(model, params)
    end = jaxosim.rollout(model, params, start, jnp.zeros((20, 0)))
    assert np.all(np.isfinite(end.u)) and np.abs(end.q[:, :6]).max() < 1e-3
