"""The body's part of L2M2019's observation: pelvis and legs, in osim-rl's signs and units.

Source: osim-rl 3.0.11 `L2M2019Env.get_observation_dict` and its observation space.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs import lookup
from jaxosim.envs.episode import Snapshot
from jaxosim.envs.observation import Block
from jaxosim.outputs import StateDescription
from jaxosim.types import Model, Params

WEIGHT = 75.16460000000001 * 9.80665  # N, osim-rl's, not that of randomized params
_DEGREE = math.pi / 180
# osim-rl's names of the muscles and the file's, in observation order.
_MUSCLES = {
    "HAB": "abd",
    "HAD": "add",
    "HFL": "iliopsoas",
    "GLU": "glut_max",
    "HAM": "hamstrings",
    "RF": "rect_fem",
    "VAS": "vasti",
    "BFSH": "bifemsh",
    "GAS": "gastroc",
    "SOL": "soleus",
    "TA": "tib_ant",
}
# Joint angles: name, coordinate, sign, bounds (degrees).
_ANGLES = (
    ("hip_abd", "hip_adduction", -1, (-45, 90)),
    ("hip", "hip_flexion", -1, (-180, 45)),
    ("knee", "knee_angle", 1, (-180, 15)),
    ("ankle", "ankle_angle", -1, (-45, 90)),
)


def ground_force(model: Model, description: StateDescription, side: str) -> jax.Array:
    """Force of a foot on the ground, `[3]` (1), in body weights; expressed in ground."""
    floor = lookup.first_geometry(model, f"foot_{side}")
    return description.forces["contacts"].force[floor] / WEIGHT


def body_blocks(model: Model, params: Params) -> tuple[Block, ...]:
    """97 entries: 9 of the pelvis, 44 of each leg.

    Args:
      model: of the model.
      params: whose muscles' strengths and optimal lengths the observation is normalized by.
    """
    legs = [
        block
        for side in "rl"
        for block in (
            _force_block(model, side),
            *_angle_blocks(model, side),
            _muscle_block(model, params, side),
        )
    ]
    return (_pelvis_block(model), *legs)


def _turned(x: jax.Array, z: jax.Array, yaw: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A horizontal vector in the pelvis's axes: forward, rightward."""
    cos, sin = jnp.cos(yaw), jnp.sin(yaw)
    return cos * x - sin * z, sin * x + cos * z


def _pelvis_block(model: Model) -> Block:
    """Height, pitch (forward), roll (to the right); velocities forward, leftward, upward, turns."""
    pelvis = lookup.body(model, "pelvis")
    tilt, roll, yaw = (
        lookup.coordinate(model, f"pelvis_{name}") for name in ("tilt", "list", "rotation")
    )

    def read(now: Snapshot) -> jax.Array:
        q, u = now.description.coordinates.value, now.description.coordinates.speed
        velocity = now.description.bodies.velocity[pelvis]
        forward, rightward = _turned(velocity[0], velocity[2], q[yaw])
        height = now.description.bodies.position[pelvis, 1]
        linear = (forward, -rightward, velocity[1])
        return jnp.stack([height, -q[tilt], q[roll], *linear, -u[tilt], u[roll], u[yaw]])

    names = ("height", "pitch", "roll", *(f"vel/{i}" for i in range(6)))
    high = np.array([3.0, math.pi, math.pi, *[20.0] * 3, *[10 * math.pi] * 3])
    return Block(
        tuple(f"pelvis/{name}" for name in names),
        ("m", "rad", "rad", *["m/s"] * 3, *["rad/s"] * 3),
        read,
        low=[0.0, *-high[1:]],
        high=list(high),
    )


def _force_block(model: Model, side: str) -> Block:
    """Force of the ground on a foot: forward, outward, upward, in body weights."""
    outward = 1.0 if side == "r" else -1.0
    yaw = lookup.coordinate(model, "pelvis_rotation")

    def read(now: Snapshot) -> jax.Array:
        force = -ground_force(model, now.description, side)
        forward, rightward = _turned(force[0], force[2], now.description.coordinates.value[yaw])
        return jnp.stack([forward, outward * rightward, force[1]])

    names = tuple(f"{side}_leg/ground_reaction_forces/{i}" for i in range(3))
    return Block(names, ("1",) * 3, read, low=[-5.0, -5.0, -10.0], high=[5.0, 5.0, 10.0])


def _angle_blocks(model: Model, side: str) -> tuple[Block, Block]:
    """Angles and angular velocities of a leg's joints; extension and abduction are positive."""
    index = lookup.places(lookup.coordinate(model, f"{name}_{side}") for _, name, _, _ in _ANGLES)
    signs = np.array([sign for _, _, sign, _ in _ANGLES])

    def reading(kind: str) -> Callable[[Snapshot], jax.Array]:
        def read(now: Snapshot) -> jax.Array:
            column = getattr(now.description.coordinates, kind)[index]
            return jnp.asarray(signs, column.dtype) * column

        return read

    names = [name for name, *_ in _ANGLES]
    angles = Block(
        tuple(f"{side}_leg/joint/{name}" for name in names),
        ("rad",) * len(names),
        reading("value"),
        low=[low * _DEGREE for *_, (low, _) in _ANGLES],
        high=[high * _DEGREE for *_, (_, high) in _ANGLES],
    )
    speeds = Block(
        tuple(f"{side}_leg/d_joint/{name}" for name in names),
        ("rad/s",) * len(names),
        reading("speed"),
        low=-5 * math.pi,
        high=5 * math.pi,
    )
    return angles, speeds


def _muscle_block(model: Model, params: Params, side: str) -> Block:
    """Force, length and velocity of each muscle's fiber, by its strength and optimal length."""
    index = lookup.places(
        lookup.place(model, "muscle", model.muscle_names, f"{name}_{side}")
        for name in _MUSCLES.values()
    )
    strength = np.asarray(params.muscles.max_isometric_force)[index]  # NumPy: no tracer is kept
    optimal = np.asarray(params.muscles.optimal_fiber_length)[index]

    def read(now: Snapshot) -> jax.Array:
        muscle = now.description.muscles
        columns = (
            muscle.fiber_force[index] / strength,
            muscle.fiber_length[index] / optimal,
            muscle.fiber_velocity[index] / optimal,
        )
        return jnp.stack(columns, axis=1).reshape(-1)

    return Block(
        tuple(f"{side}_leg/{name}/{kind}" for name in _MUSCLES for kind in "flv"),
        ("1", "1", "1/s") * len(_MUSCLES),
        read,
        low=[0.0, 0.0, -50.0] * len(_MUSCLES),
        high=[3.0, 3.0, 50.0] * len(_MUSCLES),
    )
