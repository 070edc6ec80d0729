"""How records are declared, frozen dataclasses whose fields name their axes and unit, and checked.

Everything in `types.py` is built with this.
"""

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.errors import ModelMismatchError

_Record = typing.TypeVar("_Record")
_Tree = typing.TypeVar("_Tree")
_REAL = (jnp.floating, jnp.integer, jnp.bool_)  # kinds of dtypes


def array(*axes: str | int, unit: str) -> typing.Any:
    """Declare an array field by its axes (a name of the model's sizes, or a number) and SI unit."""
    return dataclasses.field(metadata={"axes": axes, "unit": unit})


@typing.dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(array, dataclasses.field)
)
def pytree(cls: type[_Record]) -> type[_Record]:
    """Frozen, keyword-only dataclass whose every field is a traced leaf or another pytree."""
    declared = dataclasses.dataclass(frozen=True, kw_only=True, eq=False)(cls)
    return jax.tree_util.register_dataclass(declared)


def declared_arrays(record: object, prefix: str = "") -> Iterator[tuple[str, object, tuple]]:
    """Every declared array of a record and its sub-records: (dotted name, value, axes).

    A sub-record may be a dictionary of records.
    """
    if isinstance(record, Mapping):
        for name, value in record.items():
            yield from declared_arrays(value, f"{prefix}{name}.")
        return
    for field in dataclasses.fields(record) if record is not None else ():  # pyright: ignore[reportArgumentType]
        value = getattr(record, field.name)
        name = f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) or isinstance(value, Mapping):
            yield from declared_arrays(value, f"{name}.")
        elif "axes" in field.metadata and not (value is None and _may_be_absent(field)):
            yield name, value, field.metadata["axes"]


def _may_be_absent(field: dataclasses.Field) -> bool:
    """Whether a field is declared as an array or None."""
    return type(None) in typing.get_args(field.type)


def check_shapes(record: object, sizes: Mapping[str, int]) -> None:
    """Compare every array of a record with its declared axes; runs on tracers as well.

    Raises:
      ModelMismatchError: an array does not have the shape its axes ask for.
    """
    for name, value, axes in declared_arrays(record):
        owned = [f"{name}.{axis}" for axis in axes]  # a size of this array alone comes first
        expected = tuple(
            axis if isinstance(axis, int) else sizes.get(own, sizes.get(axis, -1))
            for axis, own in zip(axes, owned, strict=True)
        )
        shape = getattr(value, "shape", ())
        if shape != expected:
            raise _wrong_shape(f"{type(record).__name__}.{name}", axes, expected, shape)


def check_dtypes(*records: object) -> None:
    """Refuse records whose numbers are not of one floating dtype, one that JAX can compute with.

    JAX itself would fail later, in the first loop that they enter, with a list of types.

    Raises:
      ModelMismatchError: a record holds whole numbers, or float64 beside float32, or float64 while
        JAX's x64 mode is off.
    """
    first: tuple[str, np.dtype] | None = None
    for record in records:
        for name, value, _ in declared_arrays(record):
            name = f"{type(record).__name__}.{name}"
            if isinstance(value, float | int) and not isinstance(value, np.generic):
                continue  # a number of Python, which takes the others' dtype
            if not isinstance(value, (jax.Array, np.ndarray, np.generic)):
                raise ModelMismatchError(f"{name}: expected an array, got {type(value).__name__}")
            if jnp.issubdtype(value.dtype, jax.dtypes.extended):  # such as a random key's
                raise ModelMismatchError(
                    f"{name}: expected floating-point numbers, got {value.dtype}"
                )
            dtype = np.dtype(value.dtype)
            usable = jax.dtypes.canonicalize_dtype(dtype)
            dtype = dtype if isinstance(value, jax.Array) else usable  # NumPy's are converted
            if not jnp.issubdtype(dtype, jnp.floating):
                raise ModelMismatchError(f"{name}: expected floating-point numbers, got {dtype}")
            if dtype != usable:
                raise ModelMismatchError(
                    f"{name}: {dtype} numbers, and JAX's x64 mode is off: switch it on again "
                    "(jax_enable_x64), or load the model and make the state anew"
                )
            first = first or (name, dtype)
            if dtype != first[1]:
                raise ModelMismatchError(
                    f"{name}: expected {first[1]} as {first[0]} has, got {dtype}: convert one "
                    "record with jax.tree.map(lambda leaf: leaf.astype(...), record)"
                )


def checked_array(
    name: str, value: typing.Any, axes: Mapping[str, int | None], like: jax.Array
) -> jax.Array:
    """An argument as an array of the model's dtype, after a look at its shape.

    Args:
      name: of the argument, for the message.
      value: real numbers of any dtype, also in lists.
      axes: names of its axes and their lengths, None for any.
      like: an array of the model, whose dtype the answer has.

    Raises:
      ModelMismatchError: it has another shape, or holds something else; the message says what was
        expected.
    """
    expected = _named_shape(axes, axes.values())
    try:
        given = value if hasattr(value, "dtype") else jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ModelMismatchError(
            f"{name}: expected real numbers {expected}, got {type(value).__name__} ({error})"
        ) from error
    if not any(jnp.issubdtype(given.dtype, kind) for kind in _REAL):
        raise ModelMismatchError(
            f"{name}: expected real numbers {expected}, got dtype {given.dtype}"
        )
    shape, sizes = tuple(given.shape), tuple(axes.values())
    if not _fits(shape, sizes):
        raise _wrong_shape(name, axes, sizes, shape)
    return jnp.asarray(given, jnp.result_type(like))


def _fits(shape: Sequence[int], sizes: Sequence[int | None]) -> bool:
    """Whether a shape has these sizes, None being any."""
    return len(shape) == len(sizes) and all(
        size in (None, found) for size, found in zip(sizes, shape, strict=True)
    )


def _named_shape(axes: Iterable[str | int], sizes: Iterable[int | None]) -> str:
    """The sizes with the names of their axes, such as "[muscle=9, 3]"."""
    parts = [
        str(axis) if size is None or isinstance(axis, int) else f"{axis}={size}"
        for axis, size in zip(axes, sizes, strict=True)
    ]
    return f"[{', '.join(parts)}]"


def _wrong_shape(
    name: str, axes: Iterable[str | int], sizes: Sequence[int | None], shape: Sequence[int]
) -> ModelMismatchError:
    """What to raise for an array of another shape than expected."""
    is_batch = _fits(shape[1:], sizes)
    hint = "; a batch of worlds takes jax.vmap or jaxosim.batched" if is_batch else ""
    expected = f"shape {_named_shape(axes, sizes)}" if sizes else "a scalar"
    return ModelMismatchError(f"{name}: expected {expected}, got {list(shape)}{hint}")


def tree_where(condition: jax.Array, yes: _Tree, no: _Tree) -> _Tree:
    """One of two trees, leaf by leaf.

    Args:
      condition: bool, a scalar or with the leading axes of every leaf, such as `[world]`.
      yes: where it is true.
      no: elsewhere; a tree of the same structure.
    """

    def leaf(a: jax.Array, b: jax.Array) -> jax.Array:
        if not condition.ndim:
            return jnp.where(condition, a, b)
        return jnp.where(
            condition.reshape(condition.shape + (1,) * (a.ndim - condition.ndim)), a, b
        )

    return jax.tree.map(leaf, yes, no)


def all_finite(tree: object) -> jax.Array:
    """Whether every number of a tree is finite: bool."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
