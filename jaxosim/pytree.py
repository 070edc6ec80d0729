"""How records are declared: frozen dataclasses whose fields name their axes and unit.

Twelve lines of machinery and one check; everything in `types.py` is built with them.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping

import jax

from jaxosim.errors import ModelMismatchError

_Record = typing.TypeVar("_Record")


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
    """Every declared array of a record and its sub-records: (dotted name, value, axes)."""
    for field in dataclasses.fields(record):  # pyright: ignore[reportArgumentType]
        value = getattr(record, field.name)
        name = f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from declared_arrays(value, f"{name}.")
        elif "axes" in field.metadata:
            yield name, value, field.metadata["axes"]


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
            named = {str(axis): size for axis, size in zip(axes, expected, strict=True)}
            raise ModelMismatchError(
                f"{type(record).__name__}.{name}: expected {named or 'a scalar'}, got shape {shape}"
            )
