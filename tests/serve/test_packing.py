"""Worlds as rows of numbers: the same to the bit on either side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.serve.packing import Packing


def world(seed):
    draws = np.random.default_rng(seed)
    return {
        "scalar": np.float32(draws.uniform()),
        "step": np.int32(draws.integers(9)),
        "flags": draws.uniform(size=3) < 0.5,
        "vector": draws.normal(size=4).astype(np.float32),
        "table": (draws.integers(9, size=(2, 3)).astype(np.int32), None),
        "empty": np.zeros((0,), np.float32),
    }


def same(first, second):
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_array_equal(one, other)


def test_a_row_gives_the_world_back():
    packing = Packing(world(0))
    row = packing.row(world(1))
    assert {name: part.shape for name, part in row.items()} == {
        "float32": (1, 5),
        "int32": (1, 7),
        "bool": (1, 3),
    }
    (found,) = packing.worlds(row)
    same(found, world(1))


def test_a_batch_of_rows_is_a_batch_of_worlds_in_a_compiled_program():
    packing, worlds = Packing(world(0)), [world(seed) for seed in range(3)]
    rows = packing.stack([packing.row(one) for one in worlds])
    traces = []

    @jax.jit
    def there_and_back(rows):
        traces.append(1)
        batch = packing.unpack(rows)
        return packing.pack(jax.tree.map(lambda x: x[::-1], batch))

    for _ in range(2):
        after = jax.device_get(there_and_back(rows))
    assert traces == [1]
    for found, one in zip(packing.worlds(after), reversed(worlds), strict=True):
        same(found, one)


def test_gradients_pass_through_rows():
    packing = Packing({"a": np.zeros(2, np.float32), "b": np.zeros((), np.float32)})
    rows = {"float32": jnp.arange(6, dtype=jnp.float32).reshape(2, 3)}

    def total(rows):
        batch = packing.unpack(rows)
        return jnp.sum(batch["a"] ** 2) + jnp.sum(3.0 * batch["b"])

    slope = jax.grad(total)(rows)["float32"]
    np.testing.assert_array_equal(slope, [[0.0, 2.0, 3.0], [6.0, 8.0, 3.0]])
