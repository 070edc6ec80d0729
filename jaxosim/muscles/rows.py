"""The muscles of a model: each class computes its own rows, mode by mode.

Rows are put together again in the file's order. The muscles of a model of one class and one mode
are never copied.

Not every muscle has every state: tendons may be rigid, activation dynamics ignored. A field of
`State` has a row for such a muscle too, without effect and with the rate zero;
`Model.muscle_states` says which rows count.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, put, take
from jaxosim.arrays.layout import stage
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.derivatives import FiberDerivatives, fiber_derivatives
from jaxosim.muscles.muscle import (
    FiberVelocityInfo,
    MuscleClass,
    MuscleDynamicsInfo,
    MuscleLengthInfo,
    MuscleMode,
)
from jaxosim.structure import MuscleStateStructure
from jaxosim.types import Model, Params, State

# ------------------------------------------------------------------------ states of muscles


def contraction(model: Model, state: State) -> jax.Array:
    """The contraction state of each muscle `[muscle]`: fiber length (m) or another (1).

    Muscles with rigid tendons have numbers that mean nothing.
    """
    parts, start = [state.fiber_length], len(model.muscle_names)
    source = np.arange(start)
    for name, held in _contraction_states(model).items():
        if name != "fiber_length" and len(held.muscle):
            parts.append(getattr(state, name))
            source[held.muscle] = start + held.row
            start += held.count
    return take(concatenate(parts), source)


def contraction_fields(model: Model, values: jax.Array) -> dict[str, jax.Array]:
    """What belongs to the contraction states `[muscle]`, as fields of `State`; zeros elsewhere."""
    return {
        name: put(take(values, held.muscle), held.row, held.count)
        for name, held in _contraction_states(model).items()
    }


def with_contraction(model: Model, state: State, values: jax.Array) -> State:
    """The state with other contraction states `[muscle]`; what means nothing stays as it is."""
    fields = contraction_fields(model, values)
    for name, held in _contraction_states(model).items():
        if len(held.muscle) < held.count:
            means = np.isin(np.arange(held.count), held.row)
            fields[name] = jnp.where(means, fields[name], getattr(state, name))
    return dataclasses.replace(state, **fields)


def _contraction_states(model: Model) -> dict[str, MuscleStateStructure]:
    return {name: held for name, held in model.muscle_states.items() if name != "activation"}


def used_activation(model: Model, state: State, excitation: jax.Array) -> jax.Array:
    """Activation `[muscle]` (1) before clipping: the state, or the excitation if it is none.

    Args:
      model: static structure.
      state: one world.
      excitation: `[muscle]` (1).
    """
    held = model.muscle_states["activation"]
    if len(held.muscle) == held.count:
        return state.activation
    return jnp.where(_has_activation(model), state.activation, excitation)


def _has_activation(model: Model) -> np.ndarray:
    """Which muscles have activation dynamics, `[muscle]` bool."""
    return np.isin(np.arange(len(model.muscle_names)), model.muscle_states["activation"].muscle)


# --------------------------------------------------------------------------------- stages


@stage
def realize_length(
    model: Model, params: Params, path_length: jax.Array, contraction: jax.Array
) -> MuscleLengthInfo:
    """Position stage of all muscles.

    Args:
      model: static structure.
      params: model parameters.
      path_length: `[muscle]` (m) musculotendon length.
      contraction: `[muscle]` the contraction state.
    """
    return _by_mode(model, params, lambda _, mode: mode.realize_length, path_length, contraction)


@stage
def realize_fiber_velocity(
    model: Model,
    params: Params,
    length: MuscleLengthInfo,
    lengthening_speed: jax.Array,
    activation: jax.Array,
    contraction: jax.Array,
) -> FiberVelocityInfo:
    """Velocity stage of all muscles.

    Args:
      model: static structure.
      params: model parameters.
      length: position stage.
      lengthening_speed: `[muscle]` (m/s) of the paths.
      activation: `[muscle]` (1) from `used_activation`.
      contraction: `[muscle]` the contraction state.
    """
    return _by_mode(
        model,
        params,
        lambda _, mode: mode.realize_fiber_velocity,
        length,
        lengthening_speed,
        activation,
        contraction,
    )


def contraction_rate(
    model: Model,
    params: Params,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    lengthening_speed: jax.Array,
) -> jax.Array:
    """Rates of the contraction states `[muscle]` (m/s or 1/s), zero where a mode has none.

    Args:
      model: static structure.
      params: model parameters.
      length: position stage.
      velocity: velocity stage.
      lengthening_speed: `[muscle]` (m/s) of the paths.
    """

    def rate(_: MuscleClass, mode: MuscleMode) -> Callable[..., jax.Array]:
        none = lambda _, length, *rest: jnp.zeros_like(length.fiber_length)  # noqa: E731
        return mode.contraction_rate or none

    return _by_mode(model, params, rate, length, velocity, lengthening_speed)


@stage
def realize_dynamics(
    model: Model,
    params: Params,
    length: MuscleLengthInfo,
    velocity: FiberVelocityInfo,
    activation: jax.Array,
    excitation: jax.Array,
) -> MuscleDynamicsInfo:
    """Dynamics stage of all muscles.

    Args:
      model: static structure.
      params: model parameters.
      length: position stage.
      velocity: velocity stage.
      activation: `[muscle]` (1) from `used_activation`.
      excitation: `[muscle]` (1).
    """
    info = _by_mode(
        model,
        params,
        lambda _, mode: mode.realize_dynamics,
        length,
        velocity,
        activation,
        excitation,
    )
    has_activation = _has_activation(model)
    if has_activation.all():
        return info
    rate = jnp.where(has_activation, info.activation_rate, 0.0)
    return dataclasses.replace(info, activation_rate=rate)


def equilibrium(
    model: Model,
    params: Params,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    activation: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Contraction states at which fiber and tendon carry the same force, and whether they do.

    Args:
      model: static structure.
      params: model parameters.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s) of the paths.
      activation: `[muscle]` (1) from `used_activation`.

    Returns:
      `[muscle]`, zero where the tendon is rigid, and `[muscle]` bool: false for a muscle without
      solution.
    """

    def rigid(_: Any, path_length: jax.Array, *rest: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.zeros_like(path_length), jnp.ones_like(path_length, bool)

    return _by_mode(
        model,
        params,
        lambda _, mode: mode.equilibrium or rigid,
        path_length,
        lengthening_speed,
        activation,
    )


@stage
def derivatives(
    model: Model,
    params: Params,
    length: MuscleLengthInfo,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    contraction: jax.Array,
    activation: jax.Array,
    excitation: jax.Array,
) -> FiberDerivatives:
    """Derivatives of tensions and rates of all muscles; zero for those that apply no force.

    Args:
      model: static structure.
      params: model parameters.
      length: position stage.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s) of the paths.
      contraction: `[muscle]` the contraction state.
      activation: `[muscle]` (1) from `used_activation`.
      excitation: `[muscle]` (1).
    """

    def slopes(kind: MuscleClass, mode: MuscleMode) -> Callable[..., FiberDerivatives]:
        return lambda *given: fiber_derivatives(kind, mode, *given)

    found = _by_mode(
        model,
        params,
        slopes,
        length,
        path_length,
        lengthening_speed,
        contraction,
        activation,
        excitation,
    )
    works = model.muscle_applies_force
    masks = {"activation": works & _has_activation(model)}
    kept = {
        name: jnp.where(masks.get(name, works), slope, 0.0)
        for name, slope in found._asdict().items()
        if slope is not None
    }
    return FiberDerivatives(**kept)


# ---------------------------------------------------------------------- classes and modes


class _Rows(NamedTuple):
    """The muscles of a model that are of one class and contract in one mode."""

    kind: MuscleClass
    mode: MuscleMode
    muscle: np.ndarray  # numbers of the muscles
    place: np.ndarray  # their rows among those of the class


def _present(model: Model) -> list[_Rows]:
    """The modes that occur; the first one, without muscles, in a model that has none."""
    rows = [
        _Rows(kind, mode, muscle, np.searchsorted(own, muscle))
        for kind, own, modes in zip(MUSCLES, model.muscle_rows, model.muscle_modes, strict=True)
        for mode, muscle in zip(kind.MODES, modes, strict=True)
    ]
    return [one for one in rows if len(one.muscle)] or rows[:1]


def _by_mode(
    model: Model,
    params: Params,
    function: Callable[[MuscleClass, MuscleMode], Callable[..., Any]],
    *arrays: Any,
) -> Any:
    """Evaluate a function of each class and mode on the rows that are its own.

    Args:
      model: static structure.
      params: model parameters.
      function: that of a class and mode, of (properties, *arrays), which returns arrays `[muscle]`
        or None in place of zeros.
      *arrays: trees of arrays `[muscle]` of all muscles.
    """
    present = _present(model)
    parts = []
    for rows in present:
        own = jax.tree.map(lambda x, rows=rows: take(x, rows.muscle), arrays)
        parts.append(function(rows.kind, rows.mode)(_properties(rows, params), *own))
    order = np.argsort(np.concatenate([rows.muscle for rows in present]))
    return jax.tree.map(
        lambda *values: _merge(values, present, order), *parts, is_leaf=lambda x: x is None
    )


def _merge(
    values: Sequence[jax.Array | None], present: Sequence[_Rows], order: np.ndarray
) -> jax.Array | None:
    """Rows of all modes in the file's order; None where all are None."""
    given = [value for value in values if value is not None]
    if not given:
        return None
    filled = [
        jnp.zeros(len(rows.muscle), given[0].dtype) if value is None else value
        for value, rows in zip(values, present, strict=True)
    ]
    return take(concatenate(filled), order)


def _properties(rows: _Rows, params: Params) -> Any:
    """All properties of the muscles of one class and mode."""
    columns = {}
    for record, index in (
        (params.muscles, rows.muscle),
        (getattr(params, rows.kind.FIELD), rows.place),
    ):
        for field in dataclasses.fields(record):
            values = getattr(record, field.name)
            columns[field.name] = jax.tree.map(lambda x, index=index: take(x, index), values)
    return rows.kind.Properties(**columns)
