"""Whether every coordinate moves some inertia: asked on the host when a model is compiled.

The articulated-body inertia of a joint, tip to base, projected on one coordinate after the other:
a coordinate whose projection is not positive has no acceleration of its own, and the mass matrix
is singular. Locked coordinates count, since OpenSim keeps them in its equations.

Source: Featherstone (2008), articulated-body algorithm; see docs/theory/multibody.md,
"Singular mass matrices".
"""

from collections.abc import Iterator, Sequence

import numpy as np

from jaxosim.functions import evaluate_on_host
from jaxosim.joints import LAWS
from jaxosim.models.osim.frames import rotation
from jaxosim.structure import BodyStructure, TreeStructure
from jaxosim.types import BodyParams, CoordinateParams, JointParams

_SLACK = 64 * np.finfo(float).eps  # of the composite inertia's projection: rounding, not inertia
_OTHER_POSES = 8
_REACH = 1.0  # (rad | m) by which a coordinate without a finite range may differ from its default


def singular_coordinate(
    bodies: BodyStructure,
    tree: TreeStructure,
    joints: JointParams,
    body_params: BodyParams,
    coordinates: CoordinateParams,
) -> tuple[int, bool, bool] | None:
    """The outermost coordinate that makes the mass matrix singular, or not positive definite.

    Poses other than the default are tried if it is one, or if a body has a negative moment of
    inertia, as no matter has.

    Args:
      bodies: the bodies.
      tree: the tree of mobilized bodies.
      joints: numbers of the joints, NumPy arrays in float64 like those below.
      body_params: mass properties.
      coordinates: defaults and ranges.

    Returns:
      Number of the coordinate, whether it is so at the default pose, and whether in all that were
      tried; None if there is none.
    """
    q = np.asarray(coordinates.default_value)
    system = _System(bodies, tree, joints, body_params)
    found = [system.singular_coordinate(q)]
    if found[0] is None and not _has_negative_moment(body_params):
        return None
    low, high = np.asarray(coordinates.range).T
    finite = np.isfinite(low) & np.isfinite(high) & (low < high)
    low, high = np.where(finite, low, q - _REACH), np.where(finite, high, q + _REACH)
    draw = np.random.default_rng(0)
    found += [system.singular_coordinate(draw.uniform(low, high)) for _ in range(_OTHER_POSES)]
    first = next((coordinate for coordinate in found if coordinate is not None), None)
    return None if first is None else (first, found[0] is not None, None not in found)


def _has_negative_moment(params: BodyParams) -> bool:
    """Whether a body has a negative moment of inertia about an axis through its mass center."""
    xx, yy, zz, xy, xz, yz = np.asarray(params.inertia).reshape(-1, 6).T
    tensors = np.stack([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).T
    moments = np.linalg.eigvalsh(tensors)
    return bool(
        np.any(moments.min(axis=-1, initial=0.0) < -_SLACK * np.abs(tensors).max(initial=0))
    )


class _System:
    """What does not depend on the pose: inertias and the coordinates of each mobilized body."""

    def __init__(
        self,
        bodies: BodyStructure,
        tree: TreeStructure,
        joints: JointParams,
        body_params: BodyParams,
    ):
        self.tree, self.joints = tree, joints
        self.frames = [
            (
                rotation(tuple(np.asarray(orientation)[j])),
                np.asarray(translation)[j],
            )
            for j in range(len(np.asarray(joints.parent_translation)))
            for translation, orientation in (
                (joints.parent_translation, joints.parent_orientation),
                (joints.child_translation, joints.child_orientation),
            )
        ]
        self.fixed = _fixed_poses(bodies, self.frames)
        self.inertia = np.zeros((len(tree.body), 6, 6))
        for body, carrier in enumerate(bodies.mobod):
            if carrier >= 0:
                self.inertia[carrier] += self._in_joint(body, carrier, body_params)
        self.driven: list[list[int]] = [[] for _ in tree.body]  # terms of each mobilized body
        for term, axis in enumerate(tree.term_axis):
            self.driven[axis // 6].append(term)
        self.laws = {  # where a mobilized body stands among those of its joint's law
            int(mobod): (law, rows.coordinate[row], row)
            for law, rows in zip(LAWS, tree.laws, strict=True)
            for row, mobod in enumerate(rows.mobod)
        }

    def outboard(self, mobod: int) -> tuple[np.ndarray, np.ndarray]:
        """The joint's frame on the mobilized body, in the axes of that body."""
        return self.frames[2 * self.tree.joint[mobod] + (not self.tree.reversed[mobod])]

    def _in_joint(self, body: int, carrier: int, params: BodyParams) -> np.ndarray:
        """Spatial inertia of a body about its carrier's joint frame, in the axes of that."""
        R_CB, p_CB = self.fixed[body]  # the body in its carrier
        R_CJ, p_CJ = self.outboard(carrier)
        mass = float(np.asarray(params.mass)[body])
        center = R_CJ.T @ (R_CB @ np.asarray(params.mass_center)[body] + (p_CB - p_CJ))
        xx, yy, zz, xy, xz, yz = np.asarray(params.inertia)[body]
        turn = R_CJ.T @ R_CB
        own = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
        return _shifted(own, mass, center)

    def singular_coordinate(self, q: np.ndarray) -> int | None:
        """The outermost coordinate without inertia of its own at a pose, if there is one."""
        singular = (c for c, own, whole in self.inertias(q) if not own > _SLACK * whole)
        return next(singular, None)

    def inertias(self, q: np.ndarray) -> Iterator[tuple[int, float, float]]:
        """Coordinates, outermost first, each with the inertia (kg·m² | kg) that it alone moves.

        The product of these is the determinant of the mass matrix. The third number is the size of
        what they are differences of, for a bound on rounding.
        """
        tree = self.tree
        value, slope = evaluate_on_host(
            tree.functions, self.joints.functions, q[tree.term_coordinate]
        )
        axes = np.array(self.joints.constant)
        np.add.at(axes.reshape(-1), tree.term_axis, value)
        composite, articulated = self.inertia.copy(), self.inertia.copy()
        for mobod in reversed(range(len(tree.body))):
            R, p, columns = _joint(
                np.asarray(self.joints.axis)[mobod],
                axes[mobod],
                [
                    (int(tree.term_coordinate[t]), int(tree.term_axis[t]) % 6, slope[t])
                    for t in self.driven[mobod]
                ],
                bool(tree.angular_velocity[mobod]),
            )
            if mobod in self.laws:
                R, p, columns = self._law(mobod, q, R)
            if tree.reversed[mobod]:
                R, p, columns = _inverse(R, p, columns)
            own = articulated[mobod]
            for coordinate in sorted(columns, reverse=True):
                h = columns[coordinate]
                momentum = own @ h
                alone = h @ momentum
                yield coordinate, alone, np.abs(h) @ np.abs(composite[mobod]) @ np.abs(h)
                own = own - np.outer(momentum, momentum) / alone
            parent = tree.parent[mobod]
            if parent >= 0:
                across = self._to_parent(mobod, int(parent), R, p)
                articulated[parent] += across.T @ own @ across
                composite[parent] += across.T @ composite[mobod] @ across

    def _law(
        self, mobod: int, q: np.ndarray, R: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
        """As `_joint` for a joint with a law of its own; R is the rotation of its three angles."""
        law, coordinates, row = self.laws[mobod]
        params = getattr(self.joints, law.FIELD)
        R, p, hinge = law.realize_on_host(params, row, q[coordinates], R)
        own = np.concatenate([hinge[:, :3] @ R, hinge[:, 3:] @ R], axis=1)
        return R, p, dict(zip(coordinates.tolist(), own, strict=True))

    def _to_parent(self, mobod: int, parent: int, R: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Takes spatial velocities at the parent's joint frame to those at this one's, `[6, 6]`.

        R and p are the pose of this joint's outboard frame in its inboard frame.
        """
        tree = self.tree
        R_BF, p_BF = self.frames[2 * tree.joint[mobod] + bool(tree.reversed[mobod])]
        R_PB, p_PB = self.fixed[tree.parent_body[mobod]]
        R_PJ, p_PJ = self.outboard(parent)
        rotated = R_PJ.T @ R_PB @ R_BF
        place = R_PJ.T @ (R_PB @ p_BF + (p_PB - p_PJ)) + rotated @ p
        turn = (rotated @ R).T
        return np.block([[turn, np.zeros((3, 3))], [-turn @ _cross(place), turn]])


def _fixed_poses(
    bodies: BodyStructure, frames: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pose of each body in its mobilized body, through the welds between them."""
    poses = [(np.eye(3), np.zeros(3)) for _ in bodies.mobod]
    for level in bodies.weld_levels:
        for body in level.tolist():
            joint, inboard = int(bodies.joint[body]), int(bodies.inboard[body])
            near, far = frames[2 * joint], frames[2 * joint + 1]
            if bodies.reversed[body]:
                near, far = far, near
            R, p = poses[inboard] if inboard >= 0 else (np.eye(3), np.zeros(3))
            turn = near[0] @ far[0].T
            poses[body] = R @ turn, R @ (near[1] - turn @ far[1]) + p
    return poses


def _joint(
    directions: np.ndarray,
    axes: np.ndarray,
    terms: Sequence[tuple[int, int, float]],
    angular_velocity: bool,
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """Pose of a joint's M frame in F, and per coordinate the velocity of M in its own axes."""
    R = np.eye(3)
    spins = []
    for direction, angle in zip(directions[:3], axes[:3], strict=True):
        spins.append(direction if angular_velocity else R @ direction)
        R = R @ _about(direction, angle)
    columns: dict[int, np.ndarray] = {}
    for coordinate, index, slope in terms:
        column = columns.setdefault(coordinate, np.zeros(6))
        if index < 3:
            column[:3] += slope * (R.T @ spins[index])
        else:
            column[3:] += slope * (R.T @ directions[index])
    return R, directions[3:].T @ axes[3:], columns


def _inverse(
    R: np.ndarray, p: np.ndarray, columns: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """The same joint travelled from M to F: pose of F in M, and velocities of F in its axes."""
    turned = {}
    for coordinate, column in columns.items():
        spin, velocity = R @ column[:3], R @ column[3:]
        turned[coordinate] = -np.concatenate([spin, velocity - np.cross(spin, p)])
    return R.T, -R.T @ p, turned


def _about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation about a unit axis."""
    cross = _cross(axis)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _cross(v: np.ndarray) -> np.ndarray:
    """The matrix of v ×."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def _shifted(inertia: np.ndarray, mass: float, center: np.ndarray) -> np.ndarray:
    """Spatial inertia `[6, 6]` about a point, of an inertia about the mass center."""
    cross = _cross(center)
    return np.block(
        [[inertia - mass * cross @ cross, mass * cross], [-mass * cross, mass * np.eye(3)]]
    )
