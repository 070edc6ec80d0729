"""ExternalForce: measured forces, points and torques on bodies, as functions of time through data.

An ExternalLoads file lists the forces and names one table. Its columns are interpolated by natural
cubic splines, by straight lines if there are two or three rows, and by constants if there is one.

Source: OpenSim `ExternalForce`, `ExternalLoads`; see docs/theory/two_frame_forces.md, "External
forces".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import take, take_or_zero
from jaxosim.arrays.linalg import matmul, matvec, transpose
from jaxosim.errors import OsimFormatError, OsimFormatWarning, quote
from jaxosim.forces import wrenches
from jaxosim.forces.force import BodyFrames, Description, ForceInfo, Kinematics
from jaxosim.functions import piecewise_linear_function
from jaxosim.functions.bank import LARGEST_TABLE
from jaxosim.functions.gcv_spline import natural_spline_pieces
from jaxosim.models.lookup import Lookup
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component, resolve_named_frame
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import GROUND, FrameSpec
from jaxosim.pytree import array, pytree

FIELD = "external_forces"
TAGS = ("ExternalForce",)
_PARTS = ("force", "point", "torque")
_NONE = ("", "Unassigned")  # identifiers of a part that is absent
_HALF_ORDER = 2  # of the splines: cubic


@dataclass(frozen=True, eq=False)
class DataSource:
    """A table of numbers against time, which all forces of an ExternalLoads share."""

    owner: str  # the ExternalLoads file, for messages
    name: str  # the table's file
    labels: tuple[str, ...]  # of the columns, time left out
    time: np.ndarray  # [row] (s)
    values: np.ndarray  # [row, column]


@dataclass(frozen=True)
class Spec:
    """The frames of one force, and the columns of its force, point and torque, none if absent."""

    name: str
    applied_to: FrameSpec
    force_expressed_in: FrameSpec
    point_expressed_in: FrameSpec
    columns: tuple[tuple[int, ...], ...]
    data: DataSource
    applies_force: bool = True


@dataclass(frozen=True, eq=False)
class Structure:
    """The bodies of each force, and which of its parts there are."""

    names: tuple[str, ...]
    body: np.ndarray  # [3, external_force] applied to, force and point expressed in; −1 for ground
    mobod: np.ndarray  # [3, external_force] that carry them; −1 finds ground, the last frame
    given: np.ndarray  # [external_force, 3] bool: force, point, torque
    column: np.ndarray  # [external_force * 9] of the data; their number where a part is absent


@pytree
class Params:
    """Frames on their bodies, and the cubics through the data, each expanded about its knot."""

    translation: jax.Array = array(3, "external_force", 3, unit="m")
    orientation: jax.Array = array(3, "external_force", 3, unit="rad")
    knots: jax.Array = array("external_piece", unit="s")  # the first one twice
    coefficients: jax.Array = array("external_piece", "external_column", 4, unit="mixed")


@pytree
class Instance:
    """The frames in the mobilized bodies that carry them."""

    rotation: jax.Array = array(3, "external_force", 3, 3, unit="1")
    position: jax.Array = array(3, "external_force", 3, unit="m")


@pytree
class Info(ForceInfo):
    """What each force does: force and torque in ground, the point in the frame it is applied to."""

    force: jax.Array = array("external_force", 3, unit="N")
    point: jax.Array = array("external_force", 3, unit="m")
    torque: jax.Array = array("external_force", 3, unit="N·m")
    wrench: jax.Array = array("mobod", 6, unit="N·m, N")  # about the common point


@pytree
class Outputs:
    """What each force reports, as in Info."""

    force: jax.Array = array("external_force", 3, unit="N")
    point: jax.Array = array("external_force", 3, unit="m")
    torque: jax.Array = array("external_force", 3, unit="N·m")


def read(context: Context, component: Component) -> Spec:
    """What the file says of one force.

    Raises:
      OsimFormatError: no table goes with it, it names no force or torque or a point without a
        force, an identifier does not begin the labels of three columns or one of these is not
        finite, or there is no such body.
    """
    element = component.element
    assert element is not None
    data = context.external_data
    if data is None:
        raise element.error(
            "expected the force in a file of ExternalLoads, which names the table of its data and "
            "is passed to load_model as external_loads"
        )
    force, point, torque = (_read_columns(context, element, part, data) for part in _PARTS)
    if not force and (point or not torque):
        raise element.error("expected a force_identifier, or a torque_identifier without a point")
    return Spec(
        name=element.name,
        applied_to=resolve_named_frame(context, component, "applied_to_body"),
        force_expressed_in=_expressed_in(context, component, "force_expressed_in_body"),
        point_expressed_in=_expressed_in(context, component, "point_expressed_in_body"),
        columns=(force, point, torque),
        data=data,
        applies_force=context.boolean(element, "appliesForce", True),
    )


def _read_columns(
    context: Context, element: Element, part: str, data: DataSource
) -> tuple[int, ...]:
    """The three columns whose labels begin with an identifier, none if it names nothing."""
    identifier = context.text(element, f"{part}_identifier")
    if identifier in _NONE:
        return ()
    found = [i for i, label in enumerate(data.labels) if label.startswith(identifier)]
    if len(found) != len(_PARTS) or "time".startswith(identifier):
        raise element.error(
            f"expected three columns of {data.name} whose labels begin with the {part}_identifier "
            f"{quote(identifier)}, found {len(found)}"
        )
    for column in found:
        if not np.all(np.isfinite(data.values[:, column])):
            label = quote(data.labels[column])
            raise element.error(f"expected finite numbers in column {label} of {data.name}")
    return tuple(found)


def _expressed_in(context: Context, component: Component, tag: str) -> FrameSpec:
    """The frame in which numbers are expressed; ground, with a warning, if there is none."""
    element = component.element
    assert element is not None
    if context.text(element, tag) in ("", GROUND):
        return FrameSpec(GROUND)
    try:
        return resolve_named_frame(context, component, tag)
    except OsimFormatError as error:
        message = f"{context.external_data.owner}: {error}; ground is taken, as in OpenSim"
        warnings.warn(message, OsimFormatWarning, stacklevel=2)
        return FrameSpec(GROUND)


def build(specs: Sequence[Spec], lookup: Lookup) -> tuple[Structure, Params]:
    """Indices and numbers, which are SI already.

    Raises:
      OsimFormatError: the data are so long that their splines have no place.
    """
    frames = [[s.applied_to for s in specs], [s.force_expressed_in for s in specs]]
    frames.append([s.point_expressed_in for s in specs])
    body = np.array([lookup.bodies([one.body for one in row]) for row in frames], int)
    used = sorted({column for spec in specs for part in spec.columns for column in part})
    place = {column: number for number, column in enumerate(used)}
    absent = (len(used),) * 3
    columns = [tuple(place[c] for c in part) or absent for spec in specs for part in spec.columns]
    structure = Structure(
        names=tuple(spec.name for spec in specs),
        body=body.reshape(3, -1),
        mobod=lookup.carriers(body).reshape(3, -1),
        given=np.array([[bool(p) for p in s.columns] for s in specs], bool).reshape(-1, 3),
        column=np.array(columns, int).reshape(-1),
    )
    knots, coefficients = np.zeros(0), np.zeros((0, 0, 4))
    if specs:
        knots, coefficients = _splines(specs[0].data, used)
    params = Params(
        translation=_numbers(frames, "translation"),
        orientation=_numbers(frames, "orientation"),
        knots=knots,
        coefficients=coefficients,
    )
    return structure, params


def _numbers(frames: Sequence[Sequence[FrameSpec]], field: str) -> np.ndarray:
    """A property of all frames, `[3, external_force, 3]`."""
    return np.array([[getattr(one, field) for one in row] for row in frames], float).reshape(
        3, -1, 3
    )


def _splines(data: DataSource, used: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Knots `[piece]`, the first one twice, and cubics `[piece, column, 4]` of the used columns."""
    rows, count = len(data.time), len(used)
    if rows * count > LARGEST_TABLE:
        raise OsimFormatError(
            f"{data.name}: expected at most {LARGEST_TABLE} numbers in the columns of external "
            f"forces, found {rows} rows of {count}"
        )
    cubics = np.zeros((rows + 1, count, 4))
    for number, column in enumerate(used):
        y = data.values[:, column]
        if rows == 1:
            pieces = np.full((2, 1), y[0])
        elif rows < 2 * _HALF_ORDER:
            lines = piecewise_linear_function.lines(data.time, y)
            pieces = np.concatenate([lines[:1], lines, [[y[-1], lines[-1, 1]]]])
        else:
            pieces = natural_spline_pieces(data.time, y, _HALF_ORDER)
        cubics[:, number, : pieces.shape[1]] = pieces
    return np.append(data.time[:1], data.time), cubics


def sizes(structure: Structure, params: Params) -> dict[str, int]:
    """Lengths of the other axes."""
    pieces, columns, _ = params.coefficients.shape
    return {"external_piece": pieces, "external_column": columns}


def names(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Who owns the rows of an axis."""
    return {"external_force": structure.names}


def realize_instance(structure: Structure, params: Params, frames: BodyFrames) -> Instance:
    """The frames in the mobilized bodies that carry them."""
    return Instance(
        rotation=frames.turned(structure.body, params.orientation),
        position=frames.carried(structure.body, params.translation),
    )


def evaluate(
    structure: Structure,
    params: Params,
    instance: Instance,
    kinematics: Kinematics,
    controls: jax.Array,
) -> Info:
    """Forces of all, at this time."""
    data = take_or_zero(_at_time(params, kinematics.time), structure.column)
    force, point, torque = jnp.moveaxis(data.reshape(-1, 3, 3), 1, 0)
    pose = take(kinematics.pose, structure.mobod.reshape(-1)).reshape(3, -1, 3, 4)
    rotation = matmul(pose[..., :3], instance.rotation)
    origin = matvec(pose[..., :3], instance.position) + pose[..., 3]
    force, torque = matvec(rotation[1], force), matvec(rotation[1], torque)
    given = origin[2] + matvec(rotation[2], point)
    point = jnp.where(structure.given[:, 1:2], given, origin[0])
    wrench = wrenches.force_wrenches(point, force) + wrenches.torque_wrenches(torque)
    return Info(
        force=force,
        point=matvec(transpose(rotation[0]), point - origin[0]),
        torque=torque,
        wrench=wrenches.on_bodies(wrench, structure.mobod[0], kinematics),
    )


def _at_time(params: Params, time: jax.Array) -> jax.Array:
    """The values of all columns `[external_column]`; beyond the data the end pieces go on."""
    piece = _piece(params.knots, time)
    dt = time - jnp.take(params.knots, piece, mode="clip")
    cubic = jnp.take(params.coefficients, piece, axis=0, mode="clip")
    return cubic[:, 0] + dt * (cubic[:, 1] + dt * (cubic[:, 2] + dt * cubic[:, 3]))


def _piece(knots: jax.Array, time: jax.Array) -> jax.Array:
    """The last piece that begins at this time or before, by bisection: tables have many rows."""
    last = len(knots) - 1
    piece = jnp.zeros_like(time, int)
    for power in reversed(range(last.bit_length())):
        later = piece + (1 << power)
        begun = (later <= last) & (time >= jnp.take(knots, later, mode="clip"))
        piece = jnp.where(begun, later, piece)
    return piece


def outputs(structure: Structure, info: Info, body_position: jax.Array) -> Outputs:
    """What OpenSim reports, as arrays."""
    return Outputs(force=info.force, point=info.point, torque=info.torque)


def records(structure: Structure, outputs: Outputs) -> dict[str, list[float]]:
    """Record values by name: force, point and torque, as far as they are given."""
    rows = np.stack([np.asarray(getattr(outputs, part)) for part in _PARTS], axis=1)
    return {
        name: row[given].reshape(-1).tolist()
        for name, row, given in zip(structure.names, rows, structure.given, strict=True)
    }


def describe(structure: Structure, coordinate_names: Sequence[str]) -> Description:
    """How many there are."""
    rows = [(name, "a body, by measured data") for name in structure.names]
    return Description(str(len(structure.names)), rows)
