"""All the nouns: what a model is made of, and what is integrated.

`Model` holds structure (names, tree, index arrays; static under jit), `Params` every number that
may be changed, batched or differentiated, `State` what is integrated and nothing else. The records
of a class of forces are in its module, and those ending in `Info`, of which none is stored in
`State`, beside the function that computes them.

Axes: `body`, `joint`, `coordinate`, `muscle`, … are the file's, in file order. `mobod` are the
bodies that can move on their own, after welded ones have been fused onto them, parents first;
`mobility` are the coordinates that are not locked, those of inboard joints first. Ground is body
number −1.
"""

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.checks import check_choice, check_count, check_positive
from jaxosim.forces import coordinate_limit_force, hunt_crossley_force, spring_generalized_force
from jaxosim.functions import FunctionBank, FunctionParams
from jaxosim.fused import KERNELS
from jaxosim.pytree import array, pytree
from jaxosim.structure import PathStructure

METHODS = ("ros3w", "rk4", "euler", "merson")  # of Options

# ------------------------------------------------------------------------------- structure


@dataclass(frozen=True, eq=False)
class BodyStructure:
    """Which mobilized body carries each body, and how welds chain them together."""

    mobod: np.ndarray  # [body] the mobilized body it is fixed on, GROUND if welded to ground
    joint: np.ndarray  # [body] the joint that holds it
    inboard: np.ndarray  # [body] the body on the other side of that joint, GROUND for ground
    reversed: np.ndarray  # [body] whether the body is the joint's parent side
    weld_levels: tuple[np.ndarray, ...]  # bodies held by a weld, those nearest the carrier first


@dataclass(frozen=True, eq=False)
class TreeStructure:
    """The tree of mobilized bodies, their joints' axes, and who moves whom."""

    body: np.ndarray  # [mobod] the body whose joint moves it
    joint: np.ndarray  # [mobod] that joint
    parent: np.ndarray  # [mobod] the mobilized body it hangs on, or GROUND
    parent_body: np.ndarray  # [mobod] the body that carries the joint's inboard frame
    levels: tuple[slice, ...]  # mobilized bodies by depth, root level first
    reversed: np.ndarray  # [mobod] joint travelled from its child to its parent
    support: np.ndarray  # [mobod, mobility] 1 where the coordinate moves the body
    descendants: np.ndarray  # [mobod, mobod] 1 where the second hangs on the first, or is it
    mobility: np.ndarray  # [mobility] the coordinates that move, inboard joints first
    mobility_mobod: np.ndarray  # [mobility] the mobilized body whose joint the coordinate drives
    related: (
        np.ndarray
    )  # [mobility, mobility] 1 where one moves the other's body: M is zero elsewhere
    functions: FunctionBank  # the terms of the six axis functions
    term_axis: np.ndarray  # [term] mobod · 6 + axis that the term adds to
    term_coordinate: np.ndarray  # [term] its argument
    term_mobility: np.ndarray  # [term] its mobility; −1 if locked
    undriven_axis: np.ndarray  # [mobod, 3] rotation axes without arguments, with angle not zero
    angular_velocity: np.ndarray  # [mobod] Ball, Free: speeds are the angular velocity, not rates
    coordinate_slot: np.ndarray  # [coordinate] place among its joint's coordinates
    coordinate_joint: np.ndarray  # [coordinate]


@dataclass(frozen=True, eq=False)
class FloatingStructure:
    """Joints with three angles of their own, each a straight line, that no force looks at.

    Their axes are perpendicular in the file, and have to be so in any other Params.
    """

    mobod: np.ndarray  # [floating] the mobilized body they move
    coordinate: np.ndarray  # [floating, 3] that drive the three rotations
    polynomial: np.ndarray  # [floating, 3] the rotations' functions, among the polynomials


@dataclass(frozen=True, eq=False)
class Model:
    """Everything about a model that is not a number: hashed by identity, static under jit."""

    name: str
    source: str
    body_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    joint_kinds: tuple[str, ...]
    joint_coordinates: tuple[tuple[int, ...], ...]
    coordinate_names: tuple[str, ...]
    muscle_names: tuple[str, ...]
    control_names: tuple[str, ...]
    force_names: tuple[str, ...]
    marker_names: tuple[str, ...]
    locked: np.ndarray  # [coordinate] bool
    rotational: np.ndarray  # [coordinate] bool: OpenSim's motion type Rotational
    bodies: BodyStructure
    tree: TreeStructure
    floating: FloatingStructure
    paths: PathStructure
    contacts: hunt_crossley_force.Structure
    limits: coordinate_limit_force.Structure
    springs: spring_generalized_force.Structure
    muscle_control: np.ndarray  # [muscle] the control that is the muscle's excitation
    muscle_applies_force: np.ndarray  # [muscle] bool
    marker_body: np.ndarray  # [marker]
    sizes: dict[str, int]  # every axis name of Params and State, and its length

    def __repr__(self) -> str:
        """Short: a model has hundreds of names."""
        return f"Model({self.name!r}, {len(self.coordinate_names)} coordinates, {self.source!r})"


@dataclass(frozen=True)
class Options:
    """How a control step is integrated; hashed by value, static under jit.

    Attributes:
      method: "ros3w" (linearly implicit, third order), "rk4", "euler", or "merson", the reference.
      substeps: of a control step, fixed-step methods only; equal but for "ros3w", see
        `ros3w.ros3w_steps`.
      accuracy: local error per step of "merson", as OpenSim's integrator accuracy.
      step_size: seconds of a control step.
      stale_first_stage: "merson" in a rollout: as OpenSim under osim-rl, the first derivative after
        a change of controls uses the previous ones.
      kernel: "fused", "xla", or "auto" for "fused" where it can be had, see `fused.using`.
    """

    method: str = "ros3w"
    substeps: int = 6
    accuracy: float = 5e-5
    step_size: float = 0.01
    stale_first_stage: bool = False
    kernel: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be integrated, by name.

        Raises:
          ValueError: an unknown method, or a number that is not positive and finite.
        """
        check_choice("Options.method", self.method, METHODS)
        check_choice("Options.kernel", self.kernel, KERNELS)
        check_count("Options.substeps", self.substeps)
        check_positive("Options.accuracy", self.accuracy)
        check_positive("Options.step_size", self.step_size)
        check_choice("Options.stale_first_stage", self.stale_first_stage, (True, False))

    @classmethod
    def fast(cls) -> "Options":
        """Four substeps: half as fast again as the default, about thrice the error."""
        return cls(substeps=4)

    @classmethod
    def fine(cls) -> "Options":
        """Fixed steps, about 1e-4 after half a second."""
        return cls(substeps=10)

    @classmethod
    def accurate(cls) -> "Options":
        """Fixed steps, about 2e-5 after half a second, below OpenSim's usual own error."""
        return cls(substeps=24)

    @classmethod
    def reference(cls, accuracy: float = 5e-5) -> "Options":
        """OpenSim's error-controlled Runge-Kutta-Merson; no reverse-mode gradient."""
        return cls(method="merson", accuracy=accuracy)


# --------------------------------------------------------------------------------- numbers


@pytree
class BodyParams:
    """Mass properties, in body axes; inertia (xx yy zz xy xz yz) about the mass center."""

    mass: jax.Array = array("body", unit="kg")
    mass_center: jax.Array = array("body", 3, unit="m")
    inertia: jax.Array = array("body", 6, unit="kg·m²")


@pytree
class JointParams:
    """Frames of every joint, welds too, and the axes of those that move."""

    parent_translation: jax.Array = array("joint", 3, unit="m")
    parent_orientation: jax.Array = array("joint", 3, unit="rad")  # body-fixed XYZ
    child_translation: jax.Array = array("joint", 3, unit="m")
    child_orientation: jax.Array = array("joint", 3, unit="rad")
    axis: jax.Array = array("mobod", 6, 3, unit="1")  # unit vectors: rotations, translations
    constant: jax.Array = array("mobod", 6, unit="rad | m")  # part of each axis with no argument
    functions: FunctionParams = dataclasses.field()


@pytree
class CoordinateParams:
    """Defaults and ranges of the coordinates."""

    default_value: jax.Array = array("coordinate", unit="rad | m")
    default_speed_value: jax.Array = array("coordinate", unit="rad/s | m/s")
    range: jax.Array = array("coordinate", 2, unit="rad | m")


@pytree
class PathParams:
    """Where path points lie."""

    location: jax.Array = array("point", 3, unit="m")  # in the body; a moving point's frame origin
    orientation: jax.Array = array("moving", 3, unit="rad")  # of a moving point's frame
    conditional_range: jax.Array = array("conditional", 2, unit="rad | m")
    functions: FunctionParams = dataclasses.field()


@pytree
class Thelen2003Params:
    """Properties of the muscles, named as in the file."""

    max_isometric_force: jax.Array = array("muscle", unit="N")
    optimal_fiber_length: jax.Array = array("muscle", unit="m")
    tendon_slack_length: jax.Array = array("muscle", unit="m")
    pennation_angle_at_optimal: jax.Array = array("muscle", unit="rad")
    max_contraction_velocity: jax.Array = array("muscle", unit="1/s")
    activation_time_constant: jax.Array = array("muscle", unit="s")
    deactivation_time_constant: jax.Array = array("muscle", unit="s")
    fmax_tendon_strain: jax.Array = array("muscle", unit="1")
    fmax_muscle_strain: jax.Array = array("muscle", unit="1")
    kshape_active: jax.Array = array("muscle", unit="1")
    kshape_passive: jax.Array = array("muscle", unit="1")
    af: jax.Array = array("muscle", unit="1")
    flen: jax.Array = array("muscle", unit="1")
    fv_linear_extrap_threshold: jax.Array = array("muscle", unit="1")
    maximum_pennation_angle: jax.Array = array("muscle", unit="rad")
    minimum_activation: jax.Array = array("muscle", unit="1")
    default_activation: jax.Array = array("muscle", unit="1")
    default_fiber_length: jax.Array = array("muscle", unit="m")


@pytree
class Params:
    """Every number of a model: change it, batch it, differentiate by it."""

    gravity: jax.Array = array(3, unit="m/s²")
    bodies: BodyParams = dataclasses.field()
    joints: JointParams = dataclasses.field()
    coordinates: CoordinateParams = dataclasses.field()
    paths: PathParams = dataclasses.field()
    muscles: Thelen2003Params = dataclasses.field()
    contacts: hunt_crossley_force.Params = dataclasses.field()
    limits: coordinate_limit_force.Params = dataclasses.field()
    springs: spring_generalized_force.Params = dataclasses.field()
    marker_location: jax.Array = array("marker", 3, unit="m")


@pytree
class State:
    """What the integrator integrates. Anything that can be recomputed is not here."""

    time: jax.Array = array(unit="s")
    q: jax.Array = array("coordinate", unit="rad | m")  # coordinate values
    u: jax.Array = array("coordinate", unit="rad/s | m/s")  # coordinate speeds
    activation: jax.Array = array("muscle", unit="1")
    fiber_length: jax.Array = array("muscle", unit="m")


StateDerivative = State
"""Rates of a State: the same class, each field per second."""


# -------------------------------------------------------------------------- stage records


@pytree
class PathInfo:
    """Geometry of the muscle paths."""

    length: jax.Array = array("muscle", unit="m")
    moment_arm: jax.Array = array(
        "arm", unit="m | 1"
    )  # generalised force at unit pull, where not zero
    stretch: jax.Array = array("arm", unit="m | 1")  # lengthening per unit speed beyond −arm


@pytree
class MuscleLengthInfo:
    """Thelen2003Muscle at the position stage; OpenSim's MuscleLengthInfo."""

    fiber_length: jax.Array = array("muscle", unit="m")
    normalized_fiber_length: jax.Array = array("muscle", unit="1")
    pennation_angle: jax.Array = array("muscle", unit="rad")
    cos_pennation_angle: jax.Array = array("muscle", unit="1")
    sin_pennation_angle: jax.Array = array("muscle", unit="1")
    tendon_length: jax.Array = array("muscle", unit="m")
    tendon_strain: jax.Array = array("muscle", unit="1")
    active_force_length_multiplier: jax.Array = array("muscle", unit="1")
    passive_force_multiplier: jax.Array = array("muscle", unit="1")
    tendon_force_multiplier: jax.Array = array("muscle", unit="1")


@pytree
class FiberVelocityInfo:
    """Thelen2003Muscle at the velocity stage; OpenSim's FiberVelocityInfo."""

    activation: jax.Array = array("muscle", unit="1")
    fiber_velocity: jax.Array = array("muscle", unit="m/s")
    normalized_fiber_velocity: jax.Array = array("muscle", unit="1")
    force_velocity_multiplier: jax.Array = array("muscle", unit="1")
    clamped: jax.Array = array("muscle", unit="1")  # 1 where the fiber rests at its minimal length


@pytree
class MuscleDynamicsInfo:
    """Thelen2003Muscle at the dynamics stage; OpenSim's MuscleDynamicsInfo."""

    fiber_force: jax.Array = array("muscle", unit="N")
    fiber_force_along_tendon: jax.Array = array("muscle", unit="N")
    active_fiber_force: jax.Array = array("muscle", unit="N")
    passive_fiber_force: jax.Array = array("muscle", unit="N")
    tendon_force: jax.Array = array("muscle", unit="N")
    activation_rate: jax.Array = array("muscle", unit="1/s")
