"""All the nouns: what a model is made of, and what is integrated.

`Model` holds structure (names, tree, index arrays), `Params` every number that may be changed,
batched or differentiated, `State` what is integrated and nothing else. The records of a class of
forces are in its module, and those ending in `Info`, of which none is stored in `State`, beside the
function that computes them.

Axes: `body`, `joint`, `coordinate`, `muscle`, … are the file's, in file order. `mobod` are the
bodies that can move on their own, after welded ones have been fused onto them, parents first;
`mobility` are the coordinates that are not locked, those of inboard joints first. Ground is −1.
"""

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.checks import check_choice, check_count, check_positive
from jaxosim.constraints import (
    constant_distance_constraint,
    coordinate_coupler_constraint,
    locked_angle,
    point_constraint,
    point_on_line_constraint,
    prescribed_motion,
    weld_constraint,
)
from jaxosim.controllers import control_set_controller, prescribed_controller, toy_reflex_controller
from jaxosim.forces import (
    activation_coordinate_actuator,
    blankevoort1991_ligament,
    body_actuator,
    bushing_force,
    clutched_path_spring,
    coordinate_actuator,
    coordinate_limit_force,
    elastic_foundation_force,
    expression_based_bushing_force,
    expression_based_coordinate_force,
    expression_based_path_force,
    expression_based_point_to_point_force,
    external_force,
    function_based_bushing_force,
    hunt_crossley_force,
    ligament,
    path_actuator,
    path_spring,
    point_actuator,
    point_to_point_actuator,
    point_to_point_spring,
    prescribed_force,
    smooth_sphere_half_space_force,
    spring_generalized_force,
    torque_actuator,
)
from jaxosim.functions import FunctionParams
from jaxosim.fused import KERNELS
from jaxosim.joints.constant_curvature_joint import Params as ConstantCurvatureJointParams
from jaxosim.joints.ellipsoid_joint import Params as EllipsoidJointParams
from jaxosim.joints.scapulothoracic_joint import Params as ScapulothoracicJointParams
from jaxosim.muscles.degroote_fregly2016 import Params as DeGrooteFregly2016Params
from jaxosim.muscles.meyer_fregly2016 import Params as MeyerFregly2016Params
from jaxosim.muscles.millard2012 import Params as Millard2012Params
from jaxosim.muscles.muscle import MuscleParams
from jaxosim.muscles.rigid_tendon import Params as RigidTendonParams
from jaxosim.muscles.schutte1993 import Params as Schutte1993Params
from jaxosim.muscles.thelen2003 import Params as Thelen2003Params
from jaxosim.paths.build import PathStructure
from jaxosim.paths.params import PathParams
from jaxosim.pytree import array, pytree
from jaxosim.structure import (
    BodyStructure,
    ComponentPath,
    FloatingStructure,
    ForceStateStructure,
    MuscleStateStructure,
    TreeStructure,
)

METHODS = ("ros3w", "rk4", "euler", "merson")  # of Options

# ------------------------------------------------------------------------------- structure


@jax.tree_util.register_static
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
    control_names: tuple[str, ...]  # in the order of OpenSim's controls
    force_names: tuple[str, ...]
    marker_names: tuple[str, ...]
    locked: np.ndarray  # [coordinate] bool
    clamped: np.ndarray  # [coordinate] bool: assembled within the range
    dependent: np.ndarray  # [coordinate] bool: assembled from the others, by couplers or as asked
    projects_pose: bool  # instead of assembling it, as OpenSim without a ConstraintSet
    rotational: np.ndarray  # [coordinate] bool: OpenSim's motion type Rotational
    bodies: BodyStructure
    tree: TreeStructure
    floating: FloatingStructure
    paths: PathStructure
    contacts: hunt_crossley_force.Structure
    limits: coordinate_limit_force.Structure
    springs: spring_generalized_force.Structure
    path_springs: path_spring.Structure
    coordinate_actuators: coordinate_actuator.Structure
    bushings: bushing_force.Structure
    expression_bushings: expression_based_bushing_force.Structure
    function_bushings: function_based_bushing_force.Structure
    point_springs: point_to_point_spring.Structure
    point_expressions: expression_based_point_to_point_force.Structure
    coordinate_expressions: expression_based_coordinate_force.Structure
    torque_actuators: torque_actuator.Structure
    point_actuators: point_actuator.Structure
    body_actuators: body_actuator.Structure
    path_actuators: path_actuator.Structure
    ligaments: ligament.Structure
    smooth_contacts: smooth_sphere_half_space_force.Structure
    prescribed_forces: prescribed_force.Structure
    path_expressions: expression_based_path_force.Structure
    activation_coordinate_actuators: activation_coordinate_actuator.Structure
    external_forces: external_force.Structure
    elastic_foundations: elastic_foundation_force.Structure
    point_to_point_actuators: point_to_point_actuator.Structure
    clutched_path_springs: clutched_path_spring.Structure
    blankevoort1991_ligaments: blankevoort1991_ligament.Structure
    coordinate_couplers: coordinate_coupler_constraint.Structure
    point_constraints: point_constraint.Structure
    weld_constraints: weld_constraint.Structure
    constant_distances: constant_distance_constraint.Structure
    points_on_lines: point_on_line_constraint.Structure
    prescribed_motions: prescribed_motion.Structure
    locked_angles: locked_angle.Structure
    prescribed_controllers: prescribed_controller.Structure
    toy_reflex_controllers: toy_reflex_controller.Structure
    control_set_controllers: control_set_controller.Structure
    muscle_rows: tuple[np.ndarray, ...]  # the muscles of each class in `muscles.MUSCLES`
    muscle_modes: tuple[tuple[np.ndarray, ...], ...]  # of each class, those of each of its MODES
    muscle_states: dict[str, MuscleStateStructure]  # by field of State: activation, contraction
    force_states: ForceStateStructure
    joint_paths: tuple[ComponentPath, ...]  # [joint]
    force_paths: dict[str, ComponentPath]  # by name, of muscles and of all other forces
    muscle_path: np.ndarray  # [muscle] the path along which the muscle pulls
    muscle_control: np.ndarray  # [muscle] the control that is the muscle's excitation
    muscle_applies_force: np.ndarray  # [muscle] bool
    min_control: np.ndarray  # [control] (1) for optimizers and learners; forces do not clip
    max_control: np.ndarray  # [control] (1)
    marker_body: np.ndarray  # [marker]
    sizes: dict[str, int]  # every axis name of Params and State, and its length

    def __repr__(self) -> str:
        """Short: a model has hundreds of names."""
        return f"Model({self.name!r}, {len(self.coordinate_names)} coordinates, {self.source!r})"


@jax.tree_util.register_static
@dataclass(frozen=True)
class Options:
    """How a control step is integrated; hashed by value, static under jit.

    Attributes:
      method: "ros3w" (linearly implicit, third order), "rk4", "euler", or "merson", the reference.
      substeps: of a control step, fixed-step methods only; equal but for `ros3w.ros3w_steps`.
      accuracy: local error per step of "merson", as OpenSim's integrator accuracy.
      step_size: seconds of a control step.
      kernel: "fused", "xla", or "auto" for "fused" where it can be had, see `fused.using`.
    """

    method: str = "ros3w"
    substeps: int = 6
    accuracy: float = 5e-5
    step_size: float = 0.01
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
    ellipsoid_joint: EllipsoidJointParams = dataclasses.field()
    scapulothoracic_joint: ScapulothoracicJointParams = dataclasses.field()
    constant_curvature_joint: ConstantCurvatureJointParams = dataclasses.field()


@pytree
class CoordinateParams:
    """Defaults and ranges of the coordinates."""

    default_value: jax.Array = array("coordinate", unit="rad | m")
    default_speed_value: jax.Array = array("coordinate", unit="rad/s | m/s")
    range: jax.Array = array("coordinate", 2, unit="rad | m")


@pytree
class Params:
    """Every number of a model: change it, batch it, differentiate by it."""

    gravity: jax.Array = array(3, unit="m/s²")
    bodies: BodyParams = dataclasses.field()
    joints: JointParams = dataclasses.field()
    coordinates: CoordinateParams = dataclasses.field()
    paths: PathParams = dataclasses.field()
    muscles: MuscleParams = dataclasses.field()
    thelen2003: Thelen2003Params = dataclasses.field()
    degroote_fregly2016: DeGrooteFregly2016Params = dataclasses.field()
    schutte1993: Schutte1993Params = dataclasses.field()
    rigid_tendon: RigidTendonParams = dataclasses.field()
    meyer_fregly2016: MeyerFregly2016Params = dataclasses.field()
    millard2012: Millard2012Params = dataclasses.field()
    contacts: hunt_crossley_force.Params = dataclasses.field()
    limits: coordinate_limit_force.Params = dataclasses.field()
    springs: spring_generalized_force.Params = dataclasses.field()
    path_springs: path_spring.Params = dataclasses.field()
    coordinate_actuators: coordinate_actuator.Params = dataclasses.field()
    bushings: bushing_force.Params = dataclasses.field()
    expression_bushings: expression_based_bushing_force.Params = dataclasses.field()
    function_bushings: function_based_bushing_force.Params = dataclasses.field()
    point_springs: point_to_point_spring.Params = dataclasses.field()
    point_expressions: expression_based_point_to_point_force.Params = dataclasses.field()
    coordinate_expressions: expression_based_coordinate_force.Params = dataclasses.field()
    torque_actuators: torque_actuator.Params = dataclasses.field()
    point_actuators: point_actuator.Params = dataclasses.field()
    body_actuators: body_actuator.Params = dataclasses.field()
    path_actuators: path_actuator.Params = dataclasses.field()
    ligaments: ligament.Params = dataclasses.field()
    smooth_contacts: smooth_sphere_half_space_force.Params = dataclasses.field()
    prescribed_forces: prescribed_force.Params = dataclasses.field()
    path_expressions: expression_based_path_force.Params = dataclasses.field()
    activation_coordinate_actuators: activation_coordinate_actuator.Params = dataclasses.field()
    external_forces: external_force.Params = dataclasses.field()
    elastic_foundations: elastic_foundation_force.Params = dataclasses.field()
    point_to_point_actuators: point_to_point_actuator.Params = dataclasses.field()
    clutched_path_springs: clutched_path_spring.Params = dataclasses.field()
    blankevoort1991_ligaments: blankevoort1991_ligament.Params = dataclasses.field()
    coordinate_couplers: coordinate_coupler_constraint.Params = dataclasses.field()
    point_constraints: point_constraint.Params = dataclasses.field()
    weld_constraints: weld_constraint.Params = dataclasses.field()
    constant_distances: constant_distance_constraint.Params = dataclasses.field()
    points_on_lines: point_on_line_constraint.Params = dataclasses.field()
    prescribed_motions: prescribed_motion.Params = dataclasses.field()
    locked_angles: locked_angle.Params = dataclasses.field()
    prescribed_controllers: prescribed_controller.Params = dataclasses.field()
    toy_reflex_controllers: toy_reflex_controller.Params = dataclasses.field()
    control_set_controllers: control_set_controller.Params = dataclasses.field()
    default_force_states: jax.Array = array("force_state", unit="mixed")
    marker_location: jax.Array = array("marker", 3, unit="m")


@pytree
class State:
    """What the integrator integrates. Anything that can be recomputed is not here.

    Rows of muscles that lack a state have no effect, and the rate zero: `Model.muscle_states`.
    """

    time: jax.Array = array(unit="s")
    q: jax.Array = array("coordinate", unit="rad | m")  # coordinate values
    u: jax.Array = array("coordinate", unit="rad/s | m/s")  # coordinate speeds
    activation: jax.Array = array("muscle", unit="1")
    fiber_length: jax.Array = array("muscle", unit="m")
    # OpenSim's contraction state of this class; without effect where the tendon is rigid
    normalized_tendon_force: jax.Array = array("degroote_fregly2016", unit="1")
    # state variables of forces other than muscles: `Model.force_states`
    force_states: jax.Array = array("force_state", unit="mixed")


StateDerivative = State
"""Rates of a State: the same class, each field per second."""


# -------------------------------------------------------------------------- stage records
