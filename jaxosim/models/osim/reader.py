"""An `.osim` file → what it says, as a ModelSpec.

The file is parsed (`xml`), brought to the newest dialect (`upgrade`) and read set by
set. What would change the dynamics and is not simulated is listed in `ModelSpec.unsupported`; what
OpenSim itself would not accept, or would simulate as NaN, is an `OsimFormatError`. No other file is
opened, whatever the file refers to, but for contact meshes and controls within its folder.
"""

import os
import warnings
from pathlib import Path

from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.models.external_loads import ExternalLoads
from jaxosim.models.osim.constraints import read_constraints
from jaxosim.models.osim.context import CannotContinue, Context
from jaxosim.models.osim.controllers import read_controllers
from jaxosim.models.osim.frames import (
    Component,
    component_paths,
    component_tree,
    resolve_point,
    resolve_pose,
    set_members,
)
from jaxosim.models.osim.graph import hang_in_chains, tie_to_ground
from jaxosim.models.osim.joints import read_joint
from jaxosim.models.osim.loops import cut_loops
from jaxosim.models.osim.refusals import (
    BODIES,
    FORCE_READERS,
    GEOMETRY,
    JOINT_CLASSES,
    refuse_classes,
    refuse_force,
    refuse_other_files,
    refuse_parts,
)
from jaxosim.models.osim.upgrade import upgrade
from jaxosim.models.osim.values import noting_commas, numbers
from jaxosim.models.osim.xml import (
    LATEST_VERSION,
    Document,
    Element,
    parse_document,
    read_bytes,
)
from jaxosim.models.spec import (
    GROUND,
    ZERO,
    BodySpec,
    ConstraintSpec,
    ContactGeometrySpec,
    ControllerSpec,
    ForceSpec,
    JointSpec,
    MarkerSpec,
    ModelSpec,
)
from jaxosim.paths.read_wraps import wrap_objects
from jaxosim.structure import ComponentPath

_GRAVITY = (0.0, -9.80665, 0.0)


def read_model(path: str | os.PathLike) -> ModelSpec:
    """Read a model file.

    Raises:
      OsimFormatError: the file is not a readable OpenSim model.
    """
    return parse_model(read_bytes(path), os.fspath(path), home=Path(path).parent)


def parse_model(
    data: bytes,
    source: str,
    external_loads: ExternalLoads | None = None,
    home: Path | None = None,
) -> ModelSpec:
    """Read a model from the bytes of a file.

    Args:
      data: The whole file.
      source: What to call it in messages and in the spec.
      external_loads: Forces of another file, which act on the model too.
      home: The folder of the file, in which meshes and controls are looked for; None to open none.

    Raises:
      OsimFormatError: the bytes are not a readable OpenSim model.
    """
    try:
        with noting_commas() as noted:
            document = parse_document(data)
            upgrade(document.model, document.version)
            context = Context(home=home)
            spec = _read_document(context, document, source, external_loads)
    except OsimFormatError as error:
        raise OsimFormatError(f"{source}: {error}") from error
    if document.version > LATEST_VERSION:
        warnings.warn(
            f"{source}: Version {document.version} is of a later OpenSim than 4.6; it is read as "
            f"Version {LATEST_VERSION}, as OpenSim 4.6 does",
            OsimFormatWarning,
            stacklevel=2,
        )
    if noted:
        context.notes["passed over commas between numbers"] = noted
    for message, elements in context.notes.items():
        first, lines = elements[0], len({element.line for element in elements})
        more = f", and on {lines - 1} more lines" if lines > 1 else ""
        text = f"{source}: line {first.line}: {first.path()}: {message}{more}"
        warnings.warn(text, OsimFormatWarning, stacklevel=2)
    return spec


def _read_document(
    context: Context, document: Document, source: str, external_loads: ExternalLoads | None
) -> ModelSpec:
    model = document.model
    name, gravity = model.name or "model", _GRAVITY
    bodies: tuple[BodySpec, ...] = ()
    joints: tuple[JointSpec, ...] = ()
    forces: tuple[ForceSpec, ...] = ()
    joint_paths: tuple[ComponentPath, ...] = ()
    force_paths: dict[str, ComponentPath] = {}
    geometry: tuple[ContactGeometrySpec, ...] = ()
    markers: tuple[MarkerSpec, ...] = ()
    constraints: tuple[ConstraintSpec, ...] = ()
    controllers: tuple[ControllerSpec, ...] = ()
    try:
        refuse_other_files(context, model)
        defaults = model.child("defaults")
        for element in reversed(defaults.children if defaults else []):
            context.defaults[element.tag] = element
        gravity = context.vector(model, "gravity", _GRAVITY)
        has_other_files = bool(context.unsupported)
        tree = component_tree(model)
        context.wrap_objects = wrap_objects(tree)
        refuse_parts(context, model, tree)
        if has_other_files:
            raise CannotContinue
        bodies = _read_bodies(context, tree)
        bodies, joints, owners, loops = _read_joints(context, tree, bodies)
        joint_paths = tuple(component_paths(tree, owners))
        geometry = _read_geometry(context, tree)
        forces, force_paths = _read_forces(context, tree)
        markers = _read_markers(context, tree)
        constraints = (*read_constraints(context, tree, joints), *loops)
        controllers = read_controllers(context, tree, forces, document.version)
        if external_loads is not None:
            forces += _read_external_forces(context, tree, external_loads, forces)
    except CannotContinue:
        refuse_classes(context, model)  # the list says why; nobody will compile the rest
    return ModelSpec(
        name=name,
        source=source,
        version=document.version,
        gravity=gravity,
        bodies=bodies,
        joints=joints,
        joint_paths=joint_paths,
        forces=forces,
        force_paths=force_paths,
        constraints=constraints,
        has_constraint_set=bool(tree.parts["constraintset"].parts),
        controllers=controllers,
        contact_geometry=geometry,
        markers=markers,
        unsupported=tuple(context.unsupported),
        files=tuple(context.files),
    )


def _members(tree: Component, set_name: str, only: str | None, *classes: str) -> list[Component]:
    """The components of a set and those of some classes outside; another class may be an error."""
    members = set_members(tree, set_name, *classes)
    for member in members:
        if only is not None and member.element is not None and member.element.tag != only:
            raise member.element.error(f"expected a {only}, found a {member.element.tag}")
    return members


def _read_bodies(context: Context, tree: Component) -> tuple[BodySpec, ...]:
    """All bodies; joints, frames and points know them by name."""
    bodies: dict[str, BodySpec] = {}
    for component in _members(tree, "bodyset", "Body", *BODIES):
        body = _read_body(context, component)
        if body.name in bodies:
            # OpenSim differs: it tells a body of the BodySet from one of the components by path.
            assert component.element is not None
            raise component.element.error(
                "expected another name than that of a body in the BodySet"
            )
        bodies[body.name] = body
    return tuple(bodies.values())


def _read_body(context: Context, body: Component) -> BodySpec:
    element = body.element
    assert element is not None
    if element.name == GROUND:
        # OpenSim differs: it keeps this body and its real ground apart.
        raise element.error(f"expected a body of another name than {GROUND}")
    mass = context.number(element, "mass", None, least=0)
    inertia = context.value(element, "inertia")
    values = numbers(inertia, 6) if inertia else (0.0,) * 6
    if mass == 0.0:
        values = (0.0,) * 6  # as OpenSim does, with a warning
    xx, yy, zz, xy, xz, yz = values
    mass_center = context.vector(element, "mass_center", ZERO)
    return BodySpec(element.name, mass, mass_center, (xx, yy, zz, xy, xz, yz))


def _read_joints(
    context: Context, tree: Component, bodies: tuple[BodySpec, ...]
) -> tuple[
    tuple[BodySpec, ...], tuple[JointSpec, ...], list[Component], tuple[ConstraintSpec, ...]
]:
    """All bodies, joints, their components, and what closes loops.

    Coordinates that a path may name join the tree of components.
    """
    members = _members(tree, "jointset", None, *JOINT_CLASSES)
    read = tuple(read_joint(context, joint) for joint in members)
    joints = tie_to_ground(bodies, read)
    added = joints[len(read) :]
    if added and hang_in_chains(read):
        body = added[0].child.body
        assert tree.element is not None
        raise tree.element.error(
            f"expected a joint of body {body!r}: beside chains of joints OpenSim fails to add one"
        )
    home = tree.parts["jointset"]
    owners = members + [home.add(joint.name, None) for joint in joints[len(read) :]]
    cut = cut_loops(context, bodies, joints)
    seen: set[str] = set()
    told_apart = []
    for joint, owner in zip(cut.joints, owners, strict=True):
        names = {c.name: _unique(c.name, joint.name, seen) for c in joint.coordinates}
        for name, unique in names.items():
            part = owner.parts.get(name) or owner.add(name, Element("Coordinate"))
            if part.element is not None:
                part.element.name = unique
        told_apart.append(joint.renamed(names))
    context.coordinates = frozenset(seen)
    return cut.bodies, tuple(told_apart), owners, cut.constraints


def _unique(name: str, joint: str, seen: set[str]) -> str:
    """A coordinate's name in the spec: of several alike, later ones bear their joint's name too.

    As in OpenSim, where the bare name finds the first and only a path the others.
    """
    unique, count = name, 0
    while unique in seen:
        unique = f"{joint}{f'_{count}' if count else ''}/{name}"
        count += 1
    seen.add(unique)
    return unique


def _read_geometry(context: Context, tree: Component) -> tuple[ContactGeometrySpec, ...]:
    """All contact geometry that can be simulated; forces look up the rest as well."""
    members = _members(tree, "contactgeometryset", None, *GEOMETRY)
    for member in members:
        if member.element is not None:
            context.contact_geometry.setdefault(member.element.name, member.element)
    shapes = [_read_shape(context, member) for member in members]
    return tuple(shape for shape in shapes if shape is not None)


def _read_shape(context: Context, geometry: Component) -> ContactGeometrySpec | None:
    """A shape that a force may touch; None for any other: inert unless a force names it."""
    element = geometry.element
    assert element is not None
    if element.tag not in GEOMETRY:
        return None
    frame = resolve_pose(context, geometry, "socket_frame")
    radius, semi_axes = 0.0, (0.0, 0.0, 0.0)
    if element.tag == "ContactSphere":
        # OpenSim differs: with a negative one, forces become NaN.
        radius = context.number(element, "radius", 0.0, least=0)
    if element.tag == "ContactEllipsoid":
        semi_axes = context.vector(element, "radii", semi_axes)
    return ContactGeometrySpec(element.tag, element.name, frame, radius, semi_axes)


def _read_forces(
    context: Context, tree: Component
) -> tuple[tuple[ForceSpec, ...], dict[str, ComponentPath]]:
    """All forces, in the order in which OpenSim adds them to its system, as controls are."""
    forces: dict[str, ForceSpec] = {}
    known: list[Component] = []
    members = _members(tree, "forceset", None, *FORCE_READERS)
    for component in sorted(members, key=lambda one: one.owner is not tree):
        element = component.element
        assert element is not None
        if element.tag not in FORCE_READERS:
            refuse_force(context, element)
        elif element.name in forces:
            # OpenSim differs: it tells a force of the ForceSet from one of the components by path.
            raise element.error("expected another name than that of a force outside its set")
        else:
            forces[element.name] = FORCE_READERS[element.tag](context, component)
            known.append(component)
    paths = component_paths(tree, known)
    return tuple(forces.values()), dict(zip(forces, paths, strict=True))


def _read_external_forces(
    context: Context, tree: Component, loads: ExternalLoads, others: tuple[ForceSpec, ...]
) -> tuple[ForceSpec, ...]:
    """The forces of another file; each must have a name that no force of the model has."""
    taken, forces = {force.name for force in others}, []
    try:
        for component in loads.components(context, tree):
            element = component.element
            assert element is not None
            if element.name in taken:
                # OpenSim differs: it tells the two apart by path.
                raise element.error("expected another name than that of a force of the model")
            forces.append(FORCE_READERS[element.tag](context, component))
    except OsimFormatError as error:
        raise OsimFormatError(f"{loads.source}: {error}") from error
    return tuple(forces)


def _read_markers(context: Context, tree: Component) -> tuple[MarkerSpec, ...]:
    markers = []
    for marker in _members(tree, "markerset", "Marker", "Marker"):
        assert marker.element is not None
        body, location = resolve_point(context, marker, "socket_parent_frame")
        markers.append(MarkerSpec(marker.element.name, body, location))
    return tuple(markers)
