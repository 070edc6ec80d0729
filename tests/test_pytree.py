"""Records: frozen, traced, and checked against the axes that they declare."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxosim.errors import ModelMismatchError
from jaxosim.pytree import array, check_shapes, declared_arrays, pytree


@pytree
class Inner:
    """Inside."""

    table: jax.Array = array("row", 2, unit="m")


@pytree
class Outer:
    """Outside."""

    scalar: jax.Array = array(unit="s")
    weights: jax.Array = array("row", unit="1")
    inner: Inner


def record(rows=3):
    return Outer(
        scalar=jnp.zeros(()), weights=jnp.ones(rows), inner=Inner(table=jnp.ones((rows, 2)))
    )


def test_every_field_is_a_leaf():
    assert [leaf.shape for leaf in jax.tree.leaves(record())] == [(), (3,), (3, 2)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf, record())
    assert isinstance(doubled, Outer) and isinstance(doubled.inner, Inner)


def test_records_are_frozen_and_take_names_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().scalar = jnp.ones(())
    with pytest.raises(TypeError):
        Inner(jnp.ones((3, 2)))


def test_declared_arrays_are_named_through_sub_records():
    names = [(name, axes) for name, _, axes in declared_arrays(record())]
    assert names == [("scalar", ()), ("weights", ("row",)), ("inner.table", ("row", 2))]


def test_right_shapes_pass():
    check_shapes(record(), {"row": 3})


@pytest.mark.parametrize(
    "change, message",
    [
        ({"weights": (4,)}, r"^Outer\.weights: expected shape \[row=3\], got \[4\]$"),
        ({"weights": ()}, r"^Outer\.weights: expected shape \[row=3\], got \[\]$"),
        ({"scalar": (2, 1)}, r"^Outer\.scalar: expected a scalar, got \[2, 1\]$"),
        ({"scalar": (1,)}, r"a scalar, got \[1\]; a batch of worlds takes jax\.vmap"),
        ({"weights": (4, 3)}, r"expected shape \[row=3\], got \[4, 3\]; a batch of worlds takes"),
    ],
)
def test_wrong_shapes_are_named(change, message):
    changes = {name: jnp.zeros(shape) for name, shape in change.items()}
    with pytest.raises(ModelMismatchError, match=message):
        check_shapes(dataclasses.replace(record(), **changes), {"row": 3})


def test_wrong_shapes_of_sub_records_are_named():
    wrong = dataclasses.replace(record(), inner=Inner(table=jnp.zeros((3, 5))))
    message = r"^Outer\.inner\.table: expected shape \[row=3, 2\], got \[3, 5\]$"
    with pytest.raises(ModelMismatchError, match=message):
        check_shapes(wrong, {"row": 3})


def test_a_size_of_one_array_alone_comes_first():
    check_shapes(
        Outer(scalar=jnp.zeros(()), weights=jnp.ones(3), inner=Inner(table=jnp.ones((7, 2)))),
        {"row": 3, "inner.table.row": 7},
    )


def test_an_unknown_axis_never_fits():
    with pytest.raises(ModelMismatchError, match="row=-1"):
        check_shapes(record(), {})


def test_what_is_no_array_is_named():
    with pytest.raises(ModelMismatchError, match=r"Outer\.weights"):
        check_shapes(dataclasses.replace(record(), weights=1.0), {"row": 3})


def test_shapes_are_checked_while_tracing_and_under_vmap():
    def checked(r):
        check_shapes(r, {"row": 3})
        return r.scalar

    assert jax.jit(checked)(record()).shape == ()
    many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), record())
    assert jax.vmap(checked)(many).shape == (4,)
    with pytest.raises(ModelMismatchError, match=r"got \[4, 3\]"):
        jax.jit(checked)(dataclasses.replace(many, scalar=jnp.zeros(())))
