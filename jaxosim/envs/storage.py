"""EnvStates, or trees that hold them, in a file: every array by name, exact, without pickle."""

import os
import re
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.errors import ModelMismatchError, quote
from jaxosim.host.archive import Archive, write_archive

_Tree = TypeVar("_Tree")
_KIND = "#"  # ends the name of what NumPy does not know, a typed key or bfloat16; its kind follows
_SEPARATOR = "/"
# What has a meaning in names, and what a zip file cannot hold.
_SPECIAL = re.compile(r"[%#/\\\x00-\x1f\ud800-\udfff]")
_SHOWN = 20  # unexpected names in a message
_SCALARS = bool | int | float | complex


def save_state(path: str | os.PathLike[str], es: Any) -> None:
    """Write an EnvState, of one world or of a batch, as `.npz`.

    A file that is there is replaced when all is written; a failure leaves it as it was.

    Args:
      path: of the file, written as it is named.
      es: from `reset` or `step`; or another tree of arrays, such as a trainer's checkpoint.

    Raises:
      ModelMismatchError: a leaf is no array of numbers, or two leaves have one name.
      OSError: the file cannot be written.
    """
    flat, _ = jax.tree_util.tree_flatten_with_path(es)
    write_archive(path, {name: _bits(leaf) for name, leaf in _by_name(flat).items()})


def load_state(path: str | os.PathLike[str], like: _Tree) -> _Tree:
    """Read an EnvState, or what else `save_state` was given.

    Args:
      path: of a file that `save_state` wrote.
      like: an EnvState of the same environment, or its shapes (`jax.eval_shape(env.reset, key)`);
        of another tree one like it. Its NumPy arrays and Python numbers come back as such, all
        others as arrays of JAX.

    Raises:
      ModelMismatchError: the file holds other arrays than `like`; the message lists them.
      TableFormatError: the file is no archive of arrays.
      FileNotFoundError: there is no such file.
    """
    flat, structure = jax.tree_util.tree_flatten_with_path(like)
    expected = _by_name(flat)
    with Archive(path) as archive:
        _check(archive, expected)
        leaves = [_restored(archive.read(name), leaf) for name, leaf in expected.items()]
    return jax.tree_util.tree_unflatten(structure, leaves)


def _is_key(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def _kind(key: Any) -> str:
    """Which generator a typed key belongs to; shapes alone tell as well."""
    found: list[Any] = []
    jax.eval_shape(lambda leaf: found.append(jax.random.key_impl(leaf)), key)
    return str(found[0])


def _foreign_dtype(leaf: Any) -> np.dtype | None:
    """The dtype of a leaf if NumPy itself has none such: bfloat16 and its like."""
    dtype = getattr(leaf, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) and dtype.isbuiltin == 2 else None


def _name(path: Any, leaf: Any) -> str:
    """Of an array in the file; what NumPy does not know carries its kind."""
    steps = (jax.tree_util.keystr((step,), simple=True) for step in path)
    name = _SEPARATOR.join(_SPECIAL.sub(lambda m: f"%{ord(m[0]):02X}", step) for step in steps)
    if _is_key(leaf):
        return f"{name}{_KIND}{_kind(leaf)}"
    dtype = _foreign_dtype(leaf)
    return name if dtype is None else f"{name}{_KIND}{dtype.name}"


def _by_name(flat: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Leaves by their names.

    Raises:
      ModelMismatchError: two have the same.
    """
    named: dict[str, Any] = {}
    for path, leaf in flat:
        name = _name(path, leaf)
        if name in named:
            raise ModelMismatchError(f"expected unlike names, two leaves are {quote(name)}")
        named[name] = leaf
    return named


def _bits(leaf: Any) -> np.ndarray:
    """What of a leaf is stored, as numbers that NumPy knows.

    Raises:
      ModelMismatchError: it holds no numbers.
    """
    values = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
    if _foreign_dtype(values) is not None:
        return values.view(f"u{values.dtype.itemsize}")
    if values.dtype.kind not in "biufc":
        raise ModelMismatchError(
            f"expected arrays of numbers, found a leaf of {type(leaf).__name__}: {quote(str(leaf))}"
        )
    return values


def _header(leaf: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of what is stored of a leaf."""
    if isinstance(leaf, np.ndarray | np.generic | _SCALARS):
        values = _bits(leaf)
        return values.shape, values.dtype
    data = (
        jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else jax.eval_shape(_same, leaf)
    )
    foreign = _foreign_dtype(data)
    return data.shape, np.dtype(f"u{foreign.itemsize}") if foreign is not None else data.dtype


def _same(leaf: Any) -> Any:
    return leaf


def _check(archive: Archive, expected: dict[str, Any]) -> None:
    """Compare names, shapes and dtypes.

    Raises:
      ModelMismatchError: they differ.
    """
    stored = set(archive.names)
    wrong = [f"{name} is missing" for name in expected if name not in stored]
    for name in expected.keys() & stored:
        shape, dtype = _header(expected[name])
        found = archive.header(name)
        if found != (shape, dtype):
            wrong.append(f"{name}: expected {dtype}{list(shape)}, got {found[1]}{list(found[0])}")
    others = sorted(stored - expected.keys())
    wrong += [f"{quote(name)[1:-1]} is not expected" for name in others[:_SHOWN]]
    if wrong:
        more = f"; and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise ModelMismatchError(
            f"{archive.source} is of another environment, batch or precision: "
            + "; ".join(sorted(wrong))
            + more
        )


def _restored(values: np.ndarray, leaf: Any) -> Any:
    """A leaf as it was."""
    if isinstance(leaf, _SCALARS) and not isinstance(leaf, np.generic):
        return type(leaf)(values.item())
    foreign = _foreign_dtype(leaf)
    if foreign is not None:
        values = values.view(foreign)
    if isinstance(leaf, np.ndarray | np.generic):
        return values[()] if isinstance(leaf, np.generic) else values
    array = jnp.asarray(values)
    return jax.random.wrap_key_data(array, impl=_kind(leaf)) if _is_key(leaf) else array
