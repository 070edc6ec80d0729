"""Recorded motions are read whole, and what is in them leads nowhere else."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim import sto
from jaxosim.envs.episode import EnvState
from jaxosim.errors import ModelMismatchError, TableFormatError
from jaxosim.viewer.motion import load_motion, record_episode, write_motion
from jaxosim.viewer.scene import default_state
from jaxosim.viewer.video import frame_numbers
from tests.full_disk import full_disk


def test_an_archive_is_read_whole(run_file, made_up_run):
    motion = load_motion(run_file)
    assert (motion.model.name, motion.world_count) == ("arm2dof6musc", 2)
    np.testing.assert_array_equal(motion.states.q, made_up_run.states.q)
    np.testing.assert_array_equal(motion.world(1).q, made_up_run.states.q[:, 1])
    np.testing.assert_array_equal(motion.target(1), made_up_run.target_velocity[:, 1])
    with pytest.raises(ModelMismatchError, match="world from 0 to 1, got 2"):
        motion.world(2)


def test_a_full_disk_leaves_the_old_run(made_up_run, tmp_path):
    path = tmp_path / "motion.npz"
    write_motion(path, made_up_run)
    old = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match=f"cannot write {path}: "):
        write_motion(path, made_up_run)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_is_read_as_one_world(made_up_run, tmp_path):
    path = tmp_path / "states.sto"
    sto.write_states(path, made_up_run.model, made_up_run.world(0))
    motion = load_motion(path)
    assert (motion.model, motion.world_count, motion.target(0)) == (made_up_run.model, 1, None)
    np.testing.assert_array_equal(motion.states.q[:, 0], made_up_run.states.q[:, 0])


def test_a_model_named_in_a_file_is_a_bundled_one_or_has_to_be_given(run_file, tmp_path):
    arrays = dict(np.load(run_file))
    secret = tmp_path / "secret.osim"
    secret.write_text("not to be read")
    arrays["metadata"] = np.array(f'{{"model": "{secret}", "source": "{secret}"}}')
    path = tmp_path / "motion.npz"
    np.savez(path, **arrays)
    with pytest.raises(TableFormatError, match="motion.npz: it names no bundled model: .*--model"):
        load_motion(path)
    assert load_motion(path, "arm2dof6musc").world_count == 2
    with pytest.raises(ModelMismatchError, match="coordinate_names"):
        load_motion(path, "gait9dof18musc")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"not an archive"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "motion.npz").write_bytes(content)
    with pytest.raises(TableFormatError, match="motion.npz: expected an archive"):
        load_motion(tmp_path / "motion.npz")


def test_objects_in_an_archive_are_not_unpickled(run_file, tmp_path):
    arrays = dict(np.load(run_file))
    arrays["q"] = np.array([{"any": "object"}], dtype=object)
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(TableFormatError, match="expected an archive of arrays"):
        load_motion(tmp_path / "motion.npz")


def test_wrong_shapes_are_refused(run_file, tmp_path):
    arrays = dict(np.load(run_file))
    arrays["q"] = arrays["q"][:, :, :1]
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(ModelMismatchError, match="q has an unfitting shape"):
        load_motion(tmp_path / "motion.npz")
    for wrong in (np.zeros((51, 3)), np.full((51, 2, 3), np.nan), np.zeros((51, 2, 3), int)):
        np.savez(tmp_path / "motion.npz", **dict(np.load(run_file)) | {"target_velocity": wrong})
        with pytest.raises(TableFormatError, match="motion.npz: expected target_velocity as"):
            load_motion(tmp_path / "motion.npz")


STRANGE = {
    "no rows": lambda values: values[:0],
    "text": lambda values: values.astype(str),
    "complex": lambda values: values.astype(complex),
    "whole numbers": lambda values: values.astype(int),
    "one axis more": lambda values: values[None],
    "a number": lambda values: np.array(0.5),
    "fewer": lambda values: values[:-1],
    "the other way round": lambda values: values.T,
    "records": lambda values: np.zeros(values.shape, [("x", "f8")]),
    "bytes": lambda values: np.zeros(values.shape, "S3"),
    "void": lambda values: np.zeros(values.shape, "V2"),
}


@pytest.mark.parametrize("change", STRANGE)
@pytest.mark.parametrize("name", ["q", "u", "activation", "fiber_length", "controls", "time"])
def test_strange_arrays_are_refused_in_one_line(run_file, tmp_path, name, change):
    if (name, change) == ("time", "whole numbers"):
        pytest.skip("times may be whole numbers")
    arrays = dict(np.load(run_file))
    muscles, (count, worlds, _) = len(arrays["muscle_names"]), arrays["q"].shape
    arrays.setdefault("controls", np.zeros((count - 1, worlds, muscles)))
    np.savez(tmp_path / "motion.npz", **arrays)
    assert load_motion(tmp_path / "motion.npz").world_count == worlds
    if (name, change) == ("time", "the other way round"):
        arrays["time"] = arrays["time"][::-1]
    else:
        arrays[name] = STRANGE[change](arrays[name])
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises((TableFormatError, ModelMismatchError), match="motion.npz: ") as caught:
        load_motion(tmp_path / "motion.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, values",
    [
        ("time", np.full(51, np.nan)),
        ("metadata", np.array("[" * 100_000)),
        ("metadata", np.array("[1]")),
        ("metadata", np.array('{"model": null}')),
        ("metadata", np.zeros(3)),
        ("coordinate_names", np.zeros((2, 2))),
        ("muscle_names", np.array("one")),
    ],
)
def test_strange_names_and_times_are_refused_in_one_line(run_file, tmp_path, name, values):
    np.savez(tmp_path / "motion.npz", **dict(np.load(run_file)) | {name: values})
    with pytest.raises((TableFormatError, ModelMismatchError), match="motion.npz: ") as caught:
        load_motion(tmp_path / "motion.npz")
    assert "\n" not in str(caught.value)


def test_worlds_that_are_not_everywhere_are_refused(run_file, tmp_path):
    arrays = dict(np.load(run_file))
    arrays["u"] = arrays["u"][:, :1]
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(ModelMismatchError, match="as many worlds in each array"):
        load_motion(tmp_path / "motion.npz")


def world(state, target):
    """An EnvState that knows its state and its target velocity."""
    nothing = jnp.zeros(np.shape(state.time))
    return EnvState(
        **dict.fromkeys(("obs", "reward", "done", "key", "step_count", "episode_return"), nothing),
        **dict.fromkeys(("info", "metrics"), {}),
        **{"state": state, "integrator_state": (), "task_state": target, "params": None},
    )


def test_an_episode_is_recorded_and_comes_back(tmp_path):
    model, params = jaxosim.load_model("arm2dof6musc")
    env = types.SimpleNamespace(
        **{"model": model, "params": params, "options": jaxosim.Options(), "action_repeat": 2},
        target_velocity=lambda es: es.task_state,
    )
    state = default_state(params)
    moved = dataclasses.replace(state, q=state.q + 0.5)
    one = record_episode(env, [world(state, None), world(moved, None)])
    np.testing.assert_array_equal(one.time, [0, 0.02])
    np.testing.assert_array_equal(one.states.q[:, 0], [state.q, moved.q])
    assert one.target(0) is None
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), state, moved, state)
    targets = jnp.arange(9.0).reshape(3, 3)
    many = record_episode(env, [world(batch, targets), world(batch, -targets)])
    write_motion(tmp_path / "episode.npz", many)
    back = load_motion(tmp_path / "episode.npz")
    np.testing.assert_array_equal(back.target(1), [[3, 4, 5], [-3, -4, -5]])
    np.testing.assert_array_equal(back.world(1).q, [moved.q, moved.q])


def test_frames_show_the_nearest_samples():
    time = np.arange(101) * 0.01
    numbers = frame_numbers(time, 30)
    assert len(numbers) == 30
    assert np.abs(time[numbers] - np.arange(30) / 30).max() <= 0.005 + 1e-9
    assert len(frame_numbers(time, 30, speed=0.5)) == 60
    np.testing.assert_array_equal(frame_numbers(np.zeros(1), 30), [0])
