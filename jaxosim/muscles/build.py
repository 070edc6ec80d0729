"""Muscles of a file → their properties, one row each, and the classes that own the rows."""

from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxosim.functions.bank import function_sizes
from jaxosim.models.lookup import columns
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.muscle import MuscleParams, MuscleSpec
from jaxosim.structure import MuscleStateStructure

_Rows = tuple[np.ndarray, ...]


class Muscles(NamedTuple):
    """The muscles of a model."""

    rows: _Rows  # the muscles of each class in MUSCLES
    modes: tuple[_Rows, ...]  # of each class, the muscles of each of its MODES
    states: dict[str, MuscleStateStructure]  # by the field of State, the muscles that have it
    common: MuscleParams
    own: dict[str, Any]  # by the class's FIELD, the properties that only this class has
    sizes: dict[str, int]  # of the axes of `own`


def build(muscles: Sequence[MuscleSpec]) -> Muscles:
    """Properties of all muscles, in file order."""
    rows = tuple(
        np.array([i for i, muscle in enumerate(muscles) if type(muscle) is kind.Spec], int)
        for kind in MUSCLES
    )
    classes = list(zip(MUSCLES, rows, strict=True))
    modes = tuple(
        tuple(
            np.array([i for i in own if kind.mode_of(muscles[i]) is mode], int)
            for mode in kind.MODES
        )
        for kind, own in classes
    )
    params = {kind.FIELD: kind.build([muscles[i] for i in own]) for kind, own in classes}
    return Muscles(
        rows=rows,
        modes=modes,
        states=_states(muscles, rows, modes),
        common=columns(MuscleParams, muscles),
        own=params,
        sizes=_sizes(params) | {kind.FIELD: len(own) for kind, own in classes},
    )


def _sizes(params: dict[str, Any]) -> dict[str, int]:
    """Lengths of the axes of curves, whose tables are as long as each needs."""
    sizes = {}
    for name, own in params.items():
        for curve, values in vars(own).items():
            if is_dataclass(values):
                sizes |= function_sizes(f"{name}.{curve}", values)  # pyright: ignore[reportArgumentType]
    return sizes


def _states(
    muscles: Sequence[MuscleSpec], rows: _Rows, modes: tuple[_Rows, ...]
) -> dict[str, MuscleStateStructure]:
    """The muscles that have each state variable; fields other than the first two are a class's."""
    everyone = np.arange(len(muscles))
    holders = {
        "activation": np.array([not muscle.ignore_activation_dynamics for muscle in muscles], bool),
        "fiber_length": np.zeros(len(muscles), bool),
    }
    owners = dict.fromkeys(holders, everyone)
    for kind, own, parts in zip(MUSCLES, rows, modes, strict=True):
        for mode, members in zip(kind.MODES, parts, strict=True):
            name = mode.contraction_state
            if name is not None:
                owners.setdefault(name, own)
                holders.setdefault(name, np.zeros(len(muscles), bool))[members] = True
    found = {}
    for name, has in holders.items():
        muscle = np.flatnonzero(has)
        row = np.searchsorted(owners[name], muscle)
        found[name] = MuscleStateStructure(muscle=muscle, row=row, count=len(owners[name]))
    return found
