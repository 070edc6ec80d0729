"""Files: exact, for batches and both kinds of key, and refused where they do not fit."""

import dataclasses
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import ModelMismatchError, TableFormatError
from tests.envs.conftest import actions
from tests.envs.plain import plain
from tests.full_disk import full_disk


def test_a_batch_goes_on_where_it_was(batch, tmp_path):
    path = tmp_path / "worlds.npz"
    jaxosim.save_state(path, batch.run[3])
    shapes = jax.eval_shape(batch.env.reset, jax.random.key(0))
    restored = jaxosim.load_state(path, shapes)
    chex.assert_trees_all_equal(plain(restored), plain(batch.run[3]))
    assert restored.key.dtype == batch.run[3].key.dtype
    after = batch.step(restored, actions()[3])
    chex.assert_trees_all_equal(plain(after), plain(batch.run[4]))


def test_raw_keys_stay_raw(arm, tmp_path):
    es = dataclasses.replace(arm.reset(jax.random.key(1)), key=jax.random.PRNGKey(1))
    jaxosim.save_state(tmp_path / "world.npz", es)
    restored = jaxosim.load_state(tmp_path / "world.npz", es)
    chex.assert_trees_all_equal(restored, es)


def test_other_trees_that_hold_a_state(arm, tmp_path):
    tree = {"es": arm.reset(jax.random.key(1)), "layers": [np.arange(3), (np.float32(0.1), None)]}
    jaxosim.save_state(tmp_path / "tree.npz", tree)
    restored = jaxosim.load_state(tmp_path / "tree.npz", jax.tree.map(jax.numpy.zeros_like, tree))
    chex.assert_trees_all_equal(plain(restored["es"]), plain(tree["es"]))
    chex.assert_trees_all_equal(restored["layers"], tree["layers"])


def test_a_file_that_does_not_fit_is_refused(arm, batch, tmp_path):
    path = tmp_path / "worlds.npz"
    jaxosim.save_state(path, batch.run[0])
    one = jax.eval_shape(arm.env.reset, jax.random.key(0))
    with pytest.raises(ModelMismatchError, match=r"state/q: expected float64\[2\], got .*\[5, 2\]"):
        jaxosim.load_state(path, one)
    with pytest.raises(ModelMismatchError, match=r"final_return is not expected"):
        jaxosim.load_state(path, one)
    with pytest.raises(FileNotFoundError):
        jaxosim.load_state(tmp_path / "absent.npz", one)


def test_no_pickle(batch, tmp_path):
    path = tmp_path / "worlds.npz"
    jaxosim.save_state(path, batch.run[0])
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "float16"])
def test_leaves_of_every_dtype_come_back(tmp_path, name):
    path = tmp_path / "tree.npz"
    dtype = jnp.dtype(name)
    tree = {"w": jnp.arange(-3, 3).astype(dtype).reshape(2, 3), "b": jnp.ones((), dtype)}
    jaxosim.save_state(path, tree)
    for like in (tree, jax.eval_shape(lambda: tree)):
        restored = jaxosim.load_state(path, like)
        assert restored["w"].dtype == restored["b"].dtype == dtype
        for leaf in tree:
            np.testing.assert_array_equal(
                np.asarray(restored[leaf], np.float32), np.asarray(tree[leaf], np.float32)
            )


def test_dtypes_of_one_size_are_not_taken_for_each_other(tmp_path):
    path = tmp_path / "tree.npz"
    jaxosim.save_state(path, {"w": jnp.ones(2, jnp.bfloat16)})
    for other in (jnp.float16, jnp.uint16):
        with pytest.raises(ModelMismatchError, match="w is missing; w#bfloat16 is not expected"):
            jaxosim.load_state(path, {"w": jnp.ones(2, other)})
    jaxosim.save_state(path, {"w": jnp.ones(2, jnp.float8_e4m3fn)})
    with pytest.raises(ModelMismatchError, match="w#float8_e5m2 is missing"):
        jaxosim.load_state(path, {"w": jnp.ones(2, jnp.float8_e5m2)})


@pytest.mark.parametrize(
    "tree",
    [
        {"x/y": 1.0, "x": {"y": 2.0}},
        {"a": 1.0, "a.npy": 2.0},
        {"file": 1.0, "allow_pickle": 2.0, "arr_0": 3.0},
        {"a#bfloat16": jnp.zeros(2, jnp.uint16), "a": jnp.ones(2, jnp.bfloat16)},
        {"a%2Fb": 1.0, "a/b": 2.0, "a\\b": 3.0, "a\0b": 4.0, "a\0c": 5.0, "": 6.0},
        {"caf\u00e9": 1.0, "\ud800": 2.0, "line\nbreak": 3.0},
    ],
)
def test_leaves_whose_names_look_alike_are_all_kept(tmp_path, tree):
    path = tmp_path / "tree.npz"
    jaxosim.save_state(path, tree)
    chex.assert_trees_all_equal(
        jaxosim.load_state(path, jax.tree.map(lambda leaf: leaf, tree)), tree
    )
    other = jax.tree.map(lambda leaf: leaf * 0, tree)
    chex.assert_trees_all_equal(jaxosim.load_state(path, other), tree)


class Twins:
    """Two leaves that a careless library calls by one name."""

    def __init__(self, first, second):
        self.leaves = first, second


def test_leaves_of_one_name_are_refused(tmp_path):
    key = jax.tree_util.GetAttrKey("same")
    jax.tree_util.register_pytree_with_keys(
        Twins,
        lambda it: ([(key, it.leaves[0]), (key, it.leaves[1])], None),
        lambda _, of: Twins(*of),
    )
    with pytest.raises(ModelMismatchError, match="two leaves are 'same'"):
        jaxosim.save_state(tmp_path / "tree.npz", Twins(1.0, 2.0))
    assert list(tmp_path.iterdir()) == []


def test_python_numbers_and_numpy_arrays_come_back_as_they_were(tmp_path):
    tree = {"int": 3, "flag": True, "rate": 0.1, "array": np.arange(3.0), "scalar": np.float32(0.1)}
    jaxosim.save_state(tmp_path / "tree.npz", tree)
    restored = jaxosim.load_state(tmp_path / "tree.npz", tree)
    for name, leaf in tree.items():
        assert type(restored[name]) is type(leaf)
        np.testing.assert_array_equal(restored[name], leaf)


def test_what_is_no_array_is_not_saved(tmp_path):
    for leaf in ("text", object(), 10**30):
        with pytest.raises(ModelMismatchError, match="expected arrays of numbers, found a leaf of"):
            jaxosim.save_state(tmp_path / "tree.npz", {"a": jnp.zeros(2), "b": leaf})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "tree.npz"
    jaxosim.save_state(path, {"a": jnp.ones(2)})
    before = path.read_bytes()
    with pytest.raises(ModelMismatchError):
        jaxosim.save_state(path, {"a": "text"})
    with full_disk(4096), pytest.raises(OSError, match=f"cannot write {path}: "):
        jaxosim.save_state(path, {"a": np.ones(10_000)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_foreign_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "state.npz"
    like = {"a": jnp.ones(2)}
    np.save(path.with_suffix(".npy"), np.ones(2))
    pickled = pickle.dumps({"a": np.ones(2)})
    for content in (b"", b"text", pickled, path.with_suffix(".npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(TableFormatError, match="state.npz: expected an archive") as caught:
            jaxosim.load_state(path, like)
        assert "pickle" not in str(caught.value)
        assert "\n" not in str(caught.value)
    np.savez(path, a=np.array([object(), None]))
    with pytest.raises(TableFormatError, match="a holds objects"):
        jaxosim.load_state(path, like)
    np.savez(path, **{f"layer{number}\n": np.ones(1) for number in range(1000)})
    with pytest.raises(ModelMismatchError, match="a is missing; .* and 980 more") as caught:
        jaxosim.load_state(path, like)
    assert "\n" not in str(caught.value)
    with pytest.raises(TableFormatError, match="expected a file"):
        jaxosim.load_state(tmp_path, like)
