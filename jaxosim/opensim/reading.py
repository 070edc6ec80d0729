"""Reads OpenSim's objects into NumPy arrays; helpers of `OpenSimModel`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np

from jaxosim.opensim.library import opensim

Arrays = dict[str, np.ndarray]

MUSCLE_GETTERS = {
    "length": "getLength",
    "lengthening_speed": "getLengtheningSpeed",
    "fiber_length": "getFiberLength",
    "normalized_fiber_length": "getNormalizedFiberLength",
    "pennation_angle": "getPennationAngle",
    "tendon_length": "getTendonLength",
    "activation": "getActivation",
    "active_force_length_multiplier": "getActiveForceLengthMultiplier",
    "force_velocity_multiplier": "getForceVelocityMultiplier",
    "passive_force_multiplier": "getPassiveForceMultiplier",
    "fiber_velocity": "getFiberVelocity",
    "tendon_velocity": "getTendonVelocity",
    "fiber_force": "getFiberForce",
    "active_fiber_force": "getActiveFiberForce",
    "passive_fiber_force": "getPassiveFiberForce",
    "fiber_force_along_tendon": "getFiberForceAlongTendon",
    "tendon_force": "getTendonForce",
    "actuation": "getActuation",
}

MARKER_GETTERS = {
    "position": "getLocationInGround",
    "velocity": "getVelocityInGround",
    "acceleration": "getAccelerationInGround",
}

# Variables of coordinates, which are read by themselves, and those that no force depends on.
_NOT_OF_FORCES = {"value", "speed", "dissipated_energy", "dissipatedEnergy"}


def masses(found: list) -> np.ndarray:
    """Masses of the mobilized bodies (kg): a body with slaves has as much of its own as each."""
    mass = {body.getName(): body.getMass() for body in found}
    return np.array([mass.get(f"{name}_slave_0", mass[name]) for name in mass])


def body_motion(bodies: list, state: opensim.State) -> Arrays:
    """Motion of each body's origin and axes in ground, `[body, …]`."""
    columns: dict[str, list] = {}
    for body in bodies:
        pose = body.getTransformInGround(state)
        rotation = pose.R()
        velocity = body.getVelocityInGround(state)
        acceleration = body.getAccelerationInGround(state)
        row = {
            "position": vector3(pose.p()),
            "rotation": np.array([[rotation.get(i, j) for j in range(3)] for i in range(3)]),
            "angles": vector3(rotation.convertRotationToBodyFixedXYZ()),
            "angular_velocity": vector3(velocity.get(0)),
            "velocity": vector3(velocity.get(1)),
            "angular_acceleration": vector3(acceleration.get(0)),
            "acceleration": vector3(acceleration.get(1)),
        }
        for name, value in row.items():
            columns.setdefault(f"body_{name}", []).append(value)
    return {name: np.array(rows) for name, rows in columns.items()}


def mass_center_motion(model: opensim.Model, state: opensim.State) -> Arrays:
    """Position, velocity and acceleration of the whole model's mass center, [3]."""
    return {
        "mass_center_position": vector3(model.calcMassCenterPosition(state)),
        "mass_center_velocity": vector3(model.calcMassCenterVelocity(state)),
        "mass_center_acceleration": vector3(model.calcMassCenterAcceleration(state)),
    }


def marker_motion(markers: list, state: opensim.State) -> Arrays:
    """Position, velocity and acceleration of each marker, [marker, 3]."""
    motion = {}
    for name, getter in MARKER_GETTERS.items():
        rows = [vector3(getattr(marker, getter)(state)) for marker in markers]
        motion[f"marker_{name}"] = np.array(rows).reshape(-1, 3)
    return motion


def muscle_report(muscles: list, state: opensim.State) -> Arrays:
    """Every scalar in MUSCLE_GETTERS, [muscle]."""
    return {
        f"muscle_{name}": np.array([or_nan(getattr(muscle, getter), state) for muscle in muscles])
        for name, getter in MUSCLE_GETTERS.items()
    }


def state_paths(muscles: list, names: Iterable[str]) -> dict[str, list[str]]:
    """Paths of the state variables of muscles and other forces.

    Args:
      muscles: of the model.
      names: of all its state variables.

    Returns:
      By the fields of `jaxosim.State` that hold them. Of muscles there is a path for each that
      could have the variable, whether it has or not. Energies that bushings and limits have
      dissipated, and what probes integrate, are left out: no force depends on them.
    """
    paths = {muscle.getAbsolutePathString(): muscle for muscle in muscles}
    tendons = [p for p, m in paths.items() if m.hasProperty("default_normalized_tendon_force")]
    others = [name for name in names if name.rpartition("/")[0] not in paths]
    return {
        "activation": [f"{path}/activation" for path in paths],
        "fiber_length": [f"{path}/fiber_length" for path in paths],
        "normalized_tendon_force": [f"{path}/normalized_tendon_force" for path in tendons],
        "force_states": [
            name
            for name in others
            if name.rpartition("/")[2] not in _NOT_OF_FORCES and not name.startswith("/probeset/")
        ],
    }


def lowest_sphere(geometries: list, state: opensim.State) -> float | None:
    """Height over y = 0 of the lowest point of all contact spheres (m); None without spheres."""
    heights = []
    for geometry in geometries:
        sphere = opensim.ContactSphere.safeDownCast(geometry)
        if sphere is not None:
            center = sphere.getFrame().findStationLocationInGround(state, sphere.get_location())
            heights.append(vector3(center)[1] - sphere.getRadius())
    return min(heights, default=None)


def loads_sto(path: str | os.PathLike) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a `.sto` or `.mot` file with OpenSim.

    Args:
      path: the file.

    Returns:
      Column labels without time, and [row, 1 + column] data whose first column is time (s).
    """
    table = opensim.TimeSeriesTable(str(path))
    time = np.array(table.getIndependentColumn())
    return tuple(table.getColumnLabels()), np.column_stack([time, table.getMatrix().to_numpy()])


def members(container) -> list:
    """The members of an OpenSim set."""
    return [container.get(index) for index in range(container.getSize())]


def applied(forces: list) -> list:
    """Those that `appliesForce` says are applied, and all muscles."""
    return [
        force
        for force in forces
        if force.get_appliesForce() or opensim.Muscle.safeDownCast(force) is not None
    ]


def names(components: list) -> tuple[str, ...]:
    """Their names."""
    return tuple(component.getName() for component in components)


def vector3(vector) -> np.ndarray:
    """A Vec3 as an array."""
    return np.array([vector.get(0), vector.get(1), vector.get(2)])


def array_of(values) -> np.ndarray:
    """An ArrayDouble as an array."""
    return np.array([values.get(index) for index in range(values.getSize())])


def or_nan(getter: Callable, *arguments) -> float:
    """The value of a getter; NaN if this class of muscle has no such quantity."""
    try:
        return getter(*arguments)
    except RuntimeError:
        return np.nan
