"""How tasks pass through JAX, pickle and copy: as one static object, made of its options."""

import functools
from typing import Any

import jax


class Copied:
    """An object that is static for JAX, so that `jit` and `vmap` take it as an argument.

    It is pickled and copied without what its cached properties have left: that follows from the
    rest, and may hold local functions, which no pickle takes.
    """

    def __init_subclass__(cls) -> None:
        """Tell JAX of the class."""
        super().__init_subclass__()
        jax.tree_util.register_static(cls)

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, cached ones left out."""
        return {name: value for name, value in vars(self).items() if not self._is_cached(name)}

    def _is_cached(self, name: str) -> bool:
        return isinstance(getattr(type(self), name, None), functools.cached_property)
