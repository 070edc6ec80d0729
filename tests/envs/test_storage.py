"""Files: exact, for batches and both kinds of key, and refused where they do not fit."""

import dataclasses

import chex
import jax
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import ModelMismatchError
from tests.envs.conftest import actions
from tests.envs.test_batch import plain


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
