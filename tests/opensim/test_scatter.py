"""How good OpenSim's own accelerations are: their scatter, and their refinement."""

import numpy as np
import pytest

from jaxosim.opensim.sampling import on_constraints, random_states
from jaxosim.opensim.scatter import SHIFT, accelerations, have_finite_paths, scatter
from tests import hopper_model
from tests.models import osim_text as osim
from tests.paths import wrap_models

pytestmark = [pytest.mark.opensim, pytest.mark.thorough]

STIFFNESS = 4e7  # N·m/rad on 1 kg·m²
STIFF = osim.model(
    osim.element("SpringGeneralizedForce", "s", coordinate="q", stiffness=f"{STIFFNESS}"),
)
# The middle of three angles is locked; the mass center is off the joint.
LOCKED_ANGLE = osim.model(
    bodies=osim.body("a", mass_center="0.1 -0.3 0.2", inertia="1 2 1.5 0 0 0"),
    joints=osim.joint(
        "BallJoint",
        "j",
        "/ground",
        "/bodyset/a",
        osim.coordinates("x").replace("</coordinates>", "")
        + osim.element("Coordinate", "y", locked="true", default_value="0.4")
        + osim.element("Coordinate", "z")
        + "</coordinates>",
    ),
)


def states_of(text, q):
    oracle = hopper_model.oracle_of(text)
    drawn = random_states(oracle, 1, seed=1)
    return oracle, {k: v[0] for k, v in drawn.items()} | {"q": np.array([q]), "u": np.zeros(1)}


@pytest.mark.parametrize("q", [0.0, 0.25])
def test_the_scatter_of_a_stiff_spring_is_that_of_its_coordinate(opensim, q):
    oracle, values = states_of(STIFF, q)
    expected = STIFFNESS * SHIFT / max(1.0, STIFFNESS * q)
    found = scatter(oracle, values, 4, np.random.default_rng(1))
    rounding = 2e-16 if q else 0.0  # of the acceleration itself
    assert abs(found - expected) <= 0.01 * expected + rounding


def test_refined_accelerations_are_those_reported_where_one_angle_of_a_ball_is_locked(opensim):
    oracle = hopper_model.oracle_of(LOCKED_ANGLE)
    states, reached = on_constraints(oracle, random_states(oracle, 3, seed=1), seed=2)
    assert reached.all() and np.abs(states["u"]).max() > 0.1
    for index in range(3):
        said = accelerations(oracle, {k: v[index] for k, v in states.items()})
        assert said["own_residual"] < 1e-12
        np.testing.assert_allclose(said["refined_u_dot"], said["u_dot"], rtol=1e-12, atol=1e-12)
        assert abs(said["u_dot"][1]) > 1e-3  # the angle is locked, its speed is not


def test_a_path_whose_length_is_nan_is_found(opensim):
    oracle = hopper_model.oracle_of(wrap_models.slender("-y"))
    poses = np.array([[0.05, 0.05, 1.17, -0.4, 1.03], np.zeros(5)])
    assert np.isnan([oracle.path_length(q)[0] for q in poses]).tolist() == [True, False]
    assert have_finite_paths(oracle, poses).tolist() == [False, True]
