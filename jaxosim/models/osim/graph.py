"""The graph of bodies and joints: every body tied to ground.

Source: Simbody `MultibodyGraphMaker`, OpenSim `Model`; see docs/theory/model_files.md,
"Graph of joints".
"""

from jaxosim.joints.joint import default_coordinates
from jaxosim.models.spec import GROUND, BodySpec, FrameSpec, JointSpec


def tie_to_ground(
    bodies: tuple[BodySpec, ...], joints: tuple[JointSpec, ...]
) -> tuple[JointSpec, ...]:
    """Tie what hangs in the air to ground by a FreeJoint, as OpenSim does.

    Args:
      bodies: All bodies.
      joints: The joints of the file.

    Returns:
      The joints of the file, then the added ones.
    """
    islands = _Islands()
    for joint in joints:
        islands.join(joint.parent.body, joint.child.body)
    added: list[JointSpec] = []
    for body in _candidates(bodies, joints):
        if islands.join(GROUND, body):
            name = f"free_{body}"
            coordinates = default_coordinates(name, 6)
            added.append(
                JointSpec("FreeJoint", name, FrameSpec(GROUND), FrameSpec(body), coordinates)
            )
    return joints + tuple(added)


def hang_in_chains(joints: tuple[JointSpec, ...]) -> bool:
    """Whether a joint hangs on a body that other joints connect to ground."""
    islands = _Islands()
    for joint in joints:
        islands.join(joint.parent.body, joint.child.body)
    ends = [(joint.parent.body, joint.child.body) for joint in joints]
    return any(GROUND not in pair and islands.are_tied(GROUND, pair[0]) for pair in ends)


def _candidates(bodies: tuple[BodySpec, ...], joints: tuple[JointSpec, ...]) -> list[str]:
    """Bodies in the order in which Simbody would make them the base of a tree.

    First those without any joint, then those that are nobody's child, then the rest; among equals
    the one with most children, and among those the first.
    """
    children = dict.fromkeys((body.name for body in bodies), 0)
    is_child = dict.fromkeys(children, False)
    for joint in joints:
        children[joint.parent.body] = children.get(joint.parent.body, 0) + 1
        is_child[joint.child.body] = True
    return sorted(
        (body.name for body in bodies),
        key=lambda name: (is_child[name] or children[name] > 0, is_child[name], -children[name]),
    )


class _Islands:
    """Which bodies hang together (union-find)."""

    def __init__(self):
        self._leader: dict[str, str] = {}

    def join(self, a: str, b: str) -> bool:
        """Tie two bodies; False if they already hung together."""
        a, b = self._find(a), self._find(b)
        self._leader[a] = b
        return a != b

    def are_tied(self, a: str, b: str) -> bool:
        """Whether two bodies hang together."""
        return self._find(a) == self._find(b)

    def _find(self, body: str) -> str:
        leader = self._leader
        while leader.setdefault(body, body) != body:
            leader[body] = leader[leader[body]]  # halve the way for the next search
            body = leader[body]
        return body
