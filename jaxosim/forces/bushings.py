"""What all bushings share: six deflections of a frame in another, and forces against them.

The deflections are the body-fixed XYZ angles and the position of the second frame in the first.
OpenSim's bushings differ in how the elastic forces follow from them; damping is linear in all.

Source: OpenSim `TwoFrameLinker`, Simbody `Force::LinearBushing`; see
docs/theory/two_frame_forces.md, "Bushings".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, stack
from jaxosim.arrays.linalg import cross, matmul, matmul_nt, matrices, matvec, transpose
from jaxosim.arrays.spatial import body_xyz_angles
from jaxosim.forces import two_frames, wrenches
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics, MobilityJacobian
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_frame
from jaxosim.models.spec import ZERO, FrameSpec, Vec3
from jaxosim.pytree import array, pytree


@dataclass(frozen=True, eq=False)
class Structure:
    """The bodies that each bushing connects."""

    names: tuple[str, ...]
    pairs: two_frames.Pairs


class FrameParams(Protocol):
    """The numbers that every bushing has."""

    @property
    def translation(self) -> jax.Array:
        """`[2, bushing, 3]` (m) of both frames, on their bodies."""
        ...

    @property
    def orientation(self) -> jax.Array:
        """`[2, bushing, 3]` (rad) of both frames, on their bodies."""
        ...

    @property
    def rotational_damping(self) -> jax.Array:
        """`[bushing, 3]` (N·m·s/rad)."""
        ...

    @property
    def translational_damping(self) -> jax.Array:
        """`[bushing, 3]` (N·s/m)."""
        ...


@pytree
class Deflection:
    """How the second frame of each bushing lies and moves in the first: angles, then position."""

    value: jax.Array = array("bushing", 6, unit="rad, m")
    rate: jax.Array = array("bushing", 6, unit="rad/s, m/s")
    unit_wrench: jax.Array = array("bushing", 6, 6, unit="1, m")  # see `two_frames`
    origin: jax.Array = array(2, "bushing", 3, unit="m")  # of both frames


@pytree
class Info(ForceInfo):
    """What each bushing does; wrenches are about the common point."""

    deflection: Deflection
    force: jax.Array = array("bushing", 6, unit="N·m, N")  # along the deflections
    on_second: jax.Array = array("bushing", 6, unit="N·m, N")  # on the second frame's body
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")


@pytree
class Outputs:
    """What each bushing does to its two frames' bodies."""

    force: jax.Array = array("bushing", 2, 3, unit="N")
    torque: jax.Array = array("bushing", 2, 3, unit="N·m")


def read_frames(context: Context, component: Component) -> tuple[FrameSpec, FrameSpec]:
    """The two frames of a bushing."""
    first, second = (resolve_frame(context, component, f"socket_frame{i}") for i in (1, 2))
    return first, second


def read_damping(context: Context, component: Component) -> tuple[Vec3, Vec3]:
    """Rotational and translational damping."""
    assert component.element is not None
    rotational, translational = (
        context.vector(component.element, f"{kind}_damping", ZERO)
        for kind in ("rotational", "translational")
    )
    return rotational, translational


def build(specs: Sequence[Any], lookup: Lookup) -> tuple[Structure, dict[str, np.ndarray]]:
    """The bushings' bodies, and the numbers that every bushing has, by their names in Params."""
    frames = [spec.frames for spec in specs]
    first, second = ([pair[side].body for pair in frames] for side in (0, 1))
    translation, orientation = two_frames.poses(frames)
    structure = Structure(
        names=tuple(spec.name for spec in specs), pairs=two_frames.pairs(lookup, first, second)
    )
    numbers = {tag: vectors(specs, tag) for tag in ("rotational_damping", "translational_damping")}
    return structure, {"translation": translation, "orientation": orientation, **numbers}


def vectors(specs: Sequence[Any], tag: str) -> np.ndarray:
    """A property of three numbers of each bushing, `[bushing, 3]`."""
    return np.array([getattr(spec, tag) for spec in specs], float).reshape(-1, 3)


def realize_instance(
    structure: Structure, params: FrameParams, frames: BodyFrames
) -> two_frames.Placement:
    """Frames in the mobilized bodies that carry them."""
    return two_frames.on_mobods(structure.pairs, params.translation, params.orientation, frames)


def realize_deflection(
    structure: Structure, instance: two_frames.Placement, kinematics: Kinematics
) -> Deflection:
    """Deflections of all bushings, and the unit wrenches of their rates."""
    pairs = structure.pairs
    at = two_frames.in_ground(pairs, instance, kinematics)
    (first, second), (start, end) = at.rotation, at.position
    angles = body_xyz_angles(matmul(transpose(first), second))
    position = matvec(transpose(first), end - start)
    turning = wrenches.torque_wrenches(matmul_nt(_angle_rates(angles), second))
    shifting = wrenches.force_wrenches(
        jnp.broadcast_to(end[:, None], (len(end), 3, 3)), transpose(first)
    )
    unit_wrench = concatenate([turning, shifting], axis=1)
    velocity = two_frames.relative_velocity(pairs, kinematics.velocity)
    return Deflection(
        value=concatenate([angles, position], axis=-1),
        rate=matvec(unit_wrench, velocity),
        unit_wrench=unit_wrench,
        origin=at.position,
    )


def _angle_rates(angles: jax.Array) -> jax.Array:
    """Rates of body-fixed XYZ angles by angular velocity in the turned frame, `[…, 3, 3]`.

    Infinite where the middle angle is 90°, as are OpenSim's forces.
    """
    (_, s1, s2), (_, c1, c2) = (tuple(jnp.moveaxis(f(angles), -1, 0)) for f in (jnp.sin, jnp.cos))
    zero, one = jnp.zeros_like(s1), jnp.ones_like(s1)
    return matrices([[c2 / c1, -s2 / c1, zero], [s2, c2, zero], [-s1 * c2 / c1, s1 * s2 / c1, one]])


def damping_of(params: FrameParams) -> jax.Array:
    """Damping along the deflections, `[bushing, 6]`."""
    return concatenate([params.rotational_damping, params.translational_damping], axis=-1)


def info(
    structure: Structure,
    params: FrameParams,
    deflection: Deflection,
    elastic: jax.Array,
    kinematics: Kinematics,
) -> Info:
    """What the bushings do.

    Args:
      structure: static structure.
      params: model parameters.
      deflection: from `realize_deflection`.
      elastic: `[bushing, 6]` (N·m, N) elastic forces along the deflections.
      kinematics: poses and velocities.
    """
    force = elastic - damping_of(params) * deflection.rate
    on_second = matvec(transpose(deflection.unit_wrench), force)
    count = len(kinematics.pose) - 1
    return Info(
        deflection=deflection,
        force=force,
        on_second=on_second,
        wrench=two_frames.on_both(structure.pairs, on_second, count),
    )


def jacobian(
    structure: Structure,
    params: FrameParams,
    kinematics: Kinematics,
    info: Info,
    stiffness: jax.Array,
) -> MobilityJacobian:
    """Damping and stiffness `[bushing, 6]` along the deflections, on the mobilities."""
    return two_frames.jacobian(
        structure.pairs, kinematics, info.deflection.unit_wrench, damping_of(params), stiffness
    )


def outputs_about_frames(info: Info) -> Outputs:
    """What OpenSim reports of its own bushings: torques about the frames' origins."""
    sides = []
    for origin, sign in zip(info.deflection.origin, (-1.0, 1.0), strict=True):
        moved = info.on_second[:, :3] - cross(origin, info.on_second[:, 3:])
        sides.append(sign * concatenate([moved, info.on_second[:, 3:]], axis=-1))
    return _outputs(stack(sides, axis=1))


def outputs_about_bodies(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports of Simbody's bushings: torques about the bodies' origins."""
    return _outputs(two_frames.about_origins(structure.pairs, info.on_second, body_position))


def _outputs(wrench: jax.Array) -> Outputs:
    return Outputs(torque=wrench[..., :3], force=wrench[..., 3:])


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force and torque on the first frame, then on the second."""
    rows = np.concatenate([outputs.force, outputs.torque], axis=-1).reshape(-1, 12)
    return {name: row.tolist() for name, row in zip(structure.names, rows, strict=True)}


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    return Description(
        str(len(structure.names)), [(name, "two frames") for name in structure.names]
    )
