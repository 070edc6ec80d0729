"""Joints that close a loop: they hold a slave of their child, as in OpenSim.

The tree grows from ground, level by level, joints in their order. A joint that is left over,
because both its ends are in the tree already, holds a slave: a further body with an equal share of
its child's mass, welded to the child by a WeldConstraint.

Source: Simbody `MultibodyGraphMaker`, OpenSim `Model`, `Body`; see docs/theory/model_files.md,
"Graph of joints".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jaxosim.constraints.weld_constraint import Spec as WeldConstraintSpec
from jaxosim.models.osim.context import Context
from jaxosim.models.spec import GROUND, BodySpec, FrameSpec, JointSpec

_FIXED = "WeldJoint"
# OpenSim differs: it replaces these by a constraint, or by nothing, and keeps them nevertheless, so
# that the mass of their child counts twice; on ground it raises (opensim-core issue 3299).
_UNSOUND = (_FIXED, "FreeJoint")
_REASON = (
    "the joint closes a kinematic loop; of this class OpenSim closes none without counting a mass "
    "twice, and on ground none"
)


@dataclass(frozen=True)
class CutLoops:
    """A tree of joints and the constraints that close its loops."""

    bodies: tuple[BodySpec, ...]  # slaves last
    joints: tuple[JointSpec, ...]
    constraints: tuple[WeldConstraintSpec, ...]


def cut_loops(
    context: Context, bodies: tuple[BodySpec, ...], joints: tuple[JointSpec, ...]
) -> CutLoops:
    """Bodies and joints that form a tree, and the constraints that close the loops.

    Args:
      context: Collects a refusal for every loop that OpenSim does not close.
      bodies: of the file.
      joints: that connect all bodies to ground.
    """
    if len(joints) == len(bodies):
        return CutLoops(bodies, joints, ())
    in_tree = _Tree(bodies, joints).joints
    names = {body.name for body in bodies}
    cut = list(joints)
    constraints: list[WeldConstraintSpec] = []
    slaves: dict[str, list[str]] = {}
    for number in (n for n in range(len(joints)) if n not in in_tree):
        joint = joints[number]
        master = joint.child.body
        own = slaves.setdefault(master, [])
        slave = f"{master}_slave_{len(own)}"
        if joint.kind in _UNSOUND or master == GROUND:
            context.refuse(joint.kind, joint.name, _REASON)
            continue
        if slave in names:
            context.refuse("Body", slave, f"its name is that of a part of {master}")
        own.append(slave)
        cut[number] = replace(joint, child=replace(joint.child, body=slave))
        weld = WeldConstraintSpec(f"{slave}_weld", FrameSpec(master), FrameSpec(slave))
        constraints.append(weld)
    return CutLoops(_with_slaves(bodies, slaves), tuple(cut), tuple(constraints))


def _with_slaves(bodies: Sequence[BodySpec], slaves: dict[str, list[str]]) -> tuple[BodySpec, ...]:
    """The bodies, of which those with slaves share their mass with them."""
    shares, added = [], []
    for body in bodies:
        names = slaves.get(body.name, ())
        count = 1 + len(names)
        share = body.mass / count
        moments = np.array(body.inertia) / count
        shares.append(replace(body, mass=share, inertia=tuple(moments.tolist())))
        if names and share:
            # As OpenSim: inertia about the origin per unit mass stands for that about the center.
            x, y, z = body.mass_center
            about_origin = (y * y + z * z, x * x + z * z, x * x + y * y, -x * y, -x * z, -y * z)
            moments = moments / share + about_origin
        added += [replace(shares[-1], name=name, inertia=tuple(moments.tolist())) for name in names]
    return (*shares, *added)


class _Tree:
    """The joints that Simbody takes for the tree, by their numbers (`joints`)."""

    def __init__(self, bodies: Sequence[BodySpec], joints: Sequence[JointSpec]):
        self._mass = {body.name: body.mass for body in bodies}
        self._ends = [(joint.parent.body, joint.child.body) for joint in joints]
        self._of_body: dict[str, list[int]] = {name: [] for name in (GROUND, *self._mass)}
        for number, ends in enumerate(self._ends):
            for body in ends:
                self._of_body[body].append(number)
        self._level = {GROUND: 0}
        self._at_level: list[list[str]] = [[GROUND]]
        self.joints: set[int] = set()
        for at_level in self._at_level:  # which grows meanwhile
            for number in sorted({n for body in at_level for n in self._of_body[body]}):
                outboard = self._grow(number)
                if outboard and joints[number].kind != _FIXED and self._mass[outboard] == 0:
                    onward = self._heaviest(outboard)
                    if onward is not None:
                        self._grow(onward)

    def _grow(self, number: int) -> str:
        """Add a joint with one end in the tree; returns its outboard body, else an empty name."""
        inboard, outboard = self._ends[number]
        if inboard not in self._level:
            inboard, outboard = outboard, inboard
        if outboard in self._level:
            return ""
        level = self._level[inboard] + 1
        self._level[outboard] = level
        if level == len(self._at_level):
            self._at_level.append([])
        self._at_level[level].append(outboard)
        self.joints.add(number)
        return outboard

    def _heaviest(self, body: str) -> int | None:
        """The joint by which Simbody leaves a massless body: to the heaviest child, else parent."""
        for near, far in ((0, 1), (1, 0)):
            beyond = {
                number: self._mass[self._ends[number][far]]
                for number in self._of_body[body]
                if self._ends[number][near] == body and self._ends[number][far] not in self._level
            }
            best = max(beyond, key=lambda number: beyond[number], default=None)
            if best is not None and beyond[best] > 0:
                return best
        return None
