"""How tasks are pickled and copied: as what they were made of."""

import functools
from typing import Any


class Copied:
    """An object that is pickled and copied without what its cached properties have left.

    That follows from the rest, and may hold local functions, which no pickle takes.
    """

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, cached ones left out."""
        return {name: value for name, value in vars(self).items() if not self._is_cached(name)}

    def _is_cached(self, name: str) -> bool:
        return isinstance(getattr(type(self), name, None), functools.cached_property)
