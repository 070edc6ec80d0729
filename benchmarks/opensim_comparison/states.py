"""Largest errors of jaxosim against OpenSim at given states, by quantity of the acceptance table.

Used by the parity tests and by `benchmarks/parity.py`. Nothing here imports OpenSim: its model is
an argument.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

import jaxosim
from jaxosim.outputs import force_records

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel


@dataclass(frozen=True)
class Quantity:
    """A row of the acceptance table.

    Attributes:
      name: as printed.
      tolerance: of the error relative to max(1, |OpenSim's value|).
      parts: the oracle's key → where jaxosim reports it, in (describe, rates).
      within: compare only the states where the oracle's report of this key is below this number.
    """

    name: str
    tolerance: float
    parts: dict[str, str]
    within: tuple[str, float] | None = None

    def without(self, key: str) -> Quantity:
        """The same without a part."""
        parts = {name: place for name, place in self.parts.items() if name != key}
        return replace(self, parts=parts)


@dataclass(frozen=True)
class Error:
    """The largest error of a quantity, and where it was.

    Attributes:
      value: relative to max(1, |OpenSim's value|); inf where jaxosim is not finite.
      place: part, state and element.
    """

    value: float
    place: str = ""


def _same(prefix: str, record: str, *fields: str) -> dict[str, str]:
    """Parts that bear one name on both sides."""
    return {f"{prefix}_{name}": f"info.{record}.{name}" for name in fields}


POSES, PATHS, RECORDS = "poses, velocities", "paths", "record values"
GEOMETRY = (POSES, PATHS)  # what depends on no force

QUANTITIES = (
    Quantity(
        POSES,
        1e-12,
        {
            "joint_position": "info.coordinates.value",
            "joint_velocity": "info.coordinates.speed",
            "q_dot": "rates.q",
            **_same("body", "bodies", "position", "rotation", "angles"),
            **_same("body", "bodies", "velocity", "angular_velocity"),
            **_same("mass_center", "mass_center", "position", "velocity"),
            **_same("marker", "markers", "position", "velocity"),
        },
    ),
    Quantity(
        PATHS,
        1e-11,
        _same("muscle", "muscles", "length", "lengthening_speed", "moment_arm"),
    ),
    Quantity(
        "muscles",
        1e-8,
        {
            "activation_rate": "rates.activation",
            "fiber_length_rate": "rates.fiber_length",
            "normalized_tendon_force_rate": "rates.normalized_tendon_force",
            "force_states_rate": "rates.force_states",
            **_same("muscle", "muscles", "tendon_force", "fiber_force", "active_fiber_force"),
            **_same("muscle", "muscles", "passive_fiber_force", "fiber_force_along_tendon"),
            **_same("muscle", "muscles", "fiber_velocity", "force_velocity_multiplier"),
            **_same("muscle", "muscles", "fiber_length", "normalized_fiber_length"),
            **_same("muscle", "muscles", "pennation_angle", "tendon_length", "activation"),
            **_same("muscle", "muscles", "active_force_length_multiplier"),
            **_same("muscle", "muscles", "passive_force_multiplier"),
        },
    ),
    Quantity(RECORDS, 1e-9, {}),
    # OpenSim's constraint solver leaves up to 1e-3 N·m in its own equations of motion, in a few
    # of the models that lock coordinates. So twice: what it reports where it satisfies them, and
    # everywhere its values with that rounding taken out (see `refinement`).
    Quantity(
        "reported accel.",
        1e-9,
        {
            "u_dot": "rates.u",
            **_same("body", "bodies", "acceleration", "angular_acceleration"),
            **_same("mass_center", "mass_center", "acceleration"),
            **_same("marker", "markers", "acceleration"),
        },
        within=("own_residual", 1e-8),
    ),
    Quantity(
        "refined accel.",
        1e-9,
        {
            "refined_u_dot": "rates.u",
            "refined_body_acceleration": "info.bodies.acceleration",
            "refined_body_angular_acceleration": "info.bodies.angular_acceleration",
            "refined_mass_center_acceleration": "info.mass_center.acceleration",
        },
        within=("condition", 1e6),
    ),
)
EQUILIBRIUM_TOLERANCE = 1e-10  # (m) of fiber lengths
MOTION_TOLERANCE = 1e-9  # (1) of the force missing in OpenSim's equations of motion

# OpenSim holds locked coordinates by a constraint: of their accelerations it reports the solver's
# residue, and of unit tensions the force that the constraint then cancels. jaxosim says zero.
FREE_ONLY = ("u_dot", "refined_u_dot", "muscle_moment_arm")

# OpenSim's own rounding, which the oracle reports, is no error.
ROUNDED = ("muscle_moment_arm",)

# OpenSim iterates the velocity of a damped fiber until the forces along the tendon balance to
# 1e-10 of the muscle's strength, which a nearly unloaded fiber shows in its force. Errors of these
# forces are relative to this share of the strength at least.
ITERATED = "Millard2012EquilibriumMuscle"
ITERATED_SHARE = 0.1
ITERATED_FORCES = (
    "muscle_fiber_force",
    "muscle_active_fiber_force",
    "muscle_passive_fiber_force",
    "muscle_fiber_force_along_tendon",
)


@dataclass(frozen=True)
class Comparison:
    """One model at random states, in both programs.

    Attributes:
      oracle: OpenSim's side.
      states: `[state, …]` inputs, from the oracle.
      expected: the oracle's answers, `[state, …]`.
      obtained: jaxosim's, under the oracle's keys.
    """

    oracle: OpenSimModel
    states: dict[str, np.ndarray]
    expected: dict = field(repr=False)
    obtained: dict = field(repr=False)

    def error(self, quantity: Quantity) -> Error:
        """The largest error of a quantity over all states."""
        errors = self.part_errors(quantity).values()
        return max(errors, key=lambda error: error.value, default=Error(0.0))

    def part_errors(self, quantity: Quantity) -> dict[str, Error]:
        """The largest error of each part, to find where two numbers part."""
        return {key: largest(key, error) for key, error in self.element_errors(quantity).items()}

    def element_errors(self, quantity: Quantity) -> dict[str, np.ndarray]:
        """Errors of each part, `[state, …]`, zero in states that are not compared."""
        compared = self.compared(quantity)
        if quantity.name == RECORDS:
            ours, theirs = self.obtained["records"], self.expected["records"]
            return {key: self._errors(key, ours[key], theirs[key], compared) for key in theirs}
        ours, theirs = self.obtained, self.expected
        return {key: self._errors(key, ours[key], theirs[key], compared) for key in quantity.parts}

    def compared(self, quantity: Quantity) -> np.ndarray:
        """States in which the quantity is compared, `[state]` bool."""
        if quantity.within is None:
            return np.ones(len(self.states["q"]), bool)
        key, limit = quantity.within
        return self.expected[key] < limit

    def _errors(self, key: str, obtained, expected, compared: np.ndarray) -> np.ndarray:
        difference = self.difference(key, obtained, expected)
        if key in ROUNDED:
            difference = np.maximum(difference - self.expected[f"{key}_rounding"], 0.0)
        with np.errstate(invalid="ignore"):  # where OpenSim's is infinite
            error = difference / self.scale(key, expected)
        error[~compared] = 0.0
        return error

    def difference(self, key: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """How far two values of a part are apart."""
        difference = np.abs(one - other)
        if key in FREE_ONLY:
            difference = np.where(self.oracle.locked, 0.0, difference)
        if key == "body_angles":
            difference = np.minimum(difference, np.abs(2 * np.pi - difference))
        return difference

    def scale(self, key: str, expected: np.ndarray) -> np.ndarray:
        """What errors of a part are relative to, of OpenSim's values."""
        scale = np.maximum(1.0, np.abs(expected))
        if key in ITERATED_FORCES:
            scale = np.maximum(scale, ITERATED_SHARE * _iterated_strength(self.oracle))
        return scale

    def motion_error(self) -> Error:
        """How far jaxosim's accelerations are from satisfying OpenSim's equations of motion."""
        missing = [
            self.oracle.motion_residual({k: v[i] for k, v in self.states.items()}, u_dot)
            for i, u_dot in enumerate(self.obtained["u_dot"])
        ]
        return largest("equations of motion", np.array(missing))


def _iterated_strength(oracle: OpenSimModel) -> np.ndarray:
    """Maximum isometric force of the muscles of class ITERATED, else zero, `[muscle]` (N)."""
    each = list(oracle.model.getMuscleList())
    return np.array(
        [m.get_max_isometric_force() * (m.getConcreteClassName() == ITERATED) for m in each]
    )


def largest(name: str, error: np.ndarray) -> Error:
    """The largest of an array of errors; not finite counts as infinite."""
    if error.size == 0:
        return Error(0.0)
    worst = np.where(np.isfinite(error), error, np.inf)
    index = np.unravel_index(np.argmax(worst), error.shape)
    state, *element = (int(i) for i in index)
    return Error(float(worst[index]), f"{name}{element} in state {state}")


def compare(oracle: OpenSimModel, name_or_path: str, states: dict[str, np.ndarray]) -> Comparison:
    """Put the same states into both programs.

    Args:
      oracle: of the model.
      name_or_path: the same model, for jaxosim.
      states: `[state, …]`.
    """
    obtained = describe_all(name_or_path, states)
    return Comparison(oracle, states, oracle.evaluate_all(states), obtained)


def describe_all(name_or_path: str, states: dict[str, np.ndarray]) -> dict:
    """What jaxosim answers at `[state, …]` states, under the oracle's keys."""
    model, params = jaxosim.load_model(name_or_path)
    inputs = {key: jnp.asarray(value) for key, value in states.items()}
    excitation = inputs.pop("excitation")
    answer = _describer(model)(params, jaxosim.State(**inputs), excitation)
    info, rates = jax.tree.map(np.asarray, answer)
    sides = _Sides(info=info, rates=rates)
    answers = {
        key: attrgetter(place)(sides)
        for quantity in QUANTITIES
        for key, place in quantity.parts.items()
    }
    return {**answers, "records": _records(model, info)}


def _records(model: jaxosim.Model, info: jaxosim.StateDescription) -> dict[str, np.ndarray]:
    """Record values by force, [state, value]."""
    rows = [
        force_records(model, jax.tree.map(lambda values, i=index: values[i], info))
        for index in range(len(info.coordinates.value))
    ]
    return {name: np.array([row[name] for row in rows]) for name in model.force_names}


@functools.cache
def _describer(model: jaxosim.Model) -> Callable:
    """Description and rates of many states, compiled once for a model."""

    def both(params, state, excitation):
        info = jaxosim.describe(model, params, state, excitation)
        return info, jaxosim.state_derivative(model, params, state, excitation)

    return jax.jit(jax.vmap(both, in_axes=(None, 0, 0)))


_equilibrate_all = jax.jit(jax.vmap(jaxosim.equilibrate_muscles, (None, None, 0)))


@dataclass(frozen=True)
class _Sides:
    info: jaxosim.StateDescription
    rates: jaxosim.State


def equilibrium_error(oracle: OpenSimModel, name_or_path: str, states: dict, moving: bool) -> Error:
    """Largest error of equilibrium fiber lengths (m) over poses and activations.

    Args:
      oracle: of the model.
      name_or_path: the same model, for jaxosim.
      states: `[state, …]`.
      moving: keep the states' speeds; OpenSim then shares them between fiber and tendon. At rest
        otherwise.
    """
    model, params = jaxosim.load_model(name_or_path)
    states = {key: value for key, value in states.items() if key != "excitation"}
    if not moving:
        states["u"] = np.zeros_like(states["u"])
    batch = jaxosim.State(**{key: jnp.asarray(value) for key, value in states.items()})
    solved = _equilibrate_all(model, params, batch)
    rows = zip(states["q"], states["u"], states["activation"], strict=True)
    expected = np.stack([oracle.equilibrium(*row) for row in rows])
    error = np.abs(np.asarray(solved.fiber_length) - expected)
    return largest("fiber_length", np.where(np.isnan(expected), 0.0, error))
