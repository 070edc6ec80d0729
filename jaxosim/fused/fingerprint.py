"""What a program is, as a digest: two programs of one digest are the same kernel.

A jaxpr is walked, variables by their order, constants by their bytes. Whatever is not known to be
said in full (functions, objects that print their address) makes a program one without a digest.
"""

import enum
import functools
import hashlib
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

# Parameters that change nothing in what a primitive works out.
_IRRELEVANT = frozenset(
    (
        *("jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "fwd", "bwd", "out_trees"),
        *("name", "in_shardings", "out_shardings", "in_layouts", "out_layouts", "ctx_mesh"),
        *("sharding", "out_sharding", "donated_invars", "keep_unused", "inline", "policy"),
        *("prevent_cse", "differentiated", "debug_info", "symbolic_zeros"),
        *("compiler_options_kvs", "layout", "mesh"),
    )
)


class _Unsaid(Exception):
    """Something that cannot be said in full."""


def fingerprint(jaxpr: core.ClosedJaxpr, mapped: Sequence[bool]) -> str | None:
    """A digest of a program, of how its arguments are mapped, and of our own sources.

    Args:
      jaxpr: of one world.
      mapped: for each argument whether each world has its own.

    Returns:
      None where a part of the program cannot be said in full.
    """
    said: list[str] = [_sources(), jax.__version__, repr(tuple(mapped))]
    try:
        _closed(jaxpr, said)
    except _Unsaid:
        return None
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:32]


@functools.cache
def _sources() -> str:
    """A digest of the package's own files: of the laws' primitives and of the compiler."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closed(jaxpr: core.ClosedJaxpr, said: list[str]) -> None:
    for constant in jaxpr.consts:
        said.append(_array(constant))
    _jaxpr(jaxpr.jaxpr, said)


def _jaxpr(jaxpr: core.Jaxpr, said: list[str]) -> None:
    numbers: dict[Any, int] = {}

    def variable(v: Any) -> str:
        if isinstance(v, core.Literal):
            aval: Any = v.aval
            return _array(np.asarray(v.val, aval.dtype))
        return str(numbers.setdefault(v, len(numbers)))

    for v in (*jaxpr.constvars, *jaxpr.invars):
        said.append(f"{variable(v)}:{_aval(v.aval)}")
    for equation in jaxpr.eqns:
        said.append(equation.primitive.name)
        said.extend(variable(v) for v in equation.invars)
        for key in sorted(equation.params):
            if key not in _IRRELEVANT:
                said.append(key)
                _value(equation.params[key], said)
        said.extend(f"{variable(v)}:{_aval(v.aval)}" for v in equation.outvars)
    said.extend(variable(v) for v in jaxpr.outvars)


def _aval(aval: Any) -> str:
    return f"{aval.dtype}{aval.shape}"


def _array(value: Any) -> str:
    array = np.asarray(value)
    return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"


def _value(value: Any, said: list[str]) -> None:
    """A parameter.

    Raises:
      _Unsaid: it is of a kind that is not known.
    """
    if isinstance(value, core.ClosedJaxpr):
        _closed(value, said)
    elif isinstance(value, core.Jaxpr):
        _jaxpr(value, said)
    elif isinstance(value, np.ndarray | np.generic):
        said.append(_array(value))
    elif value is None or isinstance(value, bool | int | float | str | np.dtype | enum.Enum):
        said.append(repr(value))
    elif isinstance(value, tuple | list | frozenset):
        said.append(f"{type(value).__name__}{len(value)}")
        for part in value:
            _value(part, said)
    elif type(value).__module__.startswith(("jax", "numpy")) or isinstance(value, type):
        text = repr(value)
        if " at 0x" in text or "<function" in text:
            raise _Unsaid(text)
        said.append(text)
    else:
        raise _Unsaid(repr(value))
