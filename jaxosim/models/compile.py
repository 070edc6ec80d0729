"""ModelSpec → (Model, Params): the one place where a file's words become arrays."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from jaxosim.constraints import (
    CONSTRAINTS,
    coordinate_coupler_constraint,
    locked_angle,
    prescribed_motion,
)
from jaxosim.constraints.constraint import PairStructure
from jaxosim.controllers import CONTROLLERS
from jaxosim.errors import UnsupportedComponentError
from jaxosim.forces import FORCES
from jaxosim.functions.bank import function_sizes
from jaxosim.joints import JOINTS, LAWS
from jaxosim.models.checks import check_mass_matrix, warn_of_constrained_arcs
from jaxosim.models.compile_controls import Controls, compile_controls
from jaxosim.models.compile_local_coordinates import compile_local_coordinates
from jaxosim.models.compile_states import States, compile_states
from jaxosim.models.compile_tree import compile_tree
from jaxosim.models.lookup import Lookup
from jaxosim.models.spec import (
    CoordinateSpec,
    JointSpec,
    ModelSpec,
    StateOwner,
    UnsupportedSpec,
)
from jaxosim.muscles.build import build as build_muscles
from jaxosim.muscles.muscle import MuscleSpec
from jaxosim.paths import function_based_path
from jaxosim.paths.build import PathOwner, PathStructure
from jaxosim.paths.build import build as build_paths
from jaxosim.paths.params import wrap_sizes
from jaxosim.pytree import check_shapes
from jaxosim.structure import BodyStructure, TreeStructure
from jaxosim.types import BodyParams, CoordinateParams, Model, Params

_Force = TypeVar("_Force")
_NAMES_SHOWN = 5  # of each class that is not supported


def _refuse_unsupported(spec: ModelSpec) -> None:
    """Name everything we would simulate wrongly, all at once: a line for each class."""
    if not spec.unsupported:
        return
    by_class: dict[str, list[UnsupportedSpec]] = {}
    for item in spec.unsupported:
        by_class.setdefault(item.class_name, []).append(item)
    lines, count = [], 0
    for class_name, items in by_class.items():
        names = list(dict.fromkeys(item.name for item in items))  # one may have two reasons
        count += len(names)
        shown = ", ".join(f"'{name}'" for name in names[:_NAMES_SHOWN])
        more = ", …" if len(names) > _NAMES_SHOWN else ""
        reasons = " / ".join(dict.fromkeys(item.reason for item in items))
        lines.append(f"  {class_name} ({len(names)}): {shown}{more}: {reasons}")
    raise UnsupportedComponentError(
        f"{spec.source}: {count} component(s) of {len(lines)} class(es) that change the motion are "
        "not supported:\n" + "\n".join(lines),
        spec.unsupported,
    )


def _forces(spec: ModelSpec, kind: type[_Force]) -> list[_Force]:
    """The forces of one class, in file order; disabled ones only if their states go on."""
    return [
        force
        for force in spec.forces
        if isinstance(force, kind)
        and (isinstance(force, MuscleSpec | StateOwner) or force.applies_force)
    ]


def _constraints(spec: ModelSpec, kind: type[_Force]) -> list[_Force]:
    """The constraints of one class, in file order."""
    return [one for one in spec.constraints if isinstance(one, kind)]


def _controllers(spec: ModelSpec, kind: type[_Force]) -> list[_Force]:
    """The controllers of one class, in file order."""
    return [one for one in spec.controllers if isinstance(one, kind)]


def _path_owners(spec: ModelSpec, muscles: Sequence[MuscleSpec]) -> list[PathOwner]:
    """The forces that act along paths: muscles first, then the other classes."""
    others = [one for force in FORCES for one in _forces(spec, force.Spec)]
    return [*muscles, *(one for one in others if isinstance(one, PathOwner))]


def _coordinates(spec: ModelSpec) -> CoordinateParams:
    """Numbers of the coordinates, in joint order."""
    coordinates = [c for joint in spec.joints for c in joint.coordinates]
    return CoordinateParams(
        default_value=np.array([c.default_value for c in coordinates], float),
        default_speed_value=np.array([c.default_speed_value for c in coordinates], float),
        range=np.array([c.range for c in coordinates], float).reshape(-1, 2),
    )


def _bodies(spec: ModelSpec) -> BodyParams:
    """Mass properties, one column each."""
    return BodyParams(
        mass=np.array([b.mass for b in spec.bodies], float),
        mass_center=np.array([b.mass_center for b in spec.bodies], float).reshape(-1, 3),
        inertia=np.array([b.inertia for b in spec.bodies], float).reshape(-1, 6),
    )


def _coordinates_in_forces(paths: PathStructure, built: Mapping[str, tuple[Any, Any]]) -> set[int]:
    """The coordinates that paths, forces and constraints depend on other than through poses."""
    by_functions = function_based_path.coordinates(paths.function_based)
    of_paths = (paths.conditional_coordinate, paths.moving_coordinate, by_functions)
    return {int(c) for some in of_paths for c in some} | _given("coordinates", built)


def _given(name: str, built: Mapping[str, tuple[Any, Any]]) -> set[int]:
    """What the function of this name says for all forces and constraints that have one."""
    own = [
        getattr(one, name)(built[one.FIELD][0])
        for one in (*FORCES, *CONSTRAINTS)
        if hasattr(one, name)
    ]
    return {int(coordinate) for some in own for coordinate in some}


def compile_model(spec: ModelSpec) -> tuple[Model, Params]:
    """Structure and numbers of a model; the numbers are NumPy arrays still, in float64.

    Raises:
      UnsupportedComponentError: the file holds components that we would simulate wrongly.
      OsimFormatError: its joints do not form a tree on ground, or a coordinate moves no inertia.
    """
    _refuse_unsupported(spec)
    coordinates = [(joint, c) for joint in spec.joints for c in joint.coordinates]
    index: dict[str, int] = {}
    for number, (_, coordinate) in enumerate(coordinates):
        index.setdefault(coordinate.name, number)  # as OpenSim: a name finds the first
    rotational = np.array([JOINTS[j.kind].rotational(j, c.name) for j, c in coordinates], bool)
    muscles = _forces(spec, MuscleSpec)
    built_muscles = build_muscles(muscles)
    bodies, tree, joint_params = compile_tree(spec)
    mobod = [int(m) for m in bodies.mobod]
    paths, path_params = build_paths(spec, _path_owners(spec, muscles), index, mobod, tree)
    controls = compile_controls(spec.forces)
    states = compile_states(spec.forces)
    lookup = _lookup(spec, index, rotational, bodies, tree, paths, controls, states)
    built = {force.FIELD: force.build(_forces(spec, force.Spec), lookup) for force in FORCES}
    built |= {one.FIELD: one.build(_constraints(spec, one.Spec), lookup) for one in CONSTRAINTS}
    built |= {one.FIELD: one.build(_controllers(spec, one.Spec), lookup) for one in CONTROLLERS}
    params = Params(
        gravity=np.array(spec.gravity, float),
        bodies=_bodies(spec),
        joints=joint_params,
        coordinates=_coordinates(spec),
        paths=path_params,
        muscles=built_muscles.common,
        default_force_states=states.default,
        marker_location=np.array([m.location for m in spec.markers], float).reshape(-1, 3),
        **built_muscles.own,
        **{name: numbers for name, (_, numbers) in built.items()},
    )
    check_mass_matrix(spec, bodies, tree, params)
    pairs = [one for one, _ in built.values() if isinstance(one, PairStructure)]
    warn_of_constrained_arcs(spec.source, tree, pairs)
    structure = {
        "bodies": bodies,
        "tree": tree,
        "floating": compile_local_coordinates(
            tree,
            np.asarray(joint_params.axis),
            joint_params.functions,
            _coordinates_in_forces(paths, built),
            _given("driven_coordinates", built),
        ),
        "paths": paths,
        **{f"muscle_{name}": getattr(built_muscles, name) for name in ("rows", "modes", "states")},
        **_of_controls(controls, muscles),
        "force_states": states.structure,
        **{name: static for name, (static, _) in built.items()},
    }
    sizes = {**_sizes(spec, params, structure), **built_muscles.sizes}
    model = _model(spec, coordinates, rotational, muscles, sizes, structure)
    check_shapes(params, model.sizes)
    return _with_short_indices(model), params


def _lookup(
    spec: ModelSpec,
    coordinate: Mapping[str, int],
    rotational: np.ndarray,
    bodies: BodyStructure,
    tree: TreeStructure,
    paths: PathStructure,
    controls: Controls,
    states: States,
) -> Lookup:
    """What forces find by name."""
    return Lookup(
        source=spec.source,
        coordinate=coordinate,
        rotational=rotational,
        body={body.name: number for number, body in enumerate(spec.bodies)},
        mobod=[int(m) for m in bodies.mobod],
        support=tree.support,
        contact_geometry={geometry.name: geometry for geometry in spec.contact_geometry},
        path={name: number for number, name in enumerate(paths.names)},
        muscle={muscle.name: number for number, muscle in enumerate(_forces(spec, MuscleSpec))},
        control=controls.first,
        force_state=states.row,
    )


def _of_controls(controls: Controls, muscles: Sequence[MuscleSpec]) -> dict[str, Any]:
    """What the Model holds of its controls."""
    return {
        "control_names": controls.names,
        "min_control": controls.minimum,
        "max_control": controls.maximum,
        "muscle_control": np.array([controls.first[muscle.name] for muscle in muscles], int),
    }


def _with_short_indices(part: Any) -> Any:
    """A structure with every index array in 32 bits, which JAX takes alike in both of its modes.

    JAX 0.10 keeps, for as long as the array lives, what it made of 64 bits in one mode of x64, and
    fails with it in the other.
    """
    if isinstance(part, np.ndarray):
        return part.astype(np.int32) if part.dtype == np.int64 else part
    if isinstance(part, tuple):
        return tuple(_with_short_indices(one) for one in part)
    if isinstance(part, dict):
        return {name: _with_short_indices(one) for name, one in part.items()}
    if not is_dataclass(part) or isinstance(part, type):
        return part
    short = {f.name: _with_short_indices(getattr(part, f.name)) for f in fields(part)}
    return replace(part, **short)


def _model(
    spec: ModelSpec,
    coordinates: Sequence[tuple[JointSpec, CoordinateSpec]],
    rotational: np.ndarray,
    muscles: Sequence[MuscleSpec],
    sizes: dict[str, int],
    structure: Mapping[str, Any],
) -> Model:
    """Names and flags, with the compiled structures."""
    body_index = {body.name: i for i, body in enumerate(spec.bodies)}
    return Model(
        name=spec.name,
        source=spec.source,
        body_names=tuple(b.name for b in spec.bodies),
        joint_names=tuple(j.name for j in spec.joints),
        joint_kinds=tuple(j.kind for j in spec.joints),
        joint_paths=spec.joint_paths,
        force_paths=dict(spec.force_paths),
        joint_coordinates=_joint_coordinates(spec),
        coordinate_names=tuple(c.name for _, c in coordinates),
        muscle_names=tuple(m.name for m in muscles),
        muscle_path=np.arange(len(muscles)),
        force_names=tuple(f.name for f in spec.forces if _reports(f)),
        marker_names=tuple(m.name for m in spec.markers),
        locked=np.array([c.locked for _, c in coordinates], bool),
        clamped=np.array([c.clamped for _, c in coordinates], bool),
        dependent=_dependent(spec, coordinates),
        projects_pose=_projects_pose(spec),
        rotational=rotational,
        muscle_applies_force=np.array([m.applies_force for m in muscles], bool),
        marker_body=np.array([body_index.get(m.body, -1) for m in spec.markers], int),
        sizes=sizes,
        **structure,
    )


def _dependent(
    spec: ModelSpec, coordinates: Sequence[tuple[JointSpec, CoordinateSpec]]
) -> np.ndarray:
    """The coordinates whose values follow from those of others, `[coordinate]` bool."""
    couplers = _constraints(spec, coordinate_coupler_constraint.Spec)
    names = {coupler.dependent for coupler in couplers}
    return np.array(
        [c.is_free_to_satisfy_constraints or c.name in names for _, c in coordinates], bool
    )


def _projects_pose(spec: ModelSpec) -> bool:
    """Whether OpenSim projects the pose of a model with constraints instead of assembling it.

    It assembles only where the ConstraintSet has members, not where only joints close a loop.
    """
    of_joints = locked_angle.Spec, prescribed_motion.Spec
    constrained = any(not isinstance(one, of_joints) for one in spec.constraints)
    return constrained and not spec.has_constraint_set


def _reports(force: Any) -> bool:
    """Whether a force is part of the simulation: disabled ones other than muscles are not."""
    return isinstance(force, MuscleSpec) or force.applies_force


def _joint_coordinates(spec: ModelSpec) -> tuple[tuple[int, ...], ...]:
    """Coordinate numbers of each joint."""
    ends = np.cumsum([0, *(len(joint.coordinates) for joint in spec.joints)])
    return tuple(tuple(range(a, b)) for a, b in zip(ends[:-1], ends[1:], strict=True))


def _sizes(spec: ModelSpec, params: Params, structure: Mapping[str, Any]) -> dict[str, int]:
    """Every axis name and its length."""
    tree, paths = structure["tree"], structure["paths"]
    own: dict[str, int] = {}
    for one in (*FORCES, *CONSTRAINTS, *CONTROLLERS):
        own |= {axis: len(rows) for axis, rows in one.names(structure[one.FIELD]).items()}
        if hasattr(one, "sizes"):
            own |= one.sizes(structure[one.FIELD], getattr(params, one.FIELD))
    return {
        "body": len(spec.bodies),
        "joint": len(spec.joints),
        "coordinate": len(params.coordinates.default_value),
        "mobility": len(tree.mobility),
        "mobod": len(tree.body),
        "driven": len(structure["floating"].driven),
        "frame": len(tree.body) + 1,  # of the mobilized bodies, and ground
        "term": len(tree.term_axis),
        "control": len(structure["control_names"]),
        "muscle": len(params.muscles.max_isometric_force),
        "path": len(paths.names),
        "point": len(paths.point_body),
        "moving": len(paths.moving_point),
        "conditional": len(paths.conditional_point),
        "rigid": len(paths.rigid.start),
        "arm": len(paths.arms.path),
        "function_arm": len(paths.arms.given),
        "segment": len(paths.flexible.start),
        **wrap_sizes(params.paths),
        "force_state": len(params.default_force_states),
        "marker": len(spec.markers),
        "equation": sum(one.equation_count(structure[one.FIELD]) for one in CONSTRAINTS),
        **own,
        **{law.FIELD: len(rows.mobod) for law, rows in zip(LAWS, tree.laws, strict=True)},
        **function_sizes("joints.functions", params.joints.functions),
        **function_sizes("paths.functions", params.paths.functions),
        **function_based_path.sizes(params.paths.function_based),
    }
