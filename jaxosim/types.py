"""All the nouns: what a model is made of, what is integrated, and what each stage works out.

`Model` holds structure (names, tree, index arrays; static under jit), `Params` every number that
may be changed, batched or differentiated, `State` what is integrated and nothing else. The records
ending in `Info` are what a stage has worked out; none of them is stored in `State`.

Axes: `body`, `joint`, `coordinate`, `muscle`, … are the file's, in file order. `mobile` are the
bodies that can move on their own, after welded ones have been fused onto them, parents first;
`free` are the coordinates that are not locked, those of
inboard joints first. Ground is body number −1.
"""

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.functions import FunctionBank, FunctionParams
from jaxosim.pytree import array, pytree

GROUND = -1


# ------------------------------------------------------------------------------- structure


@dataclass(frozen=True, eq=False)
class BodyStructure:
    """Which mobile body carries each body, and how welds chain them together."""

    mobile: np.ndarray  # [body] the mobile body it is fixed on, GROUND if welded to ground
    joint: np.ndarray  # [body] the joint that holds it
    inboard: np.ndarray  # [body] the body on the other side of that joint, GROUND for ground
    reversed: np.ndarray  # [body] whether the body is the joint's parent side
    weld_levels: tuple[np.ndarray, ...]  # bodies held by a weld, those nearest the carrier first


@dataclass(frozen=True, eq=False)
class TreeStructure:
    """The tree of mobile bodies, their joints' axes, and who moves whom."""

    body: np.ndarray  # [mobile] the body whose joint moves it
    joint: np.ndarray  # [mobile] that joint
    parent: np.ndarray  # [mobile] the mobile body it hangs on, or GROUND
    parent_body: np.ndarray  # [mobile] the body that carries the joint's inboard frame
    levels: tuple[slice, ...]  # mobile bodies by depth, root level first
    reversed: np.ndarray  # [mobile] joint travelled from its child to its parent
    support: np.ndarray  # [mobile, free] 1 where the coordinate moves the body
    descendants: np.ndarray  # [mobile, mobile] 1 where the second hangs on the first, or is it
    free: np.ndarray  # [free] the coordinates that move, inboard joints first
    free_mobile: np.ndarray  # [free] the mobile body whose joint the coordinate drives
    related: np.ndarray  # [free, free] 1 where one moves the other's body: M is zero elsewhere
    functions: FunctionBank  # the terms of the six axis functions
    term_axis: np.ndarray  # [term] mobile · 6 + axis that the term adds to
    term_coordinate: np.ndarray  # [term] its argument
    term_free: np.ndarray  # [term] the same among the free ones; −1 if locked
    first_coordinate: np.ndarray  # [term] whether its argument is its joint's first coordinate
    third_coordinate: np.ndarray  # [term] whether its argument is its joint's third coordinate
    undriven_axis: np.ndarray  # [mobile, 3] rotation axes without arguments, with angle not zero
    angular_velocity: np.ndarray  # [mobile] Ball, Free: speeds are the angular velocity, not rates
    coordinate_slot: np.ndarray  # [coordinate] place among its joint's coordinates
    coordinate_joint: np.ndarray  # [coordinate]


@dataclass(frozen=True, eq=False)
class PathStructure:
    """Muscle paths as flat lists of points and of the straight segments that can occur.

    A conditional point adds the segment that bypasses it, so that every segment has fixed ends;
    `needed` says which conditions must hold for a segment to be part of the path.
    """

    point_muscle: np.ndarray  # [point]
    point_body: np.ndarray  # [point]
    point_name: tuple[str, ...]
    conditional_point: np.ndarray  # [conditional]
    conditional_coordinate: np.ndarray  # [conditional]
    moving_point: np.ndarray  # [moving]
    moving_coordinate: np.ndarray  # [moving] −1 when the file names none
    moving_functions: FunctionBank  # moving · 3 + axis
    rigid: "SegmentStructure"  # both ends fixed on one mobile body: length is a constant
    flexible: "SegmentStructure"  # the rest
    located: np.ndarray  # [located] the points at which flexible segments end
    arms: "ArmStructure"
    moving_ends: "MovingEndStructure"


@dataclass(frozen=True, eq=False)
class ArmStructure:
    """The entries of the moment-arm matrix that are not always zero.

    The pull of a segment acts on a coordinate that moves one of its ends and not the other.
    """

    muscle: np.ndarray  # [arm]
    free: np.ndarray  # [arm] coordinate
    segment: np.ndarray  # [arm, term] flexible segments that contribute; their number if none
    sign: np.ndarray  # [arm, term] +1 if the coordinate moves the start, −1 if the end
    table: np.ndarray  # [muscle, free] number of the entry; the number of entries if none


@dataclass(frozen=True, eq=False)
class MovingEndStructure:
    """Ends of flexible segments at points that move along their body with a free coordinate."""

    point: np.ndarray  # [end] moving point
    segment: np.ndarray  # [end]
    sign: np.ndarray  # [end] +1 at its start, −1 at its end
    arm: np.ndarray  # [end] entry of the moment arms
    pulls: np.ndarray  # [end] whether the segment joins two bodies, so that it pulls on them


@dataclass(frozen=True, eq=False)
class SegmentStructure:
    """Straight pieces of paths: from which point to which, and when they count."""

    muscle: np.ndarray  # [segment]
    start: np.ndarray  # [segment] point
    end: np.ndarray  # [segment] point
    needed: np.ndarray  # [segment, condition] index into [active…, inactive…, always]


@dataclass(frozen=True, eq=False)
class ContactStructure:
    """Pairs of contact surfaces of Hunt-Crossley forces, one row per pair that can touch.

    The first `half_space_count` pairs are half-space against sphere, the rest sphere on sphere.
    """

    geometry_names: tuple[str, ...]
    geometry_body: np.ndarray  # [geometry]
    is_half_space: np.ndarray  # [geometry]
    material: np.ndarray  # [geometry] row of the contact parameters
    element: np.ndarray  # [geometry] the Hunt-Crossley force it belongs to
    first: np.ndarray  # [pair] geometry: the half-space, if there is one
    second: np.ndarray  # [pair] geometry
    pair_element: np.ndarray  # [pair]
    half_space_count: int
    element_names: tuple[str, ...]
    record_geometry: tuple[tuple[int, ...], ...]  # per element: geometries in the record's order

    @property
    def pair_count(self) -> int:
        """Number of pairs that can touch."""
        return len(self.first)


@dataclass(frozen=True, eq=False)
class CoordinateForceStructure:
    """Forces on single coordinates: limits or springs."""

    names: tuple[str, ...]
    coordinate: np.ndarray  # [element]


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
    force_names: tuple[str, ...]
    marker_names: tuple[str, ...]
    locked: np.ndarray  # [coordinate] bool
    rotational: np.ndarray  # [coordinate] bool: OpenSim's motion type Rotational
    bodies: BodyStructure
    tree: TreeStructure
    paths: PathStructure
    contacts: ContactStructure
    limits: CoordinateForceStructure
    springs: CoordinateForceStructure
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
      method: "x2" (linearly implicit Euler, extrapolated; the default), "w2" (linearly implicit,
        second order), "rk4", "euler" (explicit), or "merson" (error-controlled, the reference).
      substeps: equal substeps of a control step, fixed-step methods only.
      accuracy: local error per step of "merson", as OpenSim's integrator accuracy.
      step_size: seconds of a control step.
      stale_first_stage: "merson" in a rollout: as OpenSim under osim-rl, the first derivative after
        a change of excitation still uses the previous one.
    """

    method: str = "x2"
    substeps: int = 5
    accuracy: float = 5e-5
    step_size: float = 0.01
    stale_first_stage: bool = False

    @classmethod
    def fine(cls) -> "Options":
        """Fixed steps, about 3e-4 after half a second of smooth motion."""
        return cls(method="w2", substeps=10)

    @classmethod
    def accurate(cls) -> "Options":
        """Fixed steps, about 5e-5 after half a second of smooth motion."""
        return cls(method="w2", substeps=20)

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
    axis: jax.Array = array("mobile", 6, 3, unit="1")  # unit vectors: rotations, translations
    constant: jax.Array = array("mobile", 6, unit="rad | m")  # part of each axis with no argument
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
    muscles: Thelen2003Params = dataclasses.field()
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
    """What follows from Params alone: everything fixed on a mobile body, in that body's frame.

    The frame of a mobile body is its joint's outboard frame (Simbody's M), so that no constant
    transform is left in the chain of poses.
    """

    body_rotation: jax.Array = array("body", 3, 3, unit="1")  # of the body in its mobile body
    body_position: jax.Array = array("body", 3, unit="m")
    inboard_rotation: jax.Array = array("mobile", 3, 3, unit="1")  # joint's inboard frame in parent
    inboard_position: jax.Array = array("mobile", 3, unit="m")
    mass: jax.Array = array("mobile", unit="kg")
    first_moment: jax.Array = array("mobile", 3, unit="kg·m")  # mass · mass center
    inertia: jax.Array = array("mobile", 3, 3, unit="kg·m²")  # about the mobile body's origin
    point_location: jax.Array = array("point", 3, unit="m")
    moving_rotation: jax.Array = array("moving", 3, 3, unit="1")
    rigid_length: jax.Array = array("rigid", unit="m")  # of segments that cannot change length
    geometry_location: jax.Array = array("geometry", 3, unit="m")
    geometry_normal: jax.Array = array("geometry", 3, unit="1")  # out of a half-space


@pytree
class JointInfo:
    """Joint transforms and hinge columns, each in its joint's own frames."""

    rotation: jax.Array = array("mobile", 3, 3, unit="1")  # R_FM
    position: jax.Array = array("mobile", 3, unit="m")  # p_FM
    hinge: jax.Array = array("free", 6, unit="1 | m")  # V_FM per unit speed, in F
    axis_direction: jax.Array = array("mobile", 6, 3, unit="1")  # the six axes, in F
    slope: jax.Array = array("term", unit="mixed")  # first derivative of each axis term
    curvature: jax.Array = array("term", unit="mixed")
    q_dot_map: jax.Array = array("mobile", 3, 3, unit="1")  # angular velocity to angle rates


@pytree
class PositionInfo:
    """Poses of the mobile bodies and the hinge map, about the common point.

    The common point is the origin of the first mobile body; positions are relative to it so that
    float32 does not degrade as the model leaves the start. Everything is expressed in ground.
    """

    origin: jax.Array = array(3, unit="m")  # the common point, from ground's origin
    rotation: jax.Array = array("mobile", 3, 3, unit="1")
    position: jax.Array = array("mobile", 3, unit="m")  # body origins, from the common point
    joint_rotation: jax.Array = array("mobile", 3, 3, unit="1")  # of the joint's F frame
    joint_position: jax.Array = array("mobile", 3, unit="m")  # of the joint's M origin
    hinge: jax.Array = array("free", 6, unit="1 | m")  # S: spatial velocity per unit speed


@pytree
class VelocityInfo:
    """Spatial velocities of the mobile bodies and the velocity part of their accelerations."""

    velocity: jax.Array = array("mobile", 6, unit="rad/s, m/s")  # V, about the common point
    bias_acceleration: jax.Array = array("mobile", 6, unit="rad/s², m/s²")  # A when u_dot = 0


@pytree
class PathInfo:
    """Geometry of the muscle paths."""

    length: jax.Array = array("muscle", unit="m")
    arm: jax.Array = array("arm", unit="m | 1")  # generalised force at unit pull, where not zero
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
    dissipation: jax.Array = array("pair", unit="s/m")
    force: jax.Array = array("pair", 3, unit="N")


@pytree
class AccelerationInfo:
    """Accelerations of the free coordinates and of the mobile bodies."""

    u_dot: jax.Array = array("free", unit="rad/s² | m/s²")
    acceleration: jax.Array = array("mobile", 6, unit="rad/s², m/s²")  # A, about the common point
