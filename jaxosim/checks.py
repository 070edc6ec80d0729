"""What options may be, said when they are given and not when they are first used."""

import math
import numbers
from collections.abc import Sequence


def check_choice(option: str, value: object, choices: tuple) -> None:
    """Refuse an option's value that is none of the choices.

    Raises:
      ValueError: it is not.
    """
    if value not in choices:
        raise ValueError(f"{option}: expected one of {choices}, got {value!r}")


def check_count(option: str, value: object) -> None:
    """Refuse an option's value that is no positive whole number.

    Raises:
      ValueError: it is not.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{option}: expected a positive whole number, got {value!r}")


def check_positive(option: str, value: object) -> None:
    """Refuse an option's value that is no positive number, or is not finite.

    Raises:
      ValueError: it is not.
    """
    is_positive = isinstance(value, numbers.Real) and 0 < float(value) < math.inf
    if not is_positive or isinstance(value, bool):
        raise ValueError(f"{option}: expected a positive number, got {value!r}")


def check_finite(option: str, value: object) -> None:
    """Refuse an option's value that is no finite number.

    Raises:
      ValueError: it is not.
    """
    is_finite = isinstance(value, numbers.Real) and math.isfinite(float(value))
    if not is_finite or isinstance(value, bool):
        raise ValueError(f"{option}: expected a finite number, got {value!r}")


def check_share(option: str, value: object) -> None:
    """Refuse an option's value that is no number from 0 to 1.

    Raises:
      ValueError: it is not.
    """
    is_share = isinstance(value, numbers.Real) and 0 <= float(value) <= 1
    if not is_share or isinstance(value, bool):
        raise ValueError(f"{option}: expected a share from 0 to 1, got {value!r}")


def check_kind(option: str, value: object, kind: type) -> None:
    """Refuse an option's value that is no object of a class of ours.

    Raises:
      ValueError: it is not.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{option}: expected jaxosim.{kind.__name__}, got {value!r}")


def check_functions(owner: object, options: Sequence[str]) -> None:
    """Refuse options of an owner that are neither None nor a function.

    Raises:
      ValueError: one is not.
    """
    for option in options:
        value = getattr(owner, option)
        if value is not None and not callable(value):
            raise ValueError(f"{option}: expected a function or None, got {value!r}")


def check_hashed_by_identity(cls: type) -> None:
    """Refuse a class whose objects are compared by value, which arrays do not allow.

    Raises:
      TypeError: it is one.
    """
    if cls.__hash__ is not object.__hash__:
        raise TypeError(
            f"{cls.__name__}: expected a class that is hashed by identity: "
            "@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)"
        )
