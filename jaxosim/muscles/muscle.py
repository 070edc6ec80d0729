"""What the classes of muscles have in common: properties, the records of three stages, and names.

| stage | record | quantities, unit |
|---|---|---|
| position | `MuscleLengthInfo` | fiber and tendon length (m), pennation (rad), multipliers (1) |
| velocity | `FiberVelocityInfo` | fiber velocity (m/s), force-velocity multiplier (1) |
| dynamics | `MuscleDynamicsInfo` | forces (N), activation rate (1/s) |

Source: OpenSim `Muscle`, `ActivationFiberLengthMuscle`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

import jax

from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import ControlSpec
from jaxosim.paths import read as paths
from jaxosim.pytree import array, pytree

_UNBOUNDED = ("min_control", "max_control")
OPTIONS = ("ignore_tendon_compliance", "ignore_activation_dynamics")
"""Of OpenSim's Muscle: a rigid tendon, and activation that follows the excitation at once."""


@dataclass(frozen=True)
class MuscleSpec:
    """Properties that all classes have, named as in the file, with the defaults of OpenSim 4.6."""

    name: str
    path: paths.PathSpec
    max_isometric_force: float = 1000.0
    optimal_fiber_length: float = 0.1
    tendon_slack_length: float = 0.2
    pennation_angle_at_optimal: float = 0.0
    max_contraction_velocity: float = 10.0
    minimum_activation: float = 0.01
    default_activation: float = 0.05
    default_fiber_length: float = 0.1
    min_control: float = 0.0
    max_control: float = 1.0
    applies_force: bool = True
    ignore_tendon_compliance: bool = False
    ignore_activation_dynamics: bool = False

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """The excitation."""
        return (ControlSpec(self.name, self.min_control, self.max_control),)


_Spec = TypeVar("_Spec", bound=MuscleSpec)
Expectation = tuple[str, Callable[[Any], bool]]
"""What is expected of a spec, in words, and whether it holds."""


@pytree
class MuscleParams:
    """Properties that all classes have, named as in the file."""

    max_isometric_force: jax.Array = array("muscle", unit="N")
    optimal_fiber_length: jax.Array = array("muscle", unit="m")
    tendon_slack_length: jax.Array = array("muscle", unit="m")
    pennation_angle_at_optimal: jax.Array = array("muscle", unit="rad")
    max_contraction_velocity: jax.Array = array("muscle", unit="1/s")
    minimum_activation: jax.Array = array("muscle", unit="1")
    default_activation: jax.Array = array("muscle", unit="1")
    default_fiber_length: jax.Array = array("muscle", unit="m")


@pytree
class MuscleLengthInfo:
    """Muscles at the position stage; OpenSim's MuscleLengthInfo."""

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
    """Muscles at the velocity stage; OpenSim's FiberVelocityInfo."""

    activation: jax.Array = array("muscle", unit="1")
    fiber_velocity: jax.Array = array("muscle", unit="m/s")
    normalized_fiber_velocity: jax.Array = array("muscle", unit="1")
    force_velocity_multiplier: jax.Array = array("muscle", unit="1")
    clamped: jax.Array = array("muscle", unit="1")  # 1 where the fiber rests at its minimal length


@pytree
class MuscleDynamicsInfo:
    """Muscles at the dynamics stage; OpenSim's MuscleDynamicsInfo."""

    fiber_force: jax.Array = array("muscle", unit="N")
    fiber_force_along_tendon: jax.Array = array("muscle", unit="N")
    active_fiber_force: jax.Array = array("muscle", unit="N")
    passive_fiber_force: jax.Array = array("muscle", unit="N")
    tendon_force: jax.Array = array("muscle", unit="N")
    activation_rate: jax.Array = array("muscle", unit="1/s")


@dataclass(frozen=True)
class MuscleMode:
    """One way in which muscles of a class contract: their state, and the stages.

    A muscle with an elastic tendon has a contraction state s. If that is the fiber length, path
    length acts through the tendon alone: tension is `max_isometric_force` times the tendon force
    multiplier, and nothing depends on the lengthening speed. With a rigid tendon there is none; the
    functions are then given numbers for s that mean nothing.

    Activation is what the fiber uses before any clipping: the state, or the excitation where
    activation dynamics are ignored. All arrays are `[muscle]`, the rows of this mode alone.

    Attributes:
      contraction_state: field of `types.State` that holds s; None if the tendon is rigid.
      realize_length: position stage, (muscles, path length (m), s).
      realize_fiber_velocity: velocity stage, (muscles, length info, lengthening speed (m/s),
        activation (1), s).
      realize_dynamics: dynamics stage, (muscles, length info, velocity info, activation,
        excitation (1)).
      contraction_rate: rate of s per second, (muscles, length info, velocity info, lengthening
        speed); None if the tendon is rigid or s is constant.
      equilibrium: s at which fiber and tendon carry the same force, and whether they do, bool,
        (muscles, path length, lengthening speed, activation); None if the tendon is rigid.
    """

    contraction_state: str | None
    realize_length: Callable[[Any, jax.Array, jax.Array], MuscleLengthInfo]
    realize_fiber_velocity: Callable[
        [Any, MuscleLengthInfo, jax.Array, jax.Array, jax.Array], FiberVelocityInfo
    ]
    realize_dynamics: Callable[
        [Any, MuscleLengthInfo, FiberVelocityInfo, jax.Array, jax.Array], MuscleDynamicsInfo
    ]
    contraction_rate: (
        Callable[[Any, MuscleLengthInfo, FiberVelocityInfo, jax.Array], jax.Array] | None
    ) = None
    equilibrium: (
        Callable[[Any, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]] | None
    ) = None


class MuscleClass(Protocol):
    """A class of muscles: what its module holds. Functions see the rows of this class alone.

    `Params` are the properties that only this class has, `Properties` those and `MuscleParams`.
    """

    @property
    def TAGS(self) -> tuple[str, ...]:
        """Elements of a file that are of this class."""
        ...

    @property
    def FIELD(self) -> str:
        """Field of `types.Params` that holds `Params`, and the axis of its arrays."""
        ...

    @property
    def MODES(self) -> tuple[MuscleMode, ...]:
        """Every way in which muscles of this class contract.

        A contraction state other than fiber length is a field of `types.State` over the axis FIELD,
        and `Params` has its default as `default_<state>`.
        """
        ...

    @property
    def Spec(self) -> type[MuscleSpec]:
        """What a file says of a muscle."""
        ...

    @property
    def Params(self) -> type[Any]:
        """Record of the properties that only this class has, named as in Spec."""
        ...

    @property
    def Properties(self) -> type[Any]:
        """Record of all properties."""
        ...

    def read(self, context: Context, muscle: Component) -> MuscleSpec:
        """A muscle of this class, with its path."""
        ...

    def build(self, muscles: Sequence[Any]) -> Any:
        """`Params` of the muscles of this class, one row each; NumPy arrays."""
        ...

    def mode_of(self, muscle: Any) -> MuscleMode:
        """The one of `MODES` in which a muscle contracts, from its Spec."""
        ...

    def activation_rate(
        self, muscles: Any, activation: jax.Array, excitation: jax.Array
    ) -> jax.Array:
        """Rate of activation `[muscle]` (1/s) where it is a state."""
        ...


def read_muscle(
    context: Context,
    muscle: Component,
    kind: type[_Spec],
    tags: Mapping[str, str],
    expectations: Sequence[Expectation],
    options: Sequence[str] = (),
) -> _Spec:
    """Read a muscle of any class, with its path.

    Args:
      context: of the file.
      muscle: the component.
      kind: the class's Spec; its defaults are those of absent properties.
      tags: of the properties that are not named as the Spec's field.
      expectations: what OpenSim asks of the numbers.
      options: those of `ignore_tendon_compliance` and `ignore_activation_dynamics` that the class
        simulates; the others are refused where they are true.

    Raises:
      OsimFormatError: an expectation does not hold.
    """
    element = muscle.element
    assert element is not None
    refuse_options(context, element, [name for name in OPTIONS if name not in options])
    tags = {"applies_force": "appliesForce", **tags}
    values: dict[str, Any] = {}
    for field in fields(kind):
        tag, default = tags.get(field.name, field.name), field.default
        if isinstance(default, bool):
            values[field.name] = context.boolean(element, tag, default)
        elif isinstance(default, float):
            unbounded = field.name in _UNBOUNDED
            value = context.number(element, tag, default, allow_infinite=unbounded)
            values[field.name] = value
    spec = kind(name=element.name, path=paths.read(context, muscle), **values)
    for expected, holds in expectations:
        if not holds(spec):
            raise element.error(f"expected {expected}")
    return spec


def refuse_options(context: Context, element: Element, options: Sequence[str] = OPTIONS) -> None:
    """Refuse those options of OpenSim's Muscle that are not simulated of a class."""
    for option in options:
        if context.boolean(element, option, False):
            reason = f"{option} is not simulated; set it to false if the motion may change"
            context.refuse(element.tag, element.name, reason)
