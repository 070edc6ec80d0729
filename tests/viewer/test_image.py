"""Images and videos: not blank, the muscles in the right color, bones where they belong."""

import dataclasses

import numpy as np
import pytest

import jaxosim
from jaxosim.viewer.image import Camera, render_frame
from jaxosim.viewer.scene import default_state
from jaxosim.viewer.video import render_motion
from tests.full_disk import full_disk
from tests.viewer.conftest import still_activated

pytestmark = pytest.mark.usefixtures("renderer")
SIZE = (240, 320)


def share(frame, red, blue):
    """Share of the pixels that are clearly redder or bluer than the other."""
    r, g, b = (frame[..., channel].astype(int) for channel in range(3))
    first, second = (r, b) if red else (b, r)
    return np.mean((first > 110) & (second < 60) & (g < 60))


# Bones of the same bodies are drawn for the models that are not among these.
OTHERS = {
    "arm26",
    "gait10dof18musc",
    "gait14dof22musc",
    "gait14dof22musc_planar",
    "gait14dof22musc_planar_pros",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in OTHERS else [])
        for name in jaxosim.bundled_models()
    ],
)
def test_every_bundled_model_fills_its_picture(name):
    model, params = jaxosim.load_model(name)
    frame = render_frame(model, params, default_state(params), SIZE, Camera("front"))
    assert frame.shape == (320, 240, 3) and frame.dtype == np.uint8
    background = np.all(np.abs(frame.astype(int) - frame[2, 2]) < 8, axis=-1)
    rows = np.flatnonzero((~background).any(axis=1))
    assert np.ptp(rows) > 160  # from head to foot, or from skull to hand
    assert frame[2].std() < 3  # and nothing cut off at the top


def test_the_floor_goes_along(walker):
    """Whole meters away the picture that follows is the same."""
    model, params = walker
    state = default_state(params)
    x, z = (model.coordinate_names.index(name) for name in ("pelvis_tx", "pelvis_tz"))
    away = dataclasses.replace(state, q=state.q.at[x].add(200.0).at[z].add(-60.0))
    here, there = (render_frame(model, params, s, SIZE).astype(int) for s in (state, away))
    assert (np.abs(here - there).max(axis=-1) > 30).mean() < 1e-3


def test_muscles_are_blue_at_rest_and_red_when_active(walker):
    model, params = walker
    resting, active = (
        render_frame(model, params, still_activated(params, level), SIZE) for level in (0.0, 1.0)
    )
    assert share(resting, red=False, blue=True) > 0.005 > share(resting, red=True, blue=False)
    assert share(active, red=True, blue=False) > 0.005 > share(active, red=False, blue=True)


def test_the_camera_follows_or_stays(walker):
    model, params = walker
    state = default_state(params)
    q = np.array(state.q)
    q[model.coordinate_names.index("pelvis_tx")] += 40.0
    far = dataclasses.replace(state, q=q)
    followed = render_frame(model, params, far, SIZE, Camera("front"))
    left = render_frame(model, params, far, SIZE, Camera("side", follow=False))
    assert share(followed, red=False, blue=True) > 0.002
    assert share(left, red=False, blue=True) == 0


def test_a_film_has_its_frames_and_they_differ(made_up_run, tmp_path):
    imageio = pytest.importorskip("imageio.v3", reason="imageio is not installed (extra `video`)")
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed (extra `video`)")
    path = render_motion(made_up_run, tmp_path / "walk.mp4", size=(160, 160), grid=(1, 2))
    frames = np.stack(list(imageio.imiter(path, plugin="FFMPEG")))
    assert frames.shape == (15, 160, 160, 3)
    assert all(frame.std() > 5 for frame in frames)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.5
    left, right = frames[-1][:, :80].astype(int), frames[-1][:, 80:].astype(int)
    assert np.abs(left - right).mean() > 0.5  # two worlds
    assert abs(imageio.immeta(path, plugin="FFMPEG")["fps"] - 30) < 0.1


@pytest.mark.parametrize(
    "name", ["walk.mp4", pytest.param("walk.gif", marks=pytest.mark.thorough), "walk.png"]
)
def test_a_full_disk_leaves_the_old_film(made_up_run, tmp_path, name):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed (extra `video`)")
    path = render_motion(made_up_run, tmp_path / name, size=(160, 160))
    old = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match=f"cannot write {path}: "):
        render_motion(made_up_run, path, size=(160, 160))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_gif_and_png(made_up_run, tmp_path):
    imageio = pytest.importorskip("imageio.v3", reason="imageio is not installed (extra `video`)")
    gif = render_motion(made_up_run, tmp_path / "walk.gif", size=(80, 80), rate=10)
    assert len(imageio.imread(gif)) == 5
    png = render_motion(made_up_run, tmp_path / "pose.png", size=(80, 80), at=0.2, first_world=1)
    assert imageio.imread(png).shape == (80, 80, 3)
    none = dataclasses.replace(made_up_run, target_velocity=None)
    for motion, is_shown in ((made_up_run, True), (none, False)):
        image = render_motion(motion, tmp_path / "pose.png", size=SIZE, at=0.2)
        r, g, b = np.moveaxis(imageio.imread(image).astype(int), -1, 0)
        orange = (r - g > 60) & (g - b > 60)  # the target velocity's arrow
        assert orange.any() == is_shown
