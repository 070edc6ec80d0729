"""What is refused, or warned of, once a model's structure and numbers are known."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

import warnings
from collections.abc import Sequence

import numpy as np

from jaxosim.constraints.constraint import PairStructure
from jaxosim.errors import OsimFormatError
from jaxosim.joints import LAWS, constant_curvature_joint
from jaxosim.models.singularity import singular_coordinate
from jaxosim.models.spec import ModelSpec
from jaxosim.structure import BodyStructure, TreeStructure
from jaxosim.types import Params


def check_mass_matrix(
    spec: ModelSpec, bodies: BodyStructure, tree: TreeStructure, params: Params
) -> None:
    """Refuse a mass matrix that is singular in any pose; warn of one that is in some.

    OpenSim refuses massless outermost bodies by name. Elsewhere its accelerations are NaN, or of
    the wrong sign where an inertia is negative.

    Args:
      spec: what the file says.
      bodies: the bodies.
      tree: the tree of mobilized bodies.
      params: its numbers, NumPy arrays in float64.

    Raises:
      OsimFormatError: a coordinate moves no inertia.
    """
    found = singular_coordinate(bodies, tree, params.joints, params.bodies, params.coordinates)
    if found is None:
        return
    coordinate, at_default, everywhere = found
    joint = int(tree.coordinate_joint[coordinate])
    slot = int(tree.coordinate_slot[coordinate])
    mobod = int(np.flatnonzero(tree.joint == joint)[0])
    beyond = np.flatnonzero(tree.descendants[mobod])
    mass = sum(spec.bodies[b].mass for b in np.flatnonzero(np.isin(bodies.mobod, beyond)))
    name, body = spec.joints[joint].coordinates[slot].name, spec.bodies[int(tree.body[mobod])].name
    what = f"coordinate '{name}' of joint '{spec.joints[joint].name}'"
    if mass == 0.0 and at_default:
        raise OsimFormatError(
            f"{spec.source}: expected body '{body}' to have mass, or to carry or be welded to a "
            f"body that has: {what} moves it"
        )
    if everywhere:
        raise OsimFormatError(
            f"{spec.source}: expected {what} to move a positive inertia that no other coordinate "
            f"moves alike (body '{body}'): the mass matrix is singular"
        )
    warnings.warn(
        f"{spec.source}: the mass matrix is singular at the default pose, because of {what}: "
        "OpenSim's accelerations are NaN there; start from another pose"
        if at_default
        else f"{spec.source}: the mass matrix is not positive definite in some poses, because of "
        f"{what} and a body with a negative moment of inertia: accelerations differ from OpenSim's "
        "there",
        stacklevel=2,
    )


def warn_of_constrained_arcs(
    source: str, tree: TreeStructure, constraints: Sequence[PairStructure]
) -> None:
    """Warn of constraints between bodies on both sides of a ConstantCurvatureJoint.

    Its speeds are not the rates of its poses, as in OpenSim, so that a motion whose rates satisfy
    the constraint leaves it, and comes back as the integrator has it.

    Args:
      source: of the model.
      tree: the tree of mobilized bodies.
      constraints: one structure for each class of constraints between two bodies.
    """
    arcs = tree.laws[LAWS.index(constant_curvature_joint)].mobod
    # A body beyond the last stands for ground, which hangs on no joint.
    beyond = np.pad(np.asarray(tree.descendants, bool)[arcs], ((0, 0), (0, 1)))
    names = [
        name
        for one in constraints
        for name, first, second in zip(one.names, one.first, one.second, strict=True)
        if (beyond[:, first] != beyond[:, second]).any()
    ]
    if names:
        warnings.warn(
            f"{source}: constraint(s) {', '.join(names)} hold bodies on both sides of a "
            "ConstantCurvatureJoint, whose speeds are not the rates of its poses, as in OpenSim: "
            "accelerations are OpenSim's, motions may part from its",
            stacklevel=2,
        )
