"""Properties of a DeGrooteFregly2016Muscle: what a file says, and as arrays.

Source: OpenSim `DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax

from jaxosim.models.lookup import columns
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.muscles.muscle import OPTIONS, Expectation, MuscleParams, MuscleSpec, read_muscle
from jaxosim.pytree import array, pytree

TAGS = ("DeGrooteFregly2016Muscle",)
FIELD = "degroote_fregly2016"

LARGEST_FORCE = 5.0  # normalized tendon force of a default, and of an equilibrium

_EXPECTATIONS: tuple[Expectation, ...] = (
    ("activation_time_constant above 0", lambda m: m.activation_time_constant > 0),
    ("deactivation_time_constant above 0", lambda m: m.deactivation_time_constant > 0),
    ("default_activation above 0", lambda m: m.default_activation > 0),
    (
        "default_normalized_tendon_force from 0 to 5",
        lambda m: 0 <= m.default_normalized_tendon_force <= LARGEST_FORCE,
    ),
    ("active_force_width_scale of at least 1", lambda m: m.active_force_width_scale >= 1),
    ("fiber_damping of at least 0", lambda m: m.fiber_damping >= 0),
    (
        "passive_fiber_strain_at_one_norm_force above 0",
        lambda m: m.passive_fiber_strain_at_one_norm_force > 0,
    ),
    (
        "tendon_strain_at_one_norm_force above 0",
        lambda m: m.tendon_strain_at_one_norm_force > 0,
    ),
    ("activation_dynamics_smoothing above 0", lambda m: m.activation_dynamics_smoothing > 0),
    (
        "pennation_angle_at_optimal of at least 0 and below π/2",
        lambda m: 0 <= m.pennation_angle_at_optimal < math.pi / 2,
    ),
    # OpenSim differs: it loads these muscles, whose lengths and velocities are not finite then.
    ("optimal_fiber_length above 0", lambda m: m.optimal_fiber_length > 0),
    (
        "tendon_slack_length above 0, or 0 with a rigid tendon",
        lambda m: (
            m.tendon_slack_length > 0 or (m.ignore_tendon_compliance and m.tendon_slack_length == 0)
        ),
    ),
    ("max_contraction_velocity above 0", lambda m: m.max_contraction_velocity > 0),
    ("max_isometric_force of at least 0", lambda m: m.max_isometric_force >= 0),
)


@dataclass(frozen=True)
class Spec(MuscleSpec):
    """A DeGrooteFregly2016Muscle of a file, with the defaults of OpenSim 4.6."""

    default_activation: float = 0.5
    activation_time_constant: float = 0.015
    deactivation_time_constant: float = 0.060
    activation_dynamics_smoothing: float = 0.1
    default_normalized_tendon_force: float = 0.5
    active_force_width_scale: float = 1.0
    fiber_damping: float = 0.0
    passive_fiber_strain_at_one_norm_force: float = 0.6
    tendon_strain_at_one_norm_force: float = 0.049
    ignore_passive_fiber_force: bool = False
    tendon_compliance_dynamics_mode: str = "explicit"


@pytree
class Params:
    """Properties that only a DeGrooteFregly2016Muscle has, named as in the file."""

    activation_time_constant: jax.Array = array("degroote_fregly2016", unit="s")
    deactivation_time_constant: jax.Array = array("degroote_fregly2016", unit="s")
    activation_dynamics_smoothing: jax.Array = array("degroote_fregly2016", unit="1")
    default_normalized_tendon_force: jax.Array = array("degroote_fregly2016", unit="1")
    active_force_width_scale: jax.Array = array("degroote_fregly2016", unit="1")
    fiber_damping: jax.Array = array("degroote_fregly2016", unit="1")
    passive_fiber_strain_at_one_norm_force: jax.Array = array("degroote_fregly2016", unit="1")
    tendon_strain_at_one_norm_force: jax.Array = array("degroote_fregly2016", unit="1")
    ignore_passive_fiber_force: jax.Array = array("degroote_fregly2016", unit="1")  # 1 or 0


@pytree
class Properties(MuscleParams, Params):
    """All properties of the model's DeGrooteFregly2016Muscles, one row each."""


def read(context: Context, muscle: Component) -> Spec:
    """A DeGrooteFregly2016Muscle with its path."""
    element = muscle.element
    assert element is not None
    spec = read_muscle(context, muscle, Spec, {}, _EXPECTATIONS, OPTIONS)
    form = context.property(element, "tendon_compliance_dynamics_mode")
    if form is None or form.text.strip() == "explicit":
        return spec
    # OpenSim differs: whatever is not explicit, also nothing, is implicit.
    if form.text.strip() != "implicit":
        raise form.error("expected explicit or implicit")
    if not spec.ignore_tendon_compliance:
        context.note(
            form,
            "implicit, so the tendon force is constant, as in OpenSim's forward simulations; "
            "with explicit it follows the fiber",
        )
    return replace(spec, tendon_compliance_dynamics_mode="implicit")


def build(muscles: Sequence[Spec]) -> Params:
    """The properties that only this class has, one row per muscle."""
    return columns(Params, muscles)
