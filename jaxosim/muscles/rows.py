"""The muscles of a model, whatever their classes: each class computes its own rows.

Rows are put together again in the file's order. The muscles of a model of one class are never
copied.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.muscle import (
    FiberVelocityInfo,
    MuscleClass,
    MuscleDynamicsInfo,
    MuscleLengthInfo,
)
from jaxosim.types import Model, Params


def realize_length(
    model: Model, params: Params, path_length: jax.Array, fiber_length: jax.Array
) -> MuscleLengthInfo:
    """Position stage of all muscles.

    Args:
      model: static structure.
      params: model parameters.
      path_length: `[muscle]` (m) musculotendon length.
      fiber_length: `[muscle]` (m) the state.
    """
    return _by_class(model, params, lambda kind: kind.realize_length, path_length, fiber_length)


def realize_fiber_velocity(
    model: Model,
    params: Params,
    length: MuscleLengthInfo,
    activation: jax.Array,
    fiber_length: jax.Array,
) -> FiberVelocityInfo:
    """Velocity stage of all muscles.

    Args:
      model: static structure.
      params: model parameters.
      length: position stage.
      activation: `[muscle]` (1) the state.
      fiber_length: `[muscle]` (m) the state.
    """
    return _by_class(
        model,
        params,
        lambda kind: kind.realize_fiber_velocity,
        length,
        activation,
        fiber_length,
    )


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
      activation: `[muscle]` (1) the state.
      excitation: `[muscle]` (1).
    """
    return _by_class(
        model,
        params,
        lambda kind: kind.realize_dynamics,
        length,
        velocity,
        activation,
        excitation,
    )


def activation_rate(
    model: Model, params: Params, activation: jax.Array, excitation: jax.Array
) -> jax.Array:
    """Rates of activation `[muscle]` (1/s) at activations and excitations `[muscle]` (1)."""
    return _by_class(model, params, lambda kind: kind.activation_rate, activation, excitation)


def equilibrium(
    model: Model,
    params: Params,
    path_length: jax.Array,
    lengthening_speed: jax.Array,
    activation: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Fiber lengths at which fiber and tendon carry the same force, and whether they do.

    Args:
      model: static structure.
      params: model parameters.
      path_length: `[muscle]` (m).
      lengthening_speed: `[muscle]` (m/s) of the paths.
      activation: `[muscle]` (1).

    Returns:
      `[muscle]` (m), and `[muscle]` bool: false for a muscle without solution.
    """
    return _by_class(
        model,
        params,
        lambda kind: kind.equilibrium,
        path_length,
        lengthening_speed,
        activation,
    )


def _by_class(
    model: Model, params: Params, function: Callable[[MuscleClass], Any], *arrays: Any
) -> Any:
    """Evaluate a function of each class on the rows of that class.

    Args:
      model: static structure.
      params: model parameters.
      function: the class's function of (properties, *arrays), which returns arrays `[muscle]`.
      *arrays: trees of arrays `[muscle]` of all muscles.
    """
    classes = list(zip(MUSCLES, model.muscle_rows, strict=True))
    present = [(kind, rows) for kind, rows in classes if len(rows)] or classes[:1]
    parts = []
    for kind, rows in present:
        own = jax.tree.map(lambda x, rows=rows: take(x, rows), arrays)
        parts.append(function(kind)(_properties(kind, params, rows), *own))
    order = np.argsort(np.concatenate([rows for _, rows in present]))
    return jax.tree.map(lambda *values: take(concatenate(values), order), *parts)


def _properties(kind: MuscleClass, params: Params, rows: np.ndarray) -> Any:
    """All properties of the muscles of one class."""
    common, own = params.muscles, getattr(params, kind.FIELD)
    shared = {f.name: take(getattr(common, f.name), rows) for f in dataclasses.fields(common)}
    return kind.Properties(
        **shared, **{f.name: getattr(own, f.name) for f in dataclasses.fields(own)}
    )
