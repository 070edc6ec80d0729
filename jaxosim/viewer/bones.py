"""Stand-in bones: what a body looks like when no mesh of it is at hand.

A body whose name is one of OpenSim's anatomical words (pelvis, femur, tibia, talus, calcn, toes,
torso, humerus, ulna, …) gets a simple bone, stretched to the joints of the model. Any other body
gets a capsule to each joint that it carries, as thick as its mass asks for, or the box that has its
inertia. Prosthetic parts (names with `pros`) are a socket, a pylon and a blade, in their own color.

Axes of a gait model: x forward, y up, z to the right. Numbers below are meters of an adult.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxosim.viewer.shapes import Mesh, box, capsule, chain, ellipsoid, merged, tube

BONE = (0.93, 0.88, 0.77)
SOCKET = (0.28, 0.42, 0.52)
METAL = (0.55, 0.58, 0.62)
CARBON = (0.13, 0.13, 0.15)
_DENSITY = 1000.0  # kg/m³, of flesh and bone
_FEMUR, _TIBIA, _HUMERUS, _TORSO = 0.396, 0.43, 0.29, 0.32  # lengths that the numbers fit

Part = tuple[Mesh, tuple[float, float, float]]


@dataclass(frozen=True)
class Body:
    """What a bone is sized by, in the frame of its body.

    Attributes:
      name: of the body.
      joints: `[joint, 3]` (m) origins of the bodies it carries, in the default pose.
      mass: (kg).
      mass_center: `[3]` (m).
      inertia: `[3]` (kg·m²) moments about the mass center.
      side: 1 on the right, −1 on the left.
      tip: `[3]` (m) foremost contact sphere, or None.
    """

    name: str
    joints: np.ndarray
    mass: float
    mass_center: np.ndarray
    inertia: np.ndarray
    side: float
    tip: np.ndarray | None = None

    @property
    def end(self) -> np.ndarray | None:
        """The farthest joint it carries."""
        if not len(self.joints):
            return None
        return self.joints[np.argmax(np.linalg.norm(self.joints, axis=1))]


def bone(body: Body) -> list[Part]:
    """The parts of a body, each with its color."""
    name = body.name.lower()
    if "pros" in name:
        return _prosthesis(body)
    for words, build in _BONES:
        if any(word in name for word in words):
            mesh = build(body)
            return [(mesh, BONE)] if mesh is not None else []
    return [(mesh, BONE) for mesh in _plain(body)]


def _plain(body: Body) -> list[Mesh]:
    """Capsules to the joints, or the box of the inertia."""
    arms = [joint for joint in body.joints if np.linalg.norm(joint) > 1e-3]
    rods = []
    for joint in arms:
        length = float(np.linalg.norm(joint))
        thick = np.sqrt(max(body.mass, 0.05) / len(arms) / (np.pi * _DENSITY * length))
        rods.append(capsule(np.zeros(3), joint, float(np.clip(thick, 0.008, length / 4))))
    if rods or body.mass <= 0:
        return rods
    # A box of half axes a, b, c has I_x = m (b² + c²) / 3.
    xx, yy, zz = body.inertia
    squares = 1.5 / body.mass * np.array([yy + zz - xx, xx + zz - yy, xx + yy - zz])
    half = np.clip(np.sqrt(np.maximum(squares, 0)), 0.01, 0.5)
    reach = float(np.linalg.norm(body.mass_center))
    rod = [capsule(np.zeros(3), body.mass_center, min(0.02, reach / 4))] if reach > 1e-3 else []
    return [box(body.mass_center, half), *rod]


def _prosthesis(body: Body) -> list[Part]:
    """A socket on the stump, a pylon, and a blade for a foot."""
    end = body.end
    if end is not None:  # the shank
        middle = 0.42 * end
        socket = capsule(0.06 * end, middle, 0.052, 0.038)
        cup = ellipsoid(0.1 * end, (0.056, 0.03, 0.056))
        pylon = capsule(middle, end, 0.014)
        clamps = [ellipsoid(at, (0.022, 0.014, 0.022)) for at in (middle * 1.08, 0.97 * end)]
        return [(merged([socket, cup]), SOCKET), (merged([pylon, *clamps]), METAL)]
    tip = body.tip if body.tip is not None else 2.5 * body.mass_center
    heel, toe = np.array([-0.055, tip[1] - 0.03, 0.0]), tip + np.array([0.04, -0.035, 0.0])
    sweep = np.linspace(0, 1, 9)[:, None]
    bend = np.array([0.02, -0.02, 0.0])
    keel = (1 - sweep) ** 2 * np.zeros(3) + 2 * sweep * (1 - sweep) * bend + sweep**2 * toe
    back = (
        (1 - sweep) ** 2 * bend
        + 2 * sweep * (1 - sweep) * np.array([0, -0.04, 0])
        + (sweep**2 * heel)
    )
    planks = [
        tube(line + np.array([0, 0, z]), 0.009) for line in (keel, back) for z in (-0.02, 0, 0.02)
    ]
    ankle = ellipsoid(np.zeros(3), (0.024, 0.022, 0.026))
    return [(merged(planks), CARBON), (ankle, METAL)]


def _pelvis(body: Body) -> Mesh:
    hips = [joint for joint in body.joints if joint[1] < 0 and abs(joint[2]) > 0.01]
    half = float(np.mean([abs(hip[2]) for hip in hips])) if hips else 0.0835
    s = half / 0.0835
    parts = [
        ellipsoid([-0.125 * s, 0.02 * s, 0], np.array([0.028, 0.06, 0.042]) * s, _pitch(0.45)),
        tube(np.array([[0, -0.075, -0.022], [0.008, -0.08, 0], [0, -0.075, 0.022]]) * s, 0.011 * s),
    ]
    for side in (1, -1):
        flare = _roll(side * 0.42) @ _yaw(side * 0.45) @ _pitch(-0.2)
        wing = ellipsoid(
            np.array([-0.055, 0.035, side * 0.088]) * s, np.array([0.075, 0.062, 0.011]) * s, flare
        )
        rim = np.array([[0, 0.01, 0.112], [-0.02, 0.06, 0.115], [-0.07, 0.088, 0.1]])
        rim = np.concatenate([rim, [[-0.115, 0.075, 0.07], [-0.14, 0.04, 0.05]]])
        ramus = np.array([[-0.06, -0.06, 0.06], [-0.02, -0.062, 0.04], [0.0, -0.075, 0.02]])
        seat = np.array([[-0.075, -0.06, 0.07], [-0.09, -0.105, 0.055], [-0.045, -0.105, 0.035]])
        seat = np.concatenate([seat, [[-0.005, -0.08, 0.018]]])
        mirror = np.array([1, 1, side]) * s
        parts += [wing, tube(rim * mirror, 0.011 * s), tube(ramus * mirror, 0.011 * s)]
        parts += [tube(seat * mirror, 0.012 * s)]
        parts += [ellipsoid(np.array([-0.07, -0.062, side * 0.08]) * s, np.full(3, 0.03) * s)]
        parts += [chain(np.array([[-0.07, -0.05, 0.08], [-0.08, 0.02, 0.075]]) * mirror, 0.02 * s)]
    return merged(parts)


def _femur(body: Body) -> Mesh:
    end = body.end if body.end is not None else np.array([0, -_FEMUR, 0])
    s, z = float(np.linalg.norm(end)) / _FEMUR, body.side
    trochanter = np.array([-0.008, -0.012, z * 0.05]) * s
    line = np.array([[-0.008, -0.03, z * 0.045], [0.012, -0.13, z * 0.034]])
    line = np.concatenate([line, [[0.016, -0.22, z * 0.02], [0.006, -0.33, z * 0.006]]]) * s
    knee = end + np.array([0.0, 0.0, 0.0])
    condyles = [
        ellipsoid(
            knee + np.array([-0.004, 0.004, side * 0.021]) * s, np.array([27, 23, 17]) * 1e-3 * s
        )
        for side in (1, -1)
    ]
    return merged(
        [
            ellipsoid(np.zeros(3), np.full(3, 0.024) * s),
            capsule(np.zeros(3), trochanter, 0.014 * s, 0.019 * s),
            ellipsoid(trochanter, np.array([0.021, 0.028, 0.017]) * s),
            tube(np.concatenate([line, [knee + np.array([0, 0.02, 0]) * s]]), 0.0135 * s, 12),
            capsule(line[-1], knee + np.array([0, 0.01, 0]) * s, 0.014 * s, 0.027 * s),
            *condyles,
        ]
    )


def _tibia(body: Body) -> Mesh:
    end = body.end if body.end is not None else np.array([0, -_TIBIA, 0])
    s, z = float(np.linalg.norm(end)) / _TIBIA, body.side
    shaft = np.array([[0.008, -0.07, 0], [0.012, -0.15, 0], [0.004, -0.3, -0.004 * z]]) * s
    ankle = end + np.array([0, 0.03, 0]) * s
    fibula = np.array([[-0.014, -0.07, 0.032], [-0.018, -0.2, 0.036], [-0.008, -0.4, 0.028]])
    fibula = fibula * np.array([1, 1, z]) * s
    return merged(
        [
            ellipsoid(np.array([0, -0.04, 0]) * s, np.array([0.026, 0.014, 0.037]) * s),
            capsule(np.array([0.002, -0.045, 0]) * s, shaft[0], 0.029 * s, 0.014 * s),
            tube(np.concatenate([shaft, [ankle]]), 0.0115 * s, 12),
            capsule(shaft[-1], ankle, 0.011 * s, 0.02 * s),
            ellipsoid(end + np.array([0, 0.012, -0.024 * z]) * s, np.array([11, 17, 8]) * 1e-3 * s),
            tube(fibula, 0.0065 * s),
            ellipsoid(fibula[0], np.array([0.011, 0.016, 0.01]) * s),
            ellipsoid(
                end + np.array([-0.006, 0.004, 0.027 * z]) * s, np.array([10, 22, 8]) * 1e-3 * s
            ),
            # The patella, between where the quadriceps end in extension and in flexion, and its
            # ligament: models without a body for it move those ends on the tibia.
            ellipsoid(np.array([0.046, 0.016, 0]) * s, np.array([11, 20, 19]) * 1e-3 * s),
            capsule(np.array([0.046, 0.0, 0]) * s, np.array([0.024, -0.075, 0]) * s, 0.005 * s),
        ]
    )


def _talus(body: Body) -> Mesh:
    return merged(
        [
            ellipsoid([0.0, -0.008, 0.0], (0.027, 0.015, 0.018)),
            ellipsoid([0.022, -0.014, -0.004 * body.side], (0.016, 0.012, 0.013)),
        ]
    )


def _calcaneus(body: Body) -> Mesh:
    ball = body.end if body.end is not None else np.array([0.179, -0.002, 0.001])
    s, z = float(np.linalg.norm(ball)) / 0.179, body.side
    arch = ball * np.array([0.42, 0, 0]) + np.array([0, 0.034, 0]) * s
    spread = (-0.026, -0.013, 0.0, 0.013, 0.026)
    rays = [
        tube(
            [
                arch + [0, 0, z * 0.6 * w],
                ball + np.array([-0.012 - 0.5 * abs(w + 0.013), 0.006, z * w]),
            ],
            0.0075 * s,
        )
        for w in spread
    ]
    return merged(
        [
            ellipsoid(
                np.array([0.018, 0.012, 0]) * s, np.array([0.032, 0.022, 0.02]) * s, _pitch(0.3)
            ),
            capsule(np.array([0.03, 0.02, 0]) * s, arch, 0.019 * s, 0.016 * s),
            ellipsoid(arch, np.array([0.03, 0.015, 0.028]) * s),
            *rays,
        ]
    )


def _toes(body: Body) -> Mesh:
    z = body.side
    rays = []
    for index, width in enumerate((-0.028, -0.013, 0.0, 0.013, 0.025)):
        length = (0.062, 0.056, 0.05, 0.043, 0.035)[index]
        radius = 0.0095 if index == 0 else 0.0065
        root = np.array([-0.01 - 0.5 * max(width, 0), 0.004, z * width])
        rays.append(tube([root, root + [length / 2, 0.004, 0], root + [length, -0.004, 0]], radius))
    return merged(rays)


def _torso(body: Body) -> Mesh:
    height = float(body.mass_center[1])
    return torso_bones(height / _TORSO if height > 0.05 else 1.0)


def torso_bones(s: float) -> Mesh:
    """Spine, ribs, breastbone, shoulder girdle and skull, on the lumbar joint; 1 is an adult."""
    t = np.linspace(0, 1, 22)
    spine = np.column_stack([-0.02 - 0.055 * np.sin(np.pi * t) + 0.03 * t, 0.48 * t, 0 * t]) * s
    vertebrae = [ellipsoid(p, np.array([0.016, 0.009, 0.02]) * s) for p in spine]
    ribs = []
    for index in range(8):
        level = 0.405 - 0.034 * index
        wide = (0.066, 0.095, 0.113, 0.122, 0.127, 0.129, 0.127, 0.118)[index]
        deep = (0.05, 0.066, 0.076, 0.082, 0.086, 0.088, 0.086, 0.078)[index]
        reach = np.pi if index < 6 else 0.72 * np.pi  # the lowest do not meet in front
        for side in (1, -1):
            angle = np.linspace(0, reach, 11)
            x = 0.012 - deep * np.cos(angle) - 0.006 * index * np.sin(angle / 2)
            y = level - 0.05 * np.sin(angle / 2)
            ribs.append(tube(np.column_stack([x, y, side * wide * np.sin(angle)]) * s, 0.0055 * s))
    breast = np.array([[0.066, 0.36, 0], [0.082, 0.3, 0], [0.09, 0.2, 0]]) * s
    girdle = [
        tube(
            np.array([[0.068, 0.375, z * 0.012], [0.05, 0.39, z * 0.08], [0.0, 0.392, z * 0.155]])
            * s,
            0.0075 * s,
        )
        for z in (1, -1)
    ]
    blades = [
        ellipsoid(
            np.array([-0.075, 0.32, z * 0.09]) * s,
            np.array([0.008, 0.065, 0.042]) * s,
            _yaw(z * 0.5) @ _roll(-0.2 * z),
        )
        for z in (1, -1)
    ]
    return merged(
        [
            tube(spine, 0.008 * s),
            *vertebrae,
            *ribs,
            tube(breast, 0.013 * s),
            *girdle,
            *blades,
            _skull(s),
        ]
    )


def _skull(s: float) -> Mesh:
    return merged(
        [
            ellipsoid(np.array([-0.008, 0.585, 0]) * s, np.array([0.088, 0.068, 0.068]) * s),
            ellipsoid(np.array([0.045, 0.53, 0]) * s, np.array([0.034, 0.04, 0.045]) * s),
            tube(
                np.array(
                    [[0.0, 0.53, 0.046], [0.045, 0.486, 0.034], [0.068, 0.478, 0.0]]
                    + [[0.045, 0.486, -0.034], [0.0, 0.53, -0.046]]
                )
                * s,
                0.011 * s,
            ),
        ]
    )


def _humerus(body: Body) -> Mesh:
    end = body.end if body.end is not None else np.array([0, -_HUMERUS, 0])
    s = float(np.linalg.norm(end)) / _HUMERUS
    return merged(
        [
            ellipsoid(np.zeros(3), np.full(3, 0.023) * s),
            capsule(np.array([0, -0.02, 0.004]) * s, 0.3 * end, 0.018 * s, 0.0115 * s),
            capsule(0.3 * end, 0.85 * end, 0.0115 * s, 0.011 * s),
            capsule(0.85 * end, 0.98 * end, 0.011 * s, 0.017 * s),
            capsule(
                end + np.array([0, 0, -0.026]) * s, end + np.array([0, 0, 0.026]) * s, 0.012 * s
            ),
        ]
    )


def _forearm(body: Body) -> Mesh:
    wrist = body.end
    has_hand = wrist is None
    wrist = np.array([0.0, -0.245, 0.03]) if wrist is None else wrist
    s = float(np.linalg.norm(wrist)) / 0.247
    bones = [
        ellipsoid(np.array([-0.014, 0.004, 0]) * s, np.array([0.013, 0.02, 0.012]) * s),
        tube(
            [np.zeros(3), 0.5 * wrist + [-0.012, 0, -0.014], wrist + [-0.008, 0, -0.018]],
            0.0085 * s,
        ),
        tube([np.array([0.004, -0.01, 0.017]), 0.5 * wrist + [0.008, 0, 0.012], wrist], 0.0095 * s),
        ellipsoid(wrist, np.array([0.012, 0.014, 0.024]) * s),
    ]
    return merged([*bones, _hand_bones(wrist, s)] if has_hand else bones)


def _hand(body: Body) -> Mesh:
    return _hand_bones(np.zeros(3), 1.0)


def _hand_bones(wrist: np.ndarray, s: float) -> Mesh:
    fingers = []
    for index, z in enumerate((0.026, 0.009, -0.008, -0.024)):
        length = (0.16, 0.172, 0.162, 0.14)[index]
        path = [wrist + np.array([0, -0.02, 0.4 * z]) * s, wrist + np.array([0, -0.085, z]) * s]
        path += [wrist + np.array([0.012, -0.5 * length - 0.04, 1.1 * z]) * s]
        fingers.append(tube([*path, wrist + np.array([0.028, -length, 1.15 * z]) * s], 0.006 * s))
    thumb = np.array([[0.0, -0.015, 0.018], [0.018, -0.05, 0.045], [0.03, -0.1, 0.055]]) * s
    palm = ellipsoid(wrist + np.array([0, -0.025, 0.002]) * s, np.array([0.01, 0.016, 0.024]) * s)
    return merged([*fingers, tube(wrist + thumb, 0.007 * s), palm])


def _nothing(body: Body) -> None:
    return None


def _about(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    rotation = np.eye(3)
    rotation[[i, j], [i, j]] = c
    rotation[i, j], rotation[j, i] = -s, s
    return rotation


def _roll(angle: float) -> np.ndarray:
    return _about(0, angle)


def _yaw(angle: float) -> np.ndarray:
    return _about(1, angle)


def _pitch(angle: float) -> np.ndarray:
    return _about(2, angle)


_BONES: tuple[tuple[tuple[str, ...], Callable[[Body], Mesh | None]], ...] = (
    (("pelvis",), _pelvis),
    (("femur", "thigh"), _femur),
    (("tibia", "shank"), _tibia),
    (("talus",), _talus),
    (("calcn", "calcaneus"), _calcaneus),
    (("toes",), _toes),
    (("torso", "thorax"), _torso),
    (("head",), _nothing),  # drawn with the torso
    (("humerus",), _humerus),
    (("ulna_radius_hand", "ulna", "radius"), _forearm),
    (("hand",), _hand),
)
