"""What an `.osim` file *says*, as plain Python values in the newest dialect.

One frozen dataclass per OpenSim class, named as OpenSim names it plus `Spec`; fields are the XML
tags. Nothing here is checked against physics and nothing is an array: `compile.py` does both.
Frames are resolved down to the body that carries them (`FrameSpec`), names are unique as OpenSim
makes them unique, and defaults are filled in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxosim.functions import FunctionSpec
from jaxosim.functions.constant import Spec as ConstantSpec
from jaxosim.functions.linear_function import Spec as LinearFunctionSpec
from jaxosim.functions.multiplier_function import Spec as MultiplierFunctionSpec
from jaxosim.functions.piecewise_linear_function import Spec as PiecewiseLinearFunctionSpec
from jaxosim.functions.polynomial_function import Spec as PolynomialFunctionSpec
from jaxosim.functions.simm_spline import Spec as SimmSplineSpec
from jaxosim.structure import ComponentPath

__all__ = [
    "GROUND",
    "ZERO",
    "BodySpec",
    "ConstantSpec",
    "ContactGeometrySpec",
    "CoordinateSpec",
    "ForceSpec",
    "FrameSpec",
    "FunctionSpec",
    "JointSpec",
    "LinearFunctionSpec",
    "MarkerSpec",
    "ModelSpec",
    "MultiplierFunctionSpec",
    "PiecewiseLinearFunctionSpec",
    "PolynomialFunctionSpec",
    "SimmSplineSpec",
    "TransformAxisSpec",
    "UnsupportedSpec",
    "Vec3",
]

Vec3 = tuple[float, float, float]
ZERO: Vec3 = (0.0, 0.0, 0.0)
GROUND = "ground"


@dataclass(frozen=True)
class FrameSpec:
    """A frame fixed on a body: translation (m) and body-fixed XYZ angles (rad), in that body."""

    body: str
    translation: Vec3 = ZERO
    orientation: Vec3 = ZERO


@dataclass(frozen=True)
class CoordinateSpec:
    """A generalised coordinate of a joint."""

    name: str
    default_value: float = 0.0
    default_speed_value: float = 0.0
    range: tuple[float, float] = (-10.0, 10.0)
    clamped: bool = False
    locked: bool = False
    is_free_to_satisfy_constraints: bool = False
    prescribed_function: FunctionSpec | None = None  # of time; None if not prescribed


@dataclass(frozen=True)
class TransformAxisSpec:
    """One of the six axes of a SpatialTransform; `coordinates` are the function's arguments."""

    axis: Vec3
    coordinates: tuple[str, ...]
    function: FunctionSpec


@dataclass(frozen=True)
class JointSpec:
    """A joint of the OpenSim class `kind`; `coordinates` follow OpenSim's order.

    `transform` (rotations 1–3, translations 1–3) is given for a CustomJoint only, `properties` for
    classes that have further numbers.
    """

    kind: str
    name: str
    parent: FrameSpec
    child: FrameSpec
    coordinates: tuple[CoordinateSpec, ...] = ()
    transform: tuple[TransformAxisSpec, ...] | None = None
    properties: Any = None

    def renamed(self, names: Mapping[str, str]) -> "JointSpec":
        """The same joint with its coordinates under other names."""
        transform = self.transform and tuple(
            replace(axis, coordinates=tuple(names[name] for name in axis.coordinates))
            for axis in self.transform
        )
        coordinates = tuple(replace(c, name=names[c.name]) for c in self.coordinates)
        return replace(self, coordinates=coordinates, transform=transform)


@dataclass(frozen=True)
class BodySpec:
    """A rigid body; inertia (xx yy zz xy xz yz) about the mass center, in body axes."""

    name: str
    mass: float
    mass_center: Vec3
    inertia: tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class ContactGeometrySpec:
    """Contact geometry of the class `kind`; `frame` is its pose."""

    kind: str
    name: str
    frame: FrameSpec
    radius: float = 0.0  # m, of a ContactSphere
    semi_axes: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m, of a ContactEllipsoid


class ForceSpec(Protocol):
    """What the file says of a force of any class; each class has its own in its module."""

    @property
    def name(self) -> str:
        """Of the force, unique in its model."""
        ...

    @property
    def applies_force(self) -> bool:
        """Whether it is switched on."""
        ...


class ConstraintSpec(Protocol):
    """What the file says of a constraint of any class; each class has its own in its module."""

    @property
    def name(self) -> str:
        """Of the constraint, unique in its model."""
        ...


class ControllerSpec(Protocol):
    """What the file says of a controller of any class; each class has its own in its module."""

    @property
    def name(self) -> str:
        """Of the controller."""
        ...


class ControlSpec(NamedTuple):
    """A control, and the bounds that an optimizer should respect; forces do not clip it."""

    name: str
    min_control: float
    max_control: float


@runtime_checkable
class ControlOwner(Protocol):
    """A force that is driven by controls: an Actuator of OpenSim."""

    @property
    def name(self) -> str:
        """Of the force."""
        ...

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """One or more, in OpenSim's order."""
        ...


class StateSpec(NamedTuple):
    """A state variable of a force, and its value in the default state."""

    name: str
    default: float


@runtime_checkable
class StateOwner(Protocol):
    """A force other than a muscle that has state variables."""

    @property
    def name(self) -> str:
        """Of the force."""
        ...

    @property
    def states(self) -> tuple[StateSpec, ...]:
        """One or more, in OpenSim's order."""
        ...


@dataclass(frozen=True)
class MarkerSpec:
    """A named point of a body."""

    name: str
    body: str
    location: Vec3


@dataclass(frozen=True)
class UnsupportedSpec:
    """Something in the file that changes the dynamics and that we do not simulate."""

    class_name: str
    name: str
    reason: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """The whole file: everything in file order, forces mixed as the ForceSet lists them."""

    name: str
    source: str
    version: int
    gravity: Vec3
    bodies: tuple[BodySpec, ...]
    joints: tuple[JointSpec, ...]
    forces: tuple[ForceSpec, ...] = ()
    joint_paths: tuple[ComponentPath, ...] = ()
    force_paths: Mapping[str, ComponentPath] = field(default_factory=dict)  # by name
    constraints: tuple[ConstraintSpec, ...] = ()
    has_constraint_set: bool = False  # with members, enforced or not
    controllers: tuple[ControllerSpec, ...] = ()
    contact_geometry: tuple[ContactGeometrySpec, ...] = ()
    markers: tuple[MarkerSpec, ...] = ()
    unsupported: tuple[UnsupportedSpec, ...] = ()
    files: tuple[Path, ...] = ()  # others that were read for it
