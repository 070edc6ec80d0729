"""What the tests of Millard2012EquilibriumMuscle share: a soleus, and a file with all kinds."""

import jax.numpy as jnp

from jaxosim.models.lookup import columns
from jaxosim.muscles.millard2012.properties import Properties, Spec, build
from jaxosim.muscles.muscle import MuscleParams
from tests.models import osim_text as osim

SOLEUS = {
    "max_isometric_force": 3549.0,
    "optimal_fiber_length": 0.05,
    "tendon_slack_length": 0.25,
    "pennation_angle_at_optimal": 0.43633231,
}


def muscles(count=1, **changes):
    """Properties of `count` equal muscles, some of them changed."""
    specs = [Spec(name="m", path=(), **(SOLEUS | changes))] * count
    parts = columns(MuscleParams, specs), build(specs)
    return Properties(**{k: jnp.asarray(v) for part in parts for k, v in vars(part).items()})


def curve(tag, **values):
    """A curve of a muscle, with some of its properties."""
    return osim.element(tag, tag, **values)


ACTIVE = curve(
    "ActiveForceLengthCurve",
    min_norm_active_fiber_length="0.4",
    transition_norm_fiber_length="0.7",
    max_norm_active_fiber_length="1.7",
    shallow_ascending_slope="0.7",
    minimum_value="0.2",
)
FIBER = curve(
    "FiberForceLengthCurve",
    strain_at_zero_force="-0.05",
    strain_at_one_norm_force="0.6",
    stiffness_at_low_force="0.3",
    stiffness_at_one_norm_force="4",
    curviness="0.4",
)
TENDON = curve(
    "TendonForceLengthCurve",
    strain_at_one_norm_force="0.033",
    stiffness_at_one_norm_force="50",
    norm_force_at_toe_end="0.5",
    curviness="0.2",
)
VELOCITY = curve(
    "ForceVelocityCurve",
    concentric_slope_at_vmax="0.05",
    concentric_slope_near_vmax="0.3",
    isometric_slope="4",
    eccentric_slope_at_vmax="0.02",
    eccentric_slope_near_vmax="0.2",
    max_eccentric_velocity_force_multiplier="1.5",
    concentric_curviness="0.5",
    eccentric_curviness="0.8",
)
KINDS = {
    "plain": ("", {}),
    "pennate": ("", {"pennation_angle_at_optimal": "0.4"}),
    "undamped": ("", {"fiber_damping": "0", "pennation_angle_at_optimal": "0.2"}),
    "hardly_damped": ("", {"fiber_damping": "0.0009"}),
    "little_damped": ("", {"fiber_damping": "0.002", "minimum_activation": "0"}),
    "other_curves": (ACTIVE + FIBER + TENDON + VELOCITY, {"max_contraction_velocity": "8"}),
    "undamped_other_curves": (ACTIVE + FIBER + TENDON + VELOCITY, {"fiber_damping": "0"}),
    "rigid": ("", {"ignore_tendon_compliance": "true", "pennation_angle_at_optimal": "0.3"}),
    "rigid_undamped": (
        ACTIVE + FIBER + VELOCITY,
        {"ignore_tendon_compliance": "true", "fiber_damping": "0", "minimum_activation": "0"},
    ),
    "without_activation": (
        "",
        {"ignore_activation_dynamics": "true", "minimum_activation": "0.05", "min_control": "0.05"},
    ),
    "without_states": (
        "",
        {"ignore_tendon_compliance": "true", "ignore_activation_dynamics": "true"},
    ),
    "other_limits": (
        "",
        {
            "pennation_angle_at_optimal": "0.5",
            "maximum_pennation_angle": "0.9",
            "minimum_activation": "0.1",
            "min_control": "0.1",
            "activation_time_constant": "0.02",
            "deactivation_time_constant": "0.07",
        },
    ),
}
TAG = "Millard2012EquilibriumMuscle"


def millard(name, curves="", **values):
    """A muscle from ground to body a."""
    points = osim.point("p1") + osim.point("p2", "/bodyset/a")
    path = osim.element("GeometryPath", "path", osim.members("PathPointSet", points))
    return osim.element(TAG, name, path + curves, **values)


def pullers(*others, **kinds):
    """Muscles beside each other that pull a body on a slider."""
    joint = osim.joint(
        "SliderJoint", "j", "/ground", "/bodyset/a", osim.coordinates("q", default_value="0.3")
    )
    members = [millard(name, curves, **values) for name, (curves, values) in kinds.items()]
    return osim.model(*members, *others, joints=joint)


MIXED = pullers(osim.muscle("thelen"), **KINDS)
