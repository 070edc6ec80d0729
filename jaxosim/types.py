"""All the nouns: what a model is made of, what is integrated, and what each stage works out.

`Model` holds structure (names, tree, index arrays; static under jit), `Params` every number that
may be changed, batched or differentiated, `State` what is integrated and nothing else. The records
ending in `Info` are what a stage has worked out; none of them is stored in `State`.

Axes: `body`, `joint`, `coordinate`, `muscle`, … are the file's, in file order. `mobod` are the
bodies that can move on their own, after welded ones have been fused onto them, parents first;
`mobility` are the coordinates that are not locked, those of
inboard joints first. Ground is body number −1.
"""

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.checks import check_choice, check_count, check_positive
from jaxosim.functions import FunctionParams
from jaxosim.fused import KERNELS
from jaxosim.muscles.muscle import MuscleParams
from jaxosim.muscles.thelen2003 import Params as Thelen2003Params
from jaxosim.paths.build import PathParams, PathStructure
from jaxosim.pytree import array, pytree
from jaxosim.structure import (
    BodyStructure,
    ContactStructure,
    CoordinateForceStructure,
    FloatingStructure,
    TreeStructure,
)

METHODS = ("ros3w", "rk4", "euler", "merson")  # of Options

# ------------------------------------------------------------------------------- structure


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
    contacts: ContactStructure
    limits: CoordinateForceStructure
    springs: CoordinateForceStructure
    muscle_rows: tuple[np.ndarray, ...]  # the muscles of each class in `muscles.MUSCLES`
    muscle_path: np.ndarray  # [muscle] the path along which the muscle pulls
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
class ContactParams:
    """Contact geometry and the materials of the Hunt-Crossley forces."""

    location: jax.Array = array("geometry", 3, unit="m")  # in the body that owns it
    orientation: jax.Array = array("geometry", 3, unit="rad")
    radius: jax.Array = array("geometry", unit="m")
    stiffness: jax.Array = array("material", unit="N/m²")
    dissipation: jax.Array = array("material", unit="s/m")
    static_friction: jax.Array = array("material", unit="1")
    dynamic_friction: jax.Array = array("material", unit="1")
    viscous_friction: jax.Array = array("material", unit="s/m")
    transition_velocity: jax.Array = array("element", unit="m/s")


@pytree
class LimitParams:
    """Coordinate limits in SI units (the file's degrees are converted when it is compiled)."""

    upper_stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")
    upper_limit: jax.Array = array("limit", unit="rad | m")
    lower_stiffness: jax.Array = array("limit", unit="N·m/rad | N/m")
    lower_limit: jax.Array = array("limit", unit="rad | m")
    damping: jax.Array = array("limit", unit="N·m·s/rad | N·s/m")
    transition: jax.Array = array("limit", unit="rad | m")


@pytree
class SpringParams:
    """Springs on coordinates; the passive prosthetic ankle is one."""

    stiffness: jax.Array = array("spring", unit="N·m/rad | N/m")
    rest_length: jax.Array = array("spring", unit="rad | m")
    viscosity: jax.Array = array("spring", unit="N·m·s/rad | N·s/m")


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
    contacts: ContactParams = dataclasses.field()
    limits: LimitParams = dataclasses.field()
    springs: SpringParams = dataclasses.field()
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
class InstanceInfo:
    """What follows from Params alone: everything fixed on a mobilized body, in that body's frame.

    The frame of a mobilized body is its joint's outboard frame (Simbody's M), so that no constant
    transform is left in the chain of poses.
    """

    body_rotation: jax.Array = array("body", 3, 3, unit="1")  # of the body in its mobilized body
    body_position: jax.Array = array("body", 3, unit="m")
    inboard_rotation: jax.Array = array("mobod", 3, 3, unit="1")  # joint's inboard frame in parent
    inboard_position: jax.Array = array("mobod", 3, unit="m")
    mass: jax.Array = array("mobod", unit="kg")
    first_moment: jax.Array = array("mobod", 3, unit="kg·m")  # mass · mass center
    inertia: jax.Array = array("mobod", 3, 3, unit="kg·m²")  # about the mobilized body's origin
    point_location: jax.Array = array("point", 3, unit="m")
    moving_rotation: jax.Array = array("moving", 3, 3, unit="1")
    rigid_length: jax.Array = array("rigid", unit="m")  # of segments that cannot change length
    geometry_location: jax.Array = array("geometry", 3, unit="m")
    geometry_normal: jax.Array = array("geometry", 3, unit="1")  # out of a half-space


@pytree
class JointInfo:
    """Joint transforms and hinge columns, each in its joint's own frames."""

    rotation: jax.Array = array("mobod", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("mobod", 3, unit="m")  # p_FM
    hinge: jax.Array = array("mobility", 6, unit="1 | m")  # V_FM per unit speed, in F
    axis_direction: jax.Array = array("mobod", 6, 3, unit="1")  # the six axes, in F
    derivative: jax.Array = array("term", unit="mixed")  # of each axis term by its coordinate
    second_derivative: jax.Array = array("term", unit="mixed")
    q_dot_map: jax.Array = array("mobod", 3, 3, unit="1")  # angular velocity to angle rates


@pytree
class PositionInfo:
    """Poses of the mobilized bodies and the hinge map, about the common point.

    The common point is the origin of the first mobilized body; positions are relative to it so that
    float32 does not degrade as the model leaves the start. Everything is expressed in ground.
    """

    origin: jax.Array = array(3, unit="m")  # the common point, from ground's origin
    pose: jax.Array = array("frame", 3, 4, unit="1, m")  # rotation beside position; ground's last
    joint_rotation: jax.Array = array("mobod", 3, 3, unit="1")  # of the joint's F frame
    joint_position: jax.Array = array("mobod", 3, unit="m")  # of the joint's M origin
    hinge: jax.Array = array("mobility", 6, unit="1 | m")  # S: spatial velocity per unit speed

    @property
    def rotation(self) -> jax.Array:
        """Of the mobilized bodies, `[mobod, 3, 3]`."""
        return self.pose[..., :-1, :, :3]

    @property
    def position(self) -> jax.Array:
        """Origins of the mobilized bodies from the common point, `[mobod, 3]` (m)."""
        return self.pose[..., :-1, :, 3]


@pytree
class VelocityInfo:
    """Spatial velocities of the mobilized bodies and the velocity part of their accelerations."""

    velocity: jax.Array = array("mobod", 6, unit="rad/s, m/s")  # V, about the common point
    bias_acceleration: jax.Array = array("mobod", 6, unit="rad/s², m/s²")  # A when u_dot = 0


@pytree
class ContactInfo:
    """What each pair of contact surfaces does; forces act on the second surface's body."""

    position: jax.Array = array("pair", 3, unit="m")  # of the contact, from the common point
    normal: jax.Array = array("pair", 3, unit="1")  # from the first surface to the second
    depth: jax.Array = array("pair", unit="m")
    velocity: jax.Array = array("pair", 3, unit="m/s")  # of the first surface over the second
    hertz_force: jax.Array = array("pair", unit="N")  # elastic part, with no early exit
    normal_force: jax.Array = array("pair", unit="N")  # with dissipation, after the early exit
    friction_slope: jax.Array = array("pair", unit="N·s/m")  # friction over slip speed
    sliding_slope: jax.Array = array("pair", unit="N·s/m")  # of friction by slip speed, or zero
    dissipation: jax.Array = array("pair", unit="s/m")
    force: jax.Array = array("pair", 3, unit="N")


@pytree
class AccelerationInfo:
    """Accelerations of the free coordinates and of the mobilized bodies."""

    u_dot: jax.Array = array("mobility", unit="rad/s² | m/s²")
    acceleration: jax.Array = array("mobod", 6, unit="rad/s², m/s²")  # A, about the common point
