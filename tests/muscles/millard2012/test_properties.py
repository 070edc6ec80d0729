"""What a file says of a Millard2012EquilibriumMuscle: defaults, class defaults, and refusals."""

import numpy as np
import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.models.osim.reader import parse_model
from jaxosim.muscles.millard2012.curves import TendonForceLengthCurve
from jaxosim.muscles.millard2012.properties import Spec, build
from tests.models import osim_text as osim
from tests.muscles.millard2012.pullers import FIBER, TENDON, curve, millard, pullers


def muscle_of(curves="", rest="", **values):
    """The muscle of a file."""
    text = pullers(m=(curves, values))
    text = text.replace('<Model name="m">', f'<Model name="m">{rest}')
    (muscle,) = parse_model(text.encode(), "m.osim").forces
    return muscle


def test_a_muscle_without_properties_has_opensims_defaults():
    muscle = muscle_of()
    assert muscle == Spec(name="m", path=muscle.path)
    assert muscle.fiber_damping == 0.1 and muscle.min_control == 0.01
    assert muscle.activation_time_constant == 0.01 and muscle.default_fiber_length == 0.1


def test_little_damping_is_none():
    assert muscle_of(fiber_damping="0.00099").fiber_damping == 0
    assert muscle_of(fiber_damping="0.001").fiber_damping == 0.001


def test_an_empty_optional_property_is_absent():
    empty = curve("TendonForceLengthCurve", curviness="", norm_force_at_toe_end=" ")
    assert muscle_of(empty).tendon_force_length == TendonForceLengthCurve()


def test_defaults_of_the_file_speak_for_the_muscle_and_for_its_curves():
    inside = curve("TendonForceLengthCurve", strain_at_one_norm_force="0.04")
    of_muscle = osim.element("Millard2012EquilibriumMuscle", "default", inside)
    muscle = muscle_of(rest=f"<defaults>{of_muscle}</defaults>")
    assert muscle.tendon_force_length.strain_at_one_norm_force == 0.04
    of_curve = curve("TendonForceLengthCurve", strain_at_one_norm_force="0.05")
    muscle = muscle_of(curve("TendonForceLengthCurve"), rest=f"<defaults>{of_curve}</defaults>")
    assert muscle.tendon_force_length.strain_at_one_norm_force == 0.05


def test_curves_are_given_to_each_muscle_and_to_none():
    two = [muscle_of(), muscle_of(FIBER + TENDON)]
    params = build(two)
    assert params.fiber_force_length_curve.shape == (2, 2, 4, 2)
    assert (params.fiber_force_length_curve[0] != params.fiber_force_length_curve[1]).any()
    assert build([]).active_force_length_curve.shape == (0, 5, 4, 2)


def test_without_damping_the_active_curve_keeps_some_force():
    damped, undamped = muscle_of(), muscle_of(fiber_damping="0")
    assert np.min(damped.active_force_length_curve[..., 1]) == 0
    assert np.min(undamped.active_force_length_curve[..., 1]) == 0.1


REFUSED = {
    "pennation_angle_at_optimal": {"pennation_angle_at_optimal": "1.6"},
    "minimum_activation of at least 0.01": {"minimum_activation": "0", "fiber_damping": "0"},
    "min_control": {"minimum_activation": "0.05"},
    "activation_time_constant": {"activation_time_constant": "0"},
    "tendon_slack_length": {"tendon_slack_length": "0"},
}
REFUSED_CURVES = {
    "all of stiffness_at_one_norm_force": ("TendonForceLengthCurve", {"curviness": "0.5"}),
    "strain_at_one_norm_force above 0": (
        "TendonForceLengthCurve",
        {"strain_at_one_norm_force": "0"},
    ),
    "strain_at_one_norm_force above strain_at_zero_force": (
        "FiberForceLengthCurve",
        {"strain_at_zero_force": "0.8"},
    ),
    "stiffness_at_low_force above 0": (
        "FiberForceLengthCurve",
        {
            "stiffness_at_low_force": "3",
            "stiffness_at_one_norm_force": "4",
            "curviness": "0.5",
        },
    ),
    "max_norm_active_fiber_length": (
        "ActiveForceLengthCurve",
        {"max_norm_active_fiber_length": "0.9"},
    ),
    "shallow_ascending_slope": ("ActiveForceLengthCurve", {"shallow_ascending_slope": "5"}),
    "that meet between": (
        "ActiveForceLengthCurve",
        {"transition_norm_fiber_length": "0.96", "shallow_ascending_slope": "0.8"},
    ),
    "isometric_slope above 1": ("ForceVelocityCurve", {"isometric_slope": "1"}),
    "concentric_slope_near_vmax": ("ForceVelocityCurve", {"concentric_slope_near_vmax": "0"}),
    "eccentric_slope_near_vmax": ("ForceVelocityCurve", {"eccentric_slope_near_vmax": "0.5"}),
    "eccentric_curviness": ("ForceVelocityCurve", {"eccentric_curviness": "1.1"}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_properties_out_of_bounds_are_refused_by_name(words):
    with pytest.raises(OsimFormatError, match=rf"m.osim.*\[m\].*{words}"):
        muscle_of(**REFUSED[words])


@pytest.mark.parametrize("words", REFUSED_CURVES)
def test_curves_that_opensim_would_not_build_are_refused_by_name(words):
    tag, values = REFUSED_CURVES[words]
    with pytest.raises(OsimFormatError, match=rf"m.osim.*\[m\].*{tag}: expected.*{words}"):
        muscle_of(curve(tag, **values))


@pytest.mark.opensim
@pytest.mark.parametrize("words", [*REFUSED, *REFUSED_CURVES])
def test_opensim_refuses_them_too(opensim, tmp_path, words):
    if words == "tendon_slack_length":
        pytest.skip("OpenSim differs: it loads a muscle that then has no equilibrium")
    if words in REFUSED:
        text = pullers(m=("", REFUSED[words]))
    else:
        tag, values = REFUSED_CURVES[words]
        text = pullers(m=(curve(tag, **values), {}))
    path = tmp_path / "m.osim"
    path.write_text(text)
    with pytest.raises(RuntimeError):
        opensim.Model(str(path)).initSystem()
    path.write_text(pullers(m=("", {})))
    opensim.Model(str(path)).initSystem()
    assert millard("m") in path.read_text()
