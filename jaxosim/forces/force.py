"""What the modules of all force classes share: arguments, contributions and Jacobians.

A force contributes generalized forces on coordinates, wrenches on mobilized bodies or tensions of
paths, which are summed without regard to its class, and rates of states of its own. The stiff part
of its Jacobian has the same four forms.

Source: OpenSim `Force`, `ForceProducer`, `ForceConsumer`.
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxosim.arrays.linalg import matmul, matvec
from jaxosim.arrays.spatial import body_xyz_rotation
from jaxosim.errors import quote
from jaxosim.functions.expressions import Expression, ExpressionError, parse
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import array, pytree


class BodyFrames(NamedTuple):
    """Every body in the joint frame of the mobilized body that carries it; ground is the last."""

    rotation: jax.Array  # [body + 1, 3, 3] (1)
    position: jax.Array  # [body + 1, 3] (m)

    def carried(self, owner, location: jax.Array) -> jax.Array:
        """Points of bodies, `[n, 3]` (m), in the frames of the mobilized bodies that carry them.

        Args:
          owner: `[n]` body of each point, −1 for ground.
          location: `[n, 3]` (m) in that body.
        """
        return matvec(self.rotation[owner], location) + self.position[owner]

    def turned(self, owner, orientation: jax.Array) -> jax.Array:
        """Axes of frames on bodies, `[n, 3, 3]`, in the mobilized bodies that carry these.

        Args:
          owner: `[n]` body of each frame, −1 for ground.
          orientation: `[n, 3]` (rad) body-fixed XYZ angles of the frame in that body.
        """
        return matmul(self.rotation[owner], body_xyz_rotation(orientation))


@pytree
class Kinematics:
    """What a force may depend on at one instant; ground is the last of the frames."""

    time: jax.Array = array(unit="s")
    q: jax.Array = array("coordinate", unit="rad | m")
    u: jax.Array = array("coordinate", unit="rad/s | m/s")
    pose: jax.Array = array("frame", 3, 4, unit="1, m")  # from the common point
    velocity: jax.Array = array("frame", 6, unit="rad/s, m/s")  # V, about the common point
    hinge: jax.Array = array("mobility", 6, unit="1 | m")  # S: spatial velocity per unit speed
    path_length: jax.Array = array("path", unit="m")
    lengthening_speed: jax.Array = array("path", unit="m/s")
    force_states: jax.Array = array("force_state", unit="mixed")


class ForceInfo:
    """Base of every `Info`, which overrides the contributions that its class makes."""

    coordinate_force: jax.Array | None = None  # [coordinate] N·m | N
    wrench: jax.Array | None = None  # [mobod, 6] N·m, N, about the common point
    path_tension: jax.Array | None = None  # [path] N, negative where the path pushes
    state_rate: jax.Array | None = None  # [force_state] per second


class MobilityJacobian(NamedTuple):
    """The stiff part of a force's Jacobian, symmetric and positive semidefinite."""

    damping: jax.Array  # [mobility, mobility] −∂force/∂u
    stiffness: jax.Array  # [mobility, mobility] −∂force/∂q


class CoordinateJacobian(NamedTuple):
    """The stiff part of a force that acts on coordinates one by one; never negative."""

    damping: jax.Array  # [coordinate] N·m·s/rad | N·s/m, −∂force/∂u
    stiffness: jax.Array  # [coordinate] N·m/rad | N/m, −∂force/∂q


class PathJacobian(NamedTuple):
    """The stiff part of a force that acts along paths; never negative."""

    damping: jax.Array  # [path] N·s/m, of the tension by the lengthening speed
    stiffness: jax.Array  # [path] N/m, of the tension by the length


class StateJacobian(NamedTuple):
    """The stiff part of a force with states whose rates depend on nothing else that moves."""

    rate: jax.Array  # [force_state] 1/s, of each state's rate by the state; never positive
    coordinate_force: jax.Array  # [coordinate, force_state] of generalized forces by the states


class Description(NamedTuple):
    """The forces of one class, for `jaxosim info`."""

    summary: str
    rows: Sequence[tuple[str, str]]  # name, and what it acts on


def number_records(names: Sequence[str], values: jax.Array) -> dict[str, list[float]]:
    """Record values by name of forces that each report one number, `[force]`."""
    return {name: [float(x)] for name, x in zip(names, np.asarray(values), strict=True)}


def sum_of(contributions: Iterable[jax.Array | None], zero: jax.Array) -> jax.Array:
    """The sum of those that there are, zero if there are none."""
    given = [one for one in contributions if one is not None]
    return functools.reduce(operator.add, given) if given else zero


def read_coordinate(context: Context, element: Element) -> str:
    """The property `coordinate` of a force, which must name one.

    Raises:
      OsimFormatError: no coordinate has this name.
    """
    name = context.text(element, "coordinate")
    if name not in context.coordinates:
        raise element.error(f"expected the name of a coordinate, found {quote(name)}")
    return name


def read_expression(
    context: Context, element: Element, tag: str, variables: Sequence[str]
) -> Expression:
    """A property that is a formula of these variables, 0 if it is absent.

    Raises:
      OsimFormatError: it cannot be read.
    """
    found = context.property(element, tag)
    try:
        return parse("0" if found is None else found.text, variables)
    except ExpressionError as error:
        raise element.error(f"{tag}: {error}") from error
