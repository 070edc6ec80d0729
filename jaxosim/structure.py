"""The static structure of the tree of bodies: index arrays, nothing traced. Axes are `types.py`'s.

Ground is body number −1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxosim.functions import FunctionBank

GROUND = -1


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
    laws: tuple["LawRows", ...]  # for each class of `joints.LAWS`, the joints of that class
    coordinate_slot: np.ndarray  # [coordinate] place among its joint's coordinates
    coordinate_joint: np.ndarray  # [coordinate]


@dataclass(frozen=True, eq=False)
class LawRows:
    """Joints of one class whose pose six axes do not give."""

    mobod: np.ndarray  # [joint] the mobilized body that each moves
    coordinate: np.ndarray  # [joint, slot]
    mobility: np.ndarray  # [joint, slot] −1 if locked


@dataclass(frozen=True, eq=False)
class FloatingStructure:
    """Joints with three angles of their own, each a straight line, on which no force depends.

    Their axes are perpendicular in the file, and have to be so in any other Params.
    """

    mobod: np.ndarray  # [floating] the mobilized body they move
    coordinate: np.ndarray  # [floating, 3] that drive the three rotations
    polynomial: np.ndarray  # [floating, 3] the rotations' functions, among the polynomials
    # [driven] those of them along whose angles forces act; speeds are the angles' rates
    driven: np.ndarray


@dataclass(frozen=True, eq=False)
class MuscleStateStructure:
    """The muscles that have a state variable, and where State holds it."""

    muscle: np.ndarray  # [variable]
    row: np.ndarray  # [variable] of the field of State; its other rows have no effect
    count: int  # of rows of that field


class ComponentPath(NamedTuple):
    """Where a component stands in its model."""

    path: str  # OpenSim's, from the root of the model
    place: int  # among all components, as OpenSim goes through them


@dataclass(frozen=True, eq=False)
class ForceStateStructure:
    """The state variables of forces other than muscles, as OpenSim orders them."""

    owner: tuple[str, ...]  # [force_state] the force
    variable: tuple[str, ...]  # [force_state] OpenSim's name of the variable
