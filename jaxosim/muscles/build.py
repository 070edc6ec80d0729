"""Muscles of a file → their properties, one row each, and the classes that own the rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxosim.models.lookup import columns
from jaxosim.muscles import MUSCLES
from jaxosim.muscles.muscle import MuscleParams, MuscleSpec


class Muscles(NamedTuple):
    """The muscles of a model."""

    rows: tuple[np.ndarray, ...]  # the muscles of each class in MUSCLES
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
    return Muscles(
        rows=rows,
        common=columns(MuscleParams, muscles),
        own={kind.FIELD: kind.build([muscles[i] for i in own]) for kind, own in classes},
        sizes={kind.FIELD: len(own) for kind, own in classes},
    )
