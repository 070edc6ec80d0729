"""Typed reading of the small elements: numbers, flags, lists of names.

Values are demanded exactly: the right count, finite unless said otherwise, decimal notation. A
comma may end a number, `0.1, 0.2, 0.3`, which OpenSim passes over; the file is warned of.
"""

import contextlib
import contextvars
import math
import re
from collections.abc import Iterator

from jaxosim.errors import OsimFormatError, quote
from jaxosim.models.osim.xml import Element

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_SPECIAL = re.compile(r"([+-]?)(nan|inf|infinity)", re.IGNORECASE)
_with_commas: contextvars.ContextVar[list[Element] | None]
_with_commas = contextvars.ContextVar("elements with commas", default=None)
_TOKEN_LENGTH = 64  # no decimal of double precision needs more; keeps the patterns fast


def words(element: Element | None) -> tuple[str, ...]:
    """The words of an element, none if it is absent."""
    return tuple(element.text.split()) if element is not None else ()


def numbers(
    element: Element, count: int | None = None, *, allow_infinite: bool = False
) -> tuple[float, ...]:
    """The numbers of an element.

    Args:
      element: An element holding nothing but numbers.
      count: How many there must be; any number of them if None.
      allow_infinite: Whether ±inf may stand for "no bound".

    Raises:
      OsimFormatError: a word that is no such number, or another count.
    """
    # OpenSim differs: it cuts off what is too much, and falls back to the property's default on
    # what is too little or no number.
    values = tuple(_number(element, word, allow_infinite) for word in words(element))
    if count is not None and len(values) != count:
        raise element.error(f"expected {count} number(s), found {quote(element.text.strip())}")
    return values


def number(element: Element) -> float:
    """The one finite number of an element."""
    return numbers(element, 1)[0]


@contextlib.contextmanager
def noting_commas() -> Iterator[list[Element]]:
    """Collect the elements within whose numbers commas are passed over, while the block runs."""
    noted: list[Element] = []
    token = _with_commas.set(noted)
    try:
        yield noted
    finally:
        _with_commas.reset(token)


def boolean(element: Element) -> bool:
    """The flag of an element: true or false in any case, or 1 or 0."""
    value = {"true": True, "1": True, "false": False, "0": False}.get(element.text.strip().lower())
    if value is None:
        # OpenSim differs: falls back to the default.
        raise element.error(f"expected true or false, found {quote(element.text.strip())}")
    return value


def _number(element: Element, word: str, allow_infinite: bool) -> float:
    if len(word) > _TOKEN_LENGTH:
        raise _no_number(element, word)
    if word.endswith(","):
        # OpenSim differs: it reads whatever follows a number as nothing, so that 0,5 becomes 0 and
        # 0,0,1 a single number too few, for which it takes the default without a word.
        word = word[:-1]
        noted = _with_commas.get()
        if noted is not None:
            noted.append(element)
    special = _SPECIAL.fullmatch(word)
    if not special and not _DECIMAL.fullmatch(word):
        raise _no_number(element, word)
    value = float(word)
    # OpenSim differs: NaN and inf pass, and every state of the simulation becomes NaN.
    if math.isnan(value) or (math.isinf(value) and not (special and allow_infinite)):
        raise element.error(f"expected a finite number, found {quote(word)}")
    return value


def _no_number(element: Element, word: str) -> OsimFormatError:
    return element.error(f"expected a number, found {quote(word)}")
