"""What of a file is not simulated: parts, classes and options, refused by name.

Everything is noted in the context, so that a file's list is complete.
"""

import re

from jaxosim.forces import FORCES
from jaxosim.joints import JOINTS
from jaxosim.models.osim.constraints import CONSTRAINT_CLASSES, refuse_constraint
from jaxosim.models.osim.context import Context, member_list
from jaxosim.models.osim.controllers import CONTROLLER_CLASSES, refuse_controller
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.joints import refuse_joint
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import GROUND
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.muscle import refuse_options
from jaxosim.paths import read as paths

# Elements of the Model with a reader below, and those without any effect on the motion.
_READ_SETS = (
    *("BodySet", "JointSet", "ForceSet", "ConstraintSet", "ControllerSet"),
    *("ContactGeometrySet", "MarkerSet", "Ground"),
)


_INERT_PARTS = frozenset(
    {
        "defaults",
        "credits",
        "publications",
        "length_units",
        "force_units",
        "gravity",
        "assembly_accuracy",
        "ProbeSet",
        "AnalysisSet",
        "VisibleObject",
        "ModelVisualPreferences",
        "FrameSet",  # its frames have moved to `components` by now
    }
)


# Classes of the members of sets of which not all are read; OpenSim refuses others.
_MEMBERS = {
    "ContactGeometrySet": "Contact(Sphere|HalfSpace|Ellipsoid|Mesh|Cylinder|Torus)",
    "ProbeSet": r"\w+Probe",
}


BODIES = ("Body",)


JOINT_CLASSES = tuple(JOINTS)


GEOMETRY = ("ContactSphere", "ContactHalfSpace", "ContactEllipsoid", "ContactMesh")


CONSTRAINTS = tuple(CONSTRAINT_CLASSES)


CONTROLLERS = tuple(CONTROLLER_CLASSES)


FORCE_READERS = {tag: force.read for force in (*MUSCLES, *FORCES) for tag in force.TAGS}


# Classes that came after OpenSim 4.6, and the version that brings them.
_LATER_FORCES = {"ExponentialCoordinateLimitForce": "4.6.1", "CoordinateLinearStopForce": "4.6.1"}


_REFUSED_FORCES = {
    "ExponentialContactForce": "not simulated: its friction spring is moved once in each step of "
    "the integrator, so that OpenSim's motion depends on the steps",
}


# Components without mass, force or constraint. Frames matter only to those who hang on them.
_INERT_COMPONENTS = frozenset(
    {
        "PhysicalOffsetFrame",
        "StationDefinedFrame",
        "Station",
        "Marker",
        "IMU",
        "Mesh",
        "Brick",
        "Sphere",
        "Ellipsoid",
        "Cylinder",
        "Cone",
        "Torus",
        "Arrow",
        "LineGeometry",
        "FrameGeometry",
        "ModelVisualPreferences",
        "Bhargava2004SmoothedMuscleMetabolics",
    }
)


# Parts of an element in which a reference to another file can do no harm.
_UNREAD = frozenset({"VisibleObject", "attached_geometry", "Appearance", "FrameGeometry"})


def refuse_other_files(context: Context, model: Element) -> None:
    """Refuse elements that stand in files of their own."""
    pending = [model]
    while pending:
        element = pending.pop()
        if element.file:
            context.refuse(element.tag, element.file, "other files are never opened")
        for child in element.children:
            if child.tag not in _UNREAD and not (element is model and child.tag in _INERT_PARTS):
                pending.append(child)


def refuse_classes(context: Context, model: Element) -> None:
    """Complete the list where reading had to stop: joints and forces, by their classes alone."""
    for joint in member_list(model, "JointSet"):
        if joint.tag not in JOINT_CLASSES:
            refuse_joint(context, joint)
    for force in member_list(model, "ForceSet"):
        refuse_force(context, force)
    for constraint in member_list(model, "ConstraintSet"):
        refuse_constraint(context, constraint)
    for controller in member_list(model, "ControllerSet"):
        refuse_controller(context, controller)


def refuse_force(context: Context, force: Element) -> None:
    """Refuse a force of an unknown class, and what would not be simulated of any."""
    if context.boolean(force, "appliesForce", True):
        if force.tag not in FORCE_READERS:
            later = _LATER_FORCES.get(force.tag)
            which = f"this class, which comes with OpenSim {later}," if later else "this class"
            reason = _REFUSED_FORCES.get(force.tag, f"forces of {which} are not simulated")
            reason = f"{reason}; to go without, set appliesForce to false"
            context.refuse(force.tag, force.name, reason)
        _refuse_options_of(context, force)


def _refuse_options_of(context: Context, force: Element) -> None:
    """Refuse what would not be simulated of a force of an unknown class if its class were known."""
    refuse_options(context, force)
    paths.refuse_parts(context, force)


def refuse_parts(context: Context, model: Element, tree: Component) -> None:
    """Refuse what stands in the model besides the sets that are read, unless it is inert."""
    for tag in dict.fromkeys(part.tag for part in model.children):
        members = member_list(model, tag)
        if tag in ("components", "ComponentSet"):
            # Which are read with the sets.
            forces = (*FORCE_READERS, *CONSTRAINTS, *CONTROLLERS)
            known = (*BODIES, *JOINT_CLASSES, *GEOMETRY, *forces)
            _refuse_components(context, [m for m in members if m.tag not in known])
        elif tag not in _INERT_PARTS and tag not in _READ_SETS:
            context.refuse(tag, model.name, "this part of a Model is unknown")
        for member in members if tag in _MEMBERS else ():
            if not re.fullmatch(_MEMBERS[tag], member.tag):
                reason = f"no known class of a {tag}; to go without, take it out"
                context.refuse(member.tag, member.name, reason)
    owners = [tree.parts[GROUND]]
    for set_name in (tag.lower() for tag in _READ_SETS if tag != "Ground"):
        owners += tree.parts[set_name].parts.values()
    while owners:
        owner = owners.pop()
        owners += owner.parts.values()
        _refuse_components(context, member_list(owner.element, "components"))


def _refuse_components(context: Context, components: list[Element]) -> None:
    for element in components:
        reports = "Probe" in element.tag or "Reporter" in element.tag
        flags = ("appliesForce", "isEnforced", "enabled")
        works = all(context.boolean(element, flag, True) for flag in flags)
        if works and not reports and element.tag not in _INERT_COMPONENTS:
            reason = "components of this class are unknown; to go without, take them out"
            context.refuse(element.tag, element.name, reason)
            _refuse_options_of(context, element)
