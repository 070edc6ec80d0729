"""Placement in memory changes where numbers lie, never what they are."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.arrays import indexing, layout

INDICES = {
    "runs": [0, 1, 2, 5, 6],
    "repeats": [3, 3, 3, 0],
    "backwards": [6, 4, 2, 0],
    "from the end": [-1, 0, -7],
    "identity": [0, 1, 2, 3, 4, 5, 6],
    "none": [],
}


def values(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def mix(x):
    """Every function of the module in one nonlinear expression, `[7, 3]` to `[6]`."""
    rows = indexing.take(jnp.sin(x), np.array([-1, 2, 2, 5]))
    sums = indexing.segment_sum(x * x, np.array([0, 1, 1, 3, 0, 3, 3]), 4)
    both = indexing.concatenate([rows, sums])  # [8, 3]
    pairs = indexing.stack([both[:4], both[4:]], axis=1)  # [4, 2, 3]
    return jnp.sum(layout.materialize(pairs), axis=0).reshape(-1)


def plain(x):
    """The same in NumPy's own words."""
    owner = jnp.array([0, 1, 1, 3, 0, 3, 3])
    rows = jnp.sin(x)[jnp.array([6, 2, 2, 5])]
    sums = jnp.stack([jnp.sum(jnp.where((owner == g)[:, None], x * x, 0.0), 0) for g in range(4)])
    return jnp.sum(jnp.stack([rows, sums], axis=1), axis=0).reshape(-1)


# property


def test_put_is_the_transpose_of_take():
    index, rows = np.array([4, 0, 2]), values(3, 2)
    expected = np.zeros((6, 2))
    expected[index] = rows
    np.testing.assert_array_equal(indexing.put(rows, index, 6), expected)
    assert indexing.put(rows, np.arange(3), 3) is rows  # in order and complete: no copy


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_chosen_is_numpys_indexing(index):
    index, x = np.array(index, int), values(7, 3)
    np.testing.assert_array_equal(indexing.take(x, index), np.asarray(x)[index])
    batch = values(5, 7, 3)
    many = jax.vmap(lambda v: indexing.take(v, index))(batch)
    np.testing.assert_array_equal(many, np.asarray(batch)[:, index])


def test_group_sum_is_the_sum_over_each_owner():
    owner = np.array([2, 0, 2, 2, 3])
    x = values(5, 2)
    expected = [np.asarray(x)[owner == group].sum(axis=0) for group in range(5)]
    np.testing.assert_allclose(indexing.segment_sum(x, owner, 5), expected, rtol=1e-15)
    assert indexing.segment_sum(values(0, 2), np.zeros(0, int), 3).shape == (3, 2)


def test_groups_may_differ_in_size_and_rows_may_have_no_owner():
    owner = np.array([0] * 23 + [4] * 5 + [5] * 9 + [2])  # five groups: the fives belong to none
    x = values(len(owner), 2)
    expected = [np.asarray(x)[owner == group].sum(axis=0) for group in range(5)]
    np.testing.assert_allclose(indexing.segment_sum(x, owner, 5), expected, rtol=1e-14)


def test_columns_of_members_are_what_each_owner_owns():
    x, owner = values(5, 2), np.array([1, 4, 1, 0, 1])  # one row belongs to none
    table = indexing.members_of(owner, 3)
    np.testing.assert_array_equal(table, [[3, 5, 5], [0, 2, 4], [5, 5, 5]])
    columns = indexing.take_columns(x, table)
    np.testing.assert_array_equal(sum(columns), indexing.segment_sum(x, owner, 3))


def test_an_index_past_the_end_chooses_zeros():
    x = values(3, 2)
    expected = np.concatenate([np.asarray(x), np.zeros((1, 2))])[[3, 0, 3, 2]]
    index = np.array([3, 0, 3, 2])
    np.testing.assert_array_equal(indexing.take_or_zero(x, index), expected)
    many = jax.vmap(lambda v: indexing.take_or_zero(v, index))(jnp.stack([x, 2 * x]))
    np.testing.assert_array_equal(many, np.stack([expected, 2 * expected]))


@pytest.mark.parametrize("index", [3, -4])
def test_chosen_refuses_what_is_not_there(index):
    with pytest.raises(IndexError, match="of 3"):
        indexing.take(values(3, 2), np.array([0, index]))


def test_choosing_and_summing_are_each_others_transposition():
    index, x = np.array([6, 2, 2, 7, 5] + [0] * 20), values(7, 3)  # 7 is past the end
    y = values(len(index), 3, seed=1)
    chosen = indexing.take_or_zero(x, index)
    (back,) = jax.vjp(lambda v: indexing.take_or_zero(v, index), x)[1](y)
    np.testing.assert_allclose(back, indexing.segment_sum(y, index, 7), rtol=1e-14)
    np.testing.assert_allclose(jnp.sum(chosen * y), jnp.sum(x * back), rtol=1e-14)
    (again,) = jax.vjp(lambda v: indexing.segment_sum(v, index, 7), y)[1](x)
    np.testing.assert_array_equal(again, chosen)


def test_worlds_lie_side_by_side():
    def law(x):
        return layout.materialize(jnp.sin(x)) * 2

    text = jax.jit(jax.vmap(law)).lower(values(64, 7, 3)).compile().as_text()
    sines = re.findall(r"f64\[64,7,3\]\{([\d,]+)[^}]*\} sine", text)
    assert sines and all(layout.startswith("0") for layout in sines)


@pytest.mark.parametrize("last", [layout.materialize, lambda x: indexing.take(x, np.array([2, 0]))])
def test_results_of_jit_are_stored_as_always(last):
    batch = values(5, 7, 3)
    result = jax.jit(jax.vmap(last))(batch)
    np.testing.assert_array_equal(result, np.stack([last(x) for x in batch]))
    np.testing.assert_array_equal(result + 0, np.stack([last(x) for x in batch]))
    assert result.format.layout.major_to_minor == (0, 1, 2)


# gradient


def test_derivatives_are_those_of_plain_indexing_in_both_modes():
    x, dx = values(7, 3), values(7, 3, seed=1)
    np.testing.assert_allclose(mix(x), plain(x), rtol=1e-14)
    for derivative in (jax.jacrev, jax.jacfwd):
        ours, theirs = (jax.jit(derivative(law))(x) for law in (mix, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)

    def curvature(law):
        slope = jax.grad(lambda v: jnp.sum(law(v) ** 2))
        return jax.jit(lambda x, dx: jax.jvp(slope, (x,), (dx,)))(x, dx)

    chex.assert_trees_all_close(curvature(mix), curvature(plain), rtol=1e-13)


# batch


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_batch_along_any_axis_equals_a_loop(axis):
    batch = values(5, 7, 3)
    loop = np.stack([mix(x) for x in batch])
    many = jax.jit(jax.vmap(mix, in_axes=axis))(jnp.moveaxis(batch, 0, axis))
    np.testing.assert_allclose(many, loop, rtol=1e-14)


def test_batches_of_batches_and_gradients_of_batches():
    batch = values(2, 3, 7, 3)
    expected = jax.jit(jax.vmap(jax.vmap(jax.grad(lambda x: jnp.sum(plain(x))))))(batch)
    inside = jax.jit(jax.vmap(jax.vmap(jax.grad(lambda x: jnp.sum(mix(x))))))(batch)
    outside = jax.jit(jax.grad(lambda xs: jnp.sum(jax.vmap(jax.vmap(mix))(xs))))(batch)
    np.testing.assert_allclose(inside, expected, rtol=1e-14)
    np.testing.assert_allclose(outside, expected, rtol=1e-14)


# compile


def test_one_trace_and_no_scatter_in_reverse():
    gradient = jax.grad(chex.assert_max_traces(lambda x: jnp.sum(mix(x)), 1))
    traced = jax.jit(jax.vmap(gradient))
    traced(values(4, 7, 3))
    traced(values(4, 7, 3, seed=1))
    assert "scatter" not in traced.lower(values(4, 7, 3)).as_text()
