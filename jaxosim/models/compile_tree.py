"""ModelSpec bodies and joints → the tree of mobilized bodies, with its parameters.

Every joint class becomes six axes, as a CustomJoint has them; welds are fused; the tree is walked
from ground outwards, so a joint written the other way round is travelled in reverse.
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.functions import FunctionParams
from jaxosim.joints import JOINTS, LAWS, locked_angles
from jaxosim.models.compile_functions import compile_functions, split_function
from jaxosim.models.spec import (
    GROUND as GROUND_NAME,
)
from jaxosim.models.spec import (
    ConstantSpec,
    FrameSpec,
    FunctionSpec,
    JointSpec,
    ModelSpec,
)
from jaxosim.structure import GROUND, BodyStructure, LawRows, TreeStructure
from jaxosim.types import JointParams

# The mass matrix is a full one, and so are the tables of who moves whom: 32 MB each at this bound.
MAX_COORDINATES = 2000


@dataclass(frozen=True)
class _Edge:
    """A joint as the tree travels it: from an inboard body to an outboard one."""

    joint: int
    body: int
    inboard: int
    reversed: bool


@dataclass(frozen=True)
class _Term:
    """One function of one coordinate that adds to one axis of a mobilized body's joint."""

    axis: int
    coordinate: int
    slot: int
    function: FunctionSpec


def _walk(spec: ModelSpec) -> list[_Edge]:
    """Joints in the order in which a walk from ground reaches them, level by level."""
    index = {body.name: i for i, body in enumerate(spec.bodies)} | {GROUND_NAME: GROUND}
    ends = [(index[j.parent.body], index[j.child.body]) for j in spec.joints]
    at_body: dict[int, list[int]] = {}
    for joint, bodies in enumerate(ends):
        for body in set(bodies):
            at_body.setdefault(body, []).append(joint)
    reached, used, edges, frontier = {GROUND}, set(), [], [GROUND]
    while frontier:
        found = []
        for joint in sorted({joint for body in frontier for joint in at_body.get(body, ())} - used):
            parent, child = ends[joint]
            if parent in reached and child not in reached:
                found.append(_Edge(joint, child, parent, False))
            elif child in reached and parent not in reached:
                found.append(_Edge(joint, parent, child, True))
        frontier = [edge.body for edge in found]
        if len(set(frontier)) < len(frontier):
            raise UnsupportedComponentError(f"{spec.source}: the joints close a kinematic loop")
        reached.update(frontier)
        used.update(edge.joint for edge in found)
        edges += found
    if len(used) < len(ends):
        names = ", ".join(j.name for i, j in enumerate(spec.joints) if i not in used)
        raise OsimFormatError(f"{spec.source}: joints not reached from ground by a tree: {names}")
    return edges


def _terms(
    spec: ModelSpec, moving: Sequence[_Edge], offset: Sequence[int]
) -> tuple[list[_Term], np.ndarray, np.ndarray, np.ndarray]:
    """Axis terms of the mobilized bodies, with axis directions, constants, undriven rotations."""
    terms: list[_Term] = []
    direction = np.zeros((len(moving), 6, 3))
    constant = np.zeros((len(moving), 6))
    undriven = np.zeros((len(moving), 3), dtype=bool)
    for mobod, edge in enumerate(moving):
        joint = spec.joints[edge.joint]
        slots = {c.name: i for i, c in enumerate(joint.coordinates)}
        for index, axis in enumerate(JOINTS[joint.kind].transform_axes(joint)):
            direction[mobod, index] = np.array(axis.axis) / np.linalg.norm(axis.axis)
            owner = f"{spec.source}: joint '{joint.name}'"
            constant[mobod, index], parts = split_function(axis.function, axis.coordinates, owner)
            if index < 3:
                undriven[mobod, index] = not axis.coordinates and constant[mobod, index] != 0
            for name, function in parts:
                slot = slots[name]
                coordinate = offset[edge.joint] + slot
                terms.append(_Term(mobod * 6 + index, coordinate, slot, function))
    return terms, direction, constant, undriven


def _is_weld(joint: JointSpec) -> bool:
    """A joint without coordinates; constants in its axes would make it more than a weld."""
    return not joint.coordinates and all(
        isinstance(axis.function, ConstantSpec) and axis.function.value == 0
        for axis in JOINTS[joint.kind].transform_axes(joint)
    )


def _body_structure(
    spec: ModelSpec, edges: Sequence[_Edge], carrier: Sequence[int]
) -> BodyStructure:
    """Arrays by body from the walked edges."""
    count = len(spec.bodies)
    joint, inboard = np.zeros(count, int), np.zeros(count, int)
    turned = np.zeros(count, bool)
    depth = np.zeros(count, int)
    for edge in edges:
        joint[edge.body], inboard[edge.body] = edge.joint, edge.inboard
        turned[edge.body] = edge.reversed
        if _is_weld(spec.joints[edge.joint]):
            depth[edge.body] = 1 + (depth[edge.inboard] if edge.inboard != GROUND else 0)
    levels = tuple(np.flatnonzero(depth == d) for d in range(1, depth.max(initial=0) + 1))
    return BodyStructure(
        mobod=np.array(carrier, int),
        joint=joint,
        inboard=inboard,
        reversed=turned,
        weld_levels=levels,
    )


def _mobod_order(spec: ModelSpec, edges: Sequence[_Edge]) -> tuple[list[_Edge], list[int]]:
    """Edges that move, by level of the fused tree, and the mobilized body carrying each body."""
    level: dict[int, int] = {GROUND: -1}
    for edge in edges:
        level[edge.body] = level[edge.inboard] + (not _is_weld(spec.joints[edge.joint]))
    moving = [edge for edge in edges if not _is_weld(spec.joints[edge.joint])]
    moving.sort(key=lambda edge: (level[edge.body], edge.joint))
    number = {edge.body: i for i, edge in enumerate(moving)}
    carrier = {GROUND: GROUND}
    for edge in edges:
        carrier[edge.body] = number.get(edge.body, carrier[edge.inboard])
    return moving, [carrier[body] for body in range(len(spec.bodies))]


def _levels(parent: Sequence[int]) -> tuple[slice, ...]:
    """Slices of equal depth; parents stand before their children, level by level."""
    depth: list[int] = []
    for p in parent:
        depth.append(0 if p == GROUND else depth[p] + 1)
    return tuple(
        slice(depth.index(d), depth.index(d) + depth.count(d))
        for d in range(max(depth, default=-1) + 1)
    )


def _frames(spec: ModelSpec) -> dict[str, np.ndarray]:
    """Joint frames as arrays by joint."""
    frames = {}
    for side in ("parent", "child"):
        for part in ("translation", "orientation"):
            rows = [getattr(_frame(joint, side), part) for joint in spec.joints]
            frames[f"{side}_{part}"] = np.array(rows, dtype=float).reshape(-1, 3)
    return frames


def _frame(joint: JointSpec, side: str) -> FrameSpec:
    """The frame of a joint on one side."""
    law = JOINTS[joint.kind]
    frame = getattr(joint, side)
    return law.inboard_frame(frame) if law in LAWS and side == "parent" else frame


def _law_rows(
    spec: ModelSpec, moving: Sequence[_Edge], offset: np.ndarray, place: dict[int, int]
) -> tuple[LawRows, ...]:
    """The joints of each class with a law of its own."""
    rows = []
    for law in LAWS:
        own = [i for i, edge in enumerate(moving) if spec.joints[edge.joint].kind == law.KIND]
        for edge in (moving[i] for i in own):
            if edge.reversed and not law.REVERSIBLE:
                name = spec.joints[edge.joint].name
                raise UnsupportedComponentError(
                    f"{spec.source}: {law.KIND} '{name}': its parent frame has to be on the side "
                    "of ground, as in OpenSim"
                )
        first = np.array([offset[moving[i].joint] for i in own], int)
        coordinate = first[:, None] + np.arange(law.COUNT)
        mobility = np.array([place.get(c, -1) for c in coordinate.reshape(-1).tolist()], int)
        rows.append(LawRows(np.array(own, int), coordinate, mobility.reshape(coordinate.shape)))
    return tuple(rows)


def _check_size(spec: ModelSpec) -> None:
    """Refuse more coordinates than full matrices have place for."""
    count = sum(len(joint.coordinates) for joint in spec.joints)
    if count > MAX_COORDINATES:
        raise OsimFormatError(
            f"{spec.source}: expected at most {MAX_COORDINATES} coordinates, found {count}"
        )


def compile_tree(spec: ModelSpec) -> tuple[BodyStructure, TreeStructure, JointParams]:
    """Walk the joints from ground, fuse welds, and lay out axes and coordinates.

    Raises:
      OsimFormatError: the joints do not form a tree on ground, or have too many coordinates.
    """
    _check_size(spec)
    edges = _walk(spec)
    moving, carrier = _mobod_order(spec, edges)
    bodies = _body_structure(spec, edges, carrier)
    offset = np.concatenate([[0], np.cumsum([len(j.coordinates) for j in spec.joints])]).astype(int)
    mobod_of_joint = {edge.joint: i for i, edge in enumerate(moving)}
    owner = [j for j, joint in enumerate(spec.joints) for _ in joint.coordinates]
    mobility = np.flatnonzero([moves for joint in spec.joints for moves in _moves(joint)])
    mobility = mobility[np.argsort([mobod_of_joint[owner[c]] for c in mobility], kind="stable")]
    mobility_mobod = np.array([mobod_of_joint[owner[c]] for c in mobility], dtype=int)
    parent = [GROUND if e.inboard == GROUND else carrier[e.inboard] for e in moving]
    above = np.eye(len(moving))
    for mobod, p in enumerate(parent):
        if p != GROUND:
            above[mobod] += above[p]
    support = above[:, mobility_mobod]
    moves = support[
        mobility_mobod
    ]  # [mobility, mobility]: whether the second moves the first's body
    related = np.maximum(moves, moves.T)
    terms, direction, constant, undriven = _terms(spec, moving, list(offset))
    bank, functions = compile_functions([term.function for term in terms], spec.source)
    place = {int(c): i for i, c in enumerate(mobility)}
    tree = TreeStructure(
        body=np.array([e.body for e in moving], int),
        joint=np.array([e.joint for e in moving], int),
        parent=np.array(parent, int),
        parent_body=np.array([e.inboard for e in moving], int),
        levels=_levels(parent),
        reversed=np.array([e.reversed for e in moving], bool),
        support=support,
        descendants=above.T,
        mobility=mobility,
        mobility_mobod=mobility_mobod,
        related=related,
        functions=bank,
        term_axis=np.array([t.axis for t in terms], int),
        term_coordinate=np.array([t.coordinate for t in terms], int),
        term_mobility=np.array([place.get(t.coordinate, -1) for t in terms], int),
        undriven_axis=undriven,
        angular_velocity=np.array(
            [JOINTS[spec.joints[e.joint].kind].ANGULAR_VELOCITY for e in moving], bool
        ),
        laws=_law_rows(spec, moving, offset, place),
        coordinate_slot=np.concatenate([np.arange(len(j.coordinates)) for j in spec.joints])
        if owner
        else np.zeros(0, int),
        coordinate_joint=np.array(owner, int),
    )
    params = _joint_params(spec, moving, direction, constant, functions)
    return bodies, tree, params


def _moves(joint: JointSpec) -> list[bool]:
    """Which coordinates of a joint have a speed of their own: all that are not locked.

    Where some angles are locked whose rates are no speeds, a constraint holds them.
    """
    held = locked_angles(joint)
    return [not c.locked or c.name in held for c in joint.coordinates]


def _joint_params(
    spec: ModelSpec,
    moving: Sequence[_Edge],
    direction: np.ndarray,
    constant: np.ndarray,
    functions: FunctionParams,
) -> JointParams:
    """Numbers of the joints."""
    joints = [spec.joints[edge.joint] for edge in moving]
    laws = {
        law.FIELD: law.build([joint.properties for joint in joints if joint.kind == law.KIND])
        for law in LAWS
    }
    return JointParams(
        axis=direction, constant=constant, functions=functions, **laws, **_frames(spec)
    )
