"""Muscle specs → their parameters."""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; here they are still NumPy's.)

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from jaxosim.models.spec import Thelen2003MuscleSpec
from jaxosim.types import Thelen2003Params


def compile_muscles(muscles: Sequence[Thelen2003MuscleSpec]) -> Thelen2003Params:
    """Muscle properties, one column each."""
    columns = {
        field.name: np.array([getattr(muscle, field.name) for muscle in muscles], float)
        for field in fields(Thelen2003Params)
    }
    return Thelen2003Params(**columns)
