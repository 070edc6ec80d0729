"""The sides of a walker: which name belongs to which, and what a reflection changes."""

from collections.abc import Sequence

import numpy as np

from jaxosim.envs import lookup
from jaxosim.errors import ModelMismatchError

SIDES = ("l", "r")
# Coordinates that change their sign in a reflection in the sagittal plane.
LATERAL = ("pelvis_list", "pelvis_rotation", "pelvis_tz", "lumbar_bending", "lumbar_rotation")
_OTHER = {"l": "r", "r": "l"}
_NAMES_SHOWN = 5


def side_of(name: str) -> str | None:
    """The side of a name, its part `l` or `r` between `_`, `/` and `.`; None if it has none."""
    return next((part for part in _parts(name) if part in SIDES), None)


def counterparts(what: str, names: Sequence[str]) -> np.ndarray:
    """For each name the place of the same name with the sides swapped.

    Args:
      what: whose names they are, for the message.
      names: in which the counterparts are looked for.

    Raises:
      ModelMismatchError: a name of a side has none.
    """
    others = ["".join(_OTHER.get(part, part) for part in _parts(name)) for name in names]
    missing = [name for name, other in zip(names, others, strict=True) if other not in names]
    if missing:
        raise ModelMismatchError(
            f"{what}: expected an entry of the other side for each of "
            f"{', '.join(missing[:_NAMES_SHOWN])}"
        )
    return lookup.places(names.index(other) for other in others)


def _parts(name: str) -> list[str]:
    """A name cut at its separators, which stay."""
    for separator in "_/.":
        name = name.replace(separator, f"\0{separator}\0")
    return name.split("\0")
