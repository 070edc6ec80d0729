"""EnvStates, or trees that hold them, in a file: every array by name, exact, without pickle."""

import os
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.errors import ModelMismatchError

_Tree = TypeVar("_Tree")
_KEY = "#"  # ends the name of a typed random key; its kind follows


def save_state(path: str | os.PathLike[str], es: Any) -> None:
    """Write an EnvState, of one world or of a batch, as `.npz`.

    Args:
      path: of the file, written as it is named.
      es: from `reset` or `step`; or another tree of arrays, such as a trainer's checkpoint.
    """
    with open(path, "wb") as file:
        np.savez(file, **_arrays(es))


def load_state(path: str | os.PathLike[str], like: _Tree) -> _Tree:
    """Read an EnvState, or what else `save_state` was given.

    Args:
      path: of a file that `save_state` wrote.
      like: an EnvState of the same environment, or its shapes (`jax.eval_shape(env.reset, key)`);
        of another tree one like it.

    Raises:
      ModelMismatchError: the file holds other arrays than `like`; the message lists them.
      FileNotFoundError: there is no such file.
    """
    with np.load(path, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    flat, structure = jax.tree_util.tree_flatten_with_path(like)
    expected = {_name(at, leaf): leaf for at, leaf in flat}
    _check(path, stored, expected)
    leaves = [_restored(stored[name], leaf) for name, leaf in expected.items()]
    return jax.tree_util.tree_unflatten(structure, leaves)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _kind(key: Any) -> str:
    """Which generator a typed key belongs to; shapes alone tell as well."""
    found: list[Any] = []
    jax.eval_shape(lambda leaf: found.append(jax.random.key_impl(leaf)), key)
    return str(found[0])


def _name(path: Any, leaf: Any) -> str:
    """Of an array in the file; a typed key carries its kind."""
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    return f"{name}{_KEY}{_kind(leaf)}" if _is_key(leaf) else name


def _arrays(es: Any) -> dict[str, Any]:
    """Every leaf as a NumPy array, by name."""
    flat, _ = jax.tree_util.tree_flatten_with_path(es)
    return {
        _name(at, leaf): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for at, leaf in flat
    }


def _check(path: Any, stored: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    """Compare names, shapes and dtypes.

    Raises:
      ModelMismatchError: they differ.
    """
    wrong = [f"{name} is missing" for name in expected if name not in stored]
    wrong += [f"{name} is not expected" for name in stored if name not in expected]
    for name in expected.keys() & stored.keys():
        wanted = jax.eval_shape(_data, expected[name])
        found = stored[name]
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            wrong.append(
                f"{name}: expected {wanted.dtype}{list(wanted.shape)}, "
                f"got {found.dtype}{list(found.shape)}"
            )
    if wrong:
        raise ModelMismatchError(
            f"{os.fspath(path)} is of another environment, batch or precision: "
            + "; ".join(sorted(wrong))
        )


def _data(leaf: Any) -> Any:
    """What of a leaf is stored."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _restored(values: np.ndarray, leaf: Any) -> jax.Array:
    """A leaf as it was."""
    array = jnp.asarray(values)
    return jax.random.wrap_key_data(array, impl=_kind(leaf)) if _is_key(leaf) else array
