"""Measures of gaits whose steps are known."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.envs.feet import Feet, forward_axis, left_lead, sphere_centers, sphere_velocities
from jaxosim.envs.gait_cycle import textbook_gait
from jaxosim.envs.poses import Poses, mirrored
from jaxosim.learning.gait import feet_over_time, gait_of

DT = 0.04


@pytest.fixture(scope="module")
def walker():
    model, params = jaxosim.load_model("gait9dof18musc")
    return model, params


@pytest.fixture(scope="module")
def described(walker):
    """A function of q and u: the description of the walker there."""
    model, params = walker
    rest, controls = jaxosim.initial_state(model, params), jnp.zeros(len(model.control_names))
    program = jax.jit(functools.partial(jaxosim.describe, model))
    return lambda q, u: program(params, dataclasses.replace(rest, q=q, u=u), controls)


def textbook_motion(model, params, strides=5, limp=False):
    """The textbook gait at 1.25 m/s with the lowest sphere just in the ground at each instant.

    Limping, the hips swing about unlike angles, so that the left leg stays ahead.
    """
    cycle = textbook_gait(model, 1.25)
    times = np.arange(0.0, strides * cycle.period, DT)
    q = np.tile(np.asarray(params.coordinates.default_value), (len(times), 1))
    phase = np.round(times / cycle.period * len(cycle.q)).astype(int) % len(cycle.q)
    q[:, cycle.places(model)] = cycle.q[phase]
    names = model.coordinate_names
    if limp:
        for side, ahead in (("l", 0.5), ("r", -0.5)):
            hip = names.index(f"hip_flexion_{side}")
            q[:, hip] = ahead + 0.3 * q[:, hip]
    q[:, names.index("pelvis_tx")] = 1.25 * times
    _, depth = feet_over_time(model, params, q)
    q[:, names.index("pelvis_ty")] += depth.max(axis=1) - 0.01
    return q, cycle


def test_in_the_textbook_gait_each_foot_passes_the_other_once_a_stride(walker):
    model, params = walker
    q, cycle = textbook_motion(model, params)
    gait = gait_of(model, params, q, DT)
    assert gait.speed == pytest.approx(1.25)
    assert 8 <= gait.step_count <= 10  # of ten; the first instant is no landing
    assert gait.cadence == pytest.approx(2 / cycle.period, rel=0.2)
    assert gait.passing == 1.0 and gait.asymmetry < 0.1
    assert all(0.3 < length < 0.6 for length in gait.step_length)
    assert gait.knee_hyperextension == 0.0
    np.testing.assert_allclose(np.degrees(gait.knee_flexion), 57, atol=5)


def test_in_a_limp_one_foot_never_lands_ahead(walker):
    model, params = walker
    q, _ = textbook_motion(model, params, limp=True)
    gait = gait_of(model, params, q, DT)
    assert gait.step_count > 4 and gait.passing < 0.8
    assert gait.step_length[0] > 0.2 > 0.0 > gait.step_length[1] and gait.asymmetry > 1.0


def test_the_mirrored_motion_has_the_mirrored_measures(walker):
    model, params = walker
    q, _ = textbook_motion(model, params, limp=True)
    other = mirrored(model, Poses(q, np.zeros_like(q))).q
    here, there = (gait_of(model, params, motion, DT) for motion in (q, other))
    np.testing.assert_allclose(there.step_length[::-1], here.step_length, atol=1e-9)
    assert there.knee_flexion[::-1] == pytest.approx(here.knee_flexion)
    assert there.step_count == here.step_count


@pytest.mark.parametrize("name", ["gait9dof18musc", "gait14dof22musc_pros"])
def test_neither_foot_is_ahead_where_the_legs_stand_alike(name):
    model, params = jaxosim.load_model(name)
    q = np.array(params.coordinates.default_value)
    for joint in ("hip_flexion", "knee_angle", "ankle_angle"):
        for side in ("l", "r"):
            q[model.coordinate_names.index(f"{joint}_{side}")] = 0.0
    lead, _ = feet_over_time(model, params, q[None])
    assert abs(lead[0]) < 1e-3  # m; of sound feet and of a prosthetic one


def test_the_reward_and_the_measure_see_the_same_foot_ahead(walker, described):
    model, params = walker
    q, _ = textbook_motion(model, params, strides=1)
    now = described(jnp.asarray(q[3]), jnp.zeros(len(q[3])))
    feet = Feet.of(model)
    own = left_lead(feet, sphere_centers(feet, params, now), forward_axis(model, now))
    lead, _ = feet_over_time(model, params, q[3:4])
    assert abs(own) > 0.1
    np.testing.assert_allclose(own, lead[0], rtol=1e-9)


def test_the_velocities_of_the_feet_are_the_rates_of_their_places(walker, described):
    model, params = walker
    feet, h = Feet.of(model), 1e-6
    q, u = np.random.default_rng(0).uniform(-0.5, 0.5, (2, len(model.coordinate_names)))
    places = [sphere_centers(feet, params, described(jnp.asarray(q + t * u), u)) for t in (-h, h)]
    for own, before, after in zip(
        sphere_velocities(feet, params, described(q, u)), *places, strict=True
    ):
        assert np.abs(own).max() > 0.1
        np.testing.assert_allclose(own, (after - before) / (2 * h), atol=1e-8)


def test_knees_beyond_straight_are_measured(walker):
    model, params = walker
    q = np.tile(np.asarray(params.coordinates.default_value), (3, 1))
    q[:, model.coordinate_names.index("knee_angle_l")] = 0.2
    q[:, model.coordinate_names.index("knee_angle_r")] = [-0.4, -0.1, 0.1]
    gait = gait_of(model, params, q, DT)
    assert gait.knee_hyperextension == pytest.approx(0.2 + 0.1 / 3)
    assert gait.knee_flexion == pytest.approx((-0.2, 0.4))
    assert gait.step_count == 0 and np.isnan(gait.passing) and np.isnan(gait.step_length[0])


def test_bad_motions_are_refused(walker):
    model, params = walker
    with pytest.raises(ValueError, match="q: expected two instants at least, got 1"):
        gait_of(model, params, np.zeros((1, 10)), DT)
    arm = jaxosim.load_model("arm2dof6musc")
    with pytest.raises(ValueError, match="expected contact spheres on bodies whose names end in"):
        gait_of(*arm, np.zeros((2, 2)), DT)
