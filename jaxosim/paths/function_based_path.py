"""FunctionBasedPath: length, moment arms and lengthening speed as functions of coordinates.

Without functions for them, moment arms are the negative derivatives of the length, and the
lengthening speed is that at which the coordinates change it. A tension acts on the coordinates by
the moment arms; no body feels the path otherwise.

Source: OpenSim `FunctionBasedPath`; see docs/theory/paths.md, "Paths given by functions".
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, put, segment_sum, take
from jaxosim.errors import quote
from jaxosim.functions import FunctionSpec, multivariate
from jaxosim.functions.bank import function_sizes
from jaxosim.functions.multivariate import MultivariateBank, MultivariateParams
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.functions import argument_count, is_constant, read_function_element
from jaxosim.models.osim.values import words
from jaxosim.models.osim.xml import Element
from jaxosim.pytree import pytree

TAG = "FunctionBasedPath"
FIELD = "function_based"  # of PathStructure and PathParams


@dataclass(frozen=True)
class Spec:
    """Functions of some coordinates."""

    coordinates: tuple[str, ...]
    length: FunctionSpec
    moment_arms: tuple[FunctionSpec, ...] = ()  # one for each coordinate, or none
    lengthening_speed: FunctionSpec | None = None  # of the coordinates, then of their speeds


@dataclass(frozen=True, eq=False)
class Structure:
    """The functions of all such paths, and what the moment arms act on."""

    path: np.ndarray  # [function_based_path] among all paths
    lengths: MultivariateBank  # [function_based_path]
    moment_arms: MultivariateBank  # [given arm]
    lengthening_speeds: MultivariateBank  # [given speed] of all coordinates, then all speeds
    slope: np.ndarray  # [arm from the length] entry of the lengths' derivatives
    arm_path: (
        np.ndarray
    )  # [function_arm] among all paths; those from lengths first, then those given
    arm_coordinate: np.ndarray  # [function_arm]
    speed_path: np.ndarray  # [given speed] among all paths
    has_speed: np.ndarray  # [path] bool


@pytree
class Params:
    """Numbers of the functions."""

    lengths: MultivariateParams = dataclasses.field()  # m
    moment_arms: MultivariateParams = dataclasses.field()  # m | 1
    lengthening_speeds: MultivariateParams = dataclasses.field()  # m/s


def read(context: Context, owner: Component, element: Element) -> Spec | None:
    """What the file says of one path; None if one of its functions was refused.

    Args:
      context: of the file.
      owner: the force that owns the path.
      element: of the path.

    Raises:
      OsimFormatError: a coordinate that does not exist or is listed twice, a length that is
        missing, or a function of another number of arguments.
    """
    paths = words(context.property(element, "coordinate_paths"))
    if not paths:
        raise element.error("expected at least one coordinate in coordinate_paths")
    names = tuple(_coordinate(owner, element, path) for path in paths)
    if len(set(paths)) < len(paths):
        raise element.error("expected each coordinate once in coordinate_paths")
    refused = len(context.unsupported)
    length, arms, speed = read_functions(context, element)
    if len(context.unsupported) > refused:
        return None
    if length is None:
        raise element.error("expected a length_function")
    if len(arms) not in (0, len(names)):
        raise element.error(
            f"expected a function in moment_arm_functions for each of {len(names)} coordinates, "
            f"found {len(arms)}"
        )
    _check_arguments(element, "length_function", length, len(names))
    for arm in arms:
        _check_arguments(element, "moment_arm_functions", arm, len(names))
    if speed is not None:
        _check_arguments(element, "lengthening_speed_function", speed, 2 * len(names))
    return Spec(names, length, arms, speed)


def read_functions(
    context: Context, element: Element
) -> tuple[FunctionSpec | None, tuple[FunctionSpec, ...], FunctionSpec | None]:
    """Functions for length, moment arms and speed; those of other classes are refused."""

    def one(tag: str) -> FunctionSpec | None:
        found = context.optional_object_property(element, tag)
        return None if found is None else read_function_element(context, found, several=True)

    listed = context.property(element, "moment_arm_functions")
    members = [] if listed is None else listed.children
    arms = [read_function_element(context, member, several=True) for member in members]
    return one("length_function"), tuple(arms), one("lengthening_speed_function")


def _coordinate(owner: Component, element: Element, path: str) -> str:
    """Name of the coordinate at a path from the root of the model."""
    found = owner.find("/" + path)
    if not found or not found.element or found.element.tag != "Coordinate":
        raise element.error(
            f"expected paths of coordinates in coordinate_paths, found {quote(path)}"
        )
    return found.element.name


def _check_arguments(element: Element, tag: str, function: FunctionSpec, count: int) -> None:
    """Compare the number of a function's arguments; for OpenSim a Constant has none."""
    found = 0 if is_constant(function) else argument_count(function)
    if found != count:
        raise element.error(f"expected in {tag} functions of {count} arguments, found {found}")


def build(
    specs: Sequence[tuple[int, str, Spec]],
    coordinate: Mapping[str, int],
    coordinate_count: int,
    path_count: int,
    source: str,
) -> tuple[Structure, Params]:
    """Indices and numbers.

    Args:
      specs: each with the number of its path and the name of the force that owns it.
      coordinate: numbers of the coordinates by name.
      coordinate_count: number of all coordinates, some of which may have one name.
      path_count: number of all paths.
      source: the file, for messages.

    Raises:
      OsimFormatError: a function of one argument where there are several, or tables too large.
    """
    rows = [
        _Row(path, f"{source}: path of '{name}'", [coordinate[c] for c in spec.coordinates], spec)
        for path, name, spec in specs
    ]
    lengths, length_params = multivariate.build(
        [(row.spec.length, row.arguments, row.owner) for row in rows], source
    )
    arms, arm_params = multivariate.build(
        [(arm, row.arguments, row.owner) for row in rows for arm in row.spec.moment_arms], source
    )
    timed = [row for row in rows if row.spec.lengthening_speed is not None]
    speeds, speed_params = multivariate.build(
        [
            (
                row.spec.lengthening_speed,
                [*row.arguments, *(coordinate_count + number for number in row.arguments)],
                row.owner,
            )
            for row in timed
        ],
        source,
    )
    from_length = np.array([not row.spec.moment_arms for row in rows], bool)
    slope = np.flatnonzero(from_length[lengths.entry_function])
    path = np.array([row.path for row in rows], int)
    given = [(row.path, a) for row in rows if row.spec.moment_arms for a in row.arguments]
    given_path, given_coordinate = np.array(given, int).reshape(-1, 2).T
    speed_path = np.array([row.path for row in timed], int)
    return Structure(
        path=path,
        lengths=lengths,
        moment_arms=arms,
        lengthening_speeds=speeds,
        slope=slope,
        arm_path=np.concatenate([path[lengths.entry_function[slope]], given_path]),
        arm_coordinate=np.concatenate([lengths.entry_variable[slope], given_coordinate]),
        speed_path=speed_path,
        has_speed=np.isin(np.arange(path_count), speed_path),
    ), Params(lengths=length_params, moment_arms=arm_params, lengthening_speeds=speed_params)


@dataclass(frozen=True)
class _Row:
    """A path with everything looked up."""

    path: int
    owner: str
    arguments: list[int]
    spec: Spec


def sizes(params: Params) -> dict[str, int]:
    """Lengths of the axes."""
    return function_sizes(f"paths.{FIELD}", params)


def coordinates(structure: Structure) -> np.ndarray:
    """The coordinates that the paths depend on."""
    return np.concatenate([structure.lengths.entry_variable, structure.arm_coordinate])


def evaluate(structure: Structure, params: Params, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lengths `[path]` (m), zero of other paths, and moment arms `[function_arm]` (m | 1)."""
    lengths = multivariate.evaluate(structure.lengths, params.lengths, q)
    arms = -take(lengths.derivative, structure.slope)
    if len(params.moment_arms.constant):
        given = multivariate.evaluate(structure.moment_arms, params.moment_arms, q)
        arms = concatenate([arms, given.value])
    return put(lengths.value, structure.path, len(structure.has_speed)), arms


def lengthening_speed(
    structure: Structure,
    params: Params,
    moment_arm: jax.Array,
    q: jax.Array,
    q_dot: jax.Array,
    u: jax.Array,
) -> jax.Array:
    """Lengthening speeds `[path]` (m/s), zero of other paths.

    Args:
      structure: indices.
      params: numbers.
      moment_arm: `[function_arm]` (m | 1).
      q: `[coordinate]` (rad | m).
      q_dot: `[coordinate]` their rates, on which moment arms act.
      u: `[coordinate]` their speeds, which functions for the lengthening speed take.
    """
    count = len(structure.has_speed)
    moved = -moment_arm * take(q_dot, structure.arm_coordinate)
    owner = np.where(structure.has_speed[structure.arm_path], count, structure.arm_path)
    moved = segment_sum(moved, owner, count)
    if not len(structure.speed_path):
        return moved
    at = concatenate([q, u])
    given = multivariate.evaluate(structure.lengthening_speeds, params.lengthening_speeds, at)
    return moved + put(given.value, structure.speed_path, count)
