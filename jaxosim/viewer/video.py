"""A motion as a video or an image file. Needs the extra `video`."""

import errno
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from jaxosim.host.files import replacing
from jaxosim.host.optional import require
from jaxosim.types import State
from jaxosim.viewer.image import VIDEO_SUFFIXES, Camera, Renderer
from jaxosim.viewer.motion import Motion
from jaxosim.viewer.scene import build_scene
from jaxosim.viewer.scene_frame import scene_frames_function

_QUALITY = 7  # of H.264, from 0 to 10


def frame_numbers(time: np.ndarray, rate: float, speed: float = 1.0) -> np.ndarray:
    """Which sample of a motion each frame shows: the nearest to the frame's time.

    Args:
      time: `[time]` (s), not decreasing.
      rate: (1/s) frames per second of the video.
      speed: seconds of the motion per second of the video.
    """
    count = max(1, round((time[-1] - time[0]) * rate / speed))
    wanted = time[0] + np.arange(count) * speed / rate
    after = np.clip(np.searchsorted(time, wanted), 1, max(len(time) - 1, 1))
    after = np.minimum(after, len(time) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(wanted - time[before] <= time[after] - wanted, before, after)


def render_motion(
    motion: Motion,
    out: str | Path,
    *,
    size: tuple[int, int] = (960, 720),
    camera: Camera | None = None,
    grid: tuple[int, int] = (1, 1),
    first_world: int = 0,
    rate: float = 30.0,
    speed: float = 1.0,
    at: float | None = None,
    geometry: str | Path | None = None,
    advance: Callable[[int, int], object] = lambda done, count: None,
) -> Path:
    """Render a motion to a file: `.mp4` and `.gif` are videos, `.png` is one image.

    Args:
      motion: what to render.
      out: the file; one that is there is replaced when all is written.
      size: width and height in pixels.
      camera: the view.
      grid: rows and columns of worlds side by side.
      first_world: the world in the first place of the grid; the next ones follow.
      rate: frames per second of a video.
      speed: 1 is real time, 0.25 slow motion.
      at: (s) the time that an image shows; by default the middle of the motion.
      geometry: folder of bone meshes.
      advance: called with the number of frames done and their count.

    Raises:
      MissingExtraError: a library is not installed.
      OSError: the file cannot be written.
    """
    out = Path(out)
    time = motion.time
    if out.suffix.lower() in VIDEO_SUFFIXES:
        numbers = frame_numbers(time, rate, speed)
    else:
        wanted = (time[0] + time[-1]) / 2 if at is None else at
        numbers = np.array([np.argmin(np.abs(time - wanted))])
    motion.world(first_world)  # refuses a world that is not there
    worlds = range(first_world, min(first_world + grid[0] * grid[1], motion.world_count))
    frames = _frames(motion, numbers, list(worlds), size, camera, grid, geometry, advance)
    with replacing(out) as unfinished:
        _write(unfinished, frames, rate)
    return out


def _write(out: Path, frames: Iterator[np.ndarray], rate: float) -> None:
    """Write frames into a file of the kind that its suffix names."""
    imageio = require("imageio.v2", "video")
    if out.suffix.lower() == ".mp4":
        ffmpeg = require("imageio_ffmpeg", "video")
        options = {"fps": rate, "codec": "libx264", "quality": _QUALITY, "macro_block_size": 2}
        with warnings.catch_warnings():
            # JAX warns of forks; this one becomes another program at once.
            warnings.filterwarnings("ignore", message=".*fork", category=RuntimeWarning)
            with imageio.get_writer(out, format="FFMPEG", **options) as writer:
                for frame in frames:
                    writer.append_data(frame)
            try:  # a full disk is not reported; ffmpeg writes the index last
                ffmpeg.count_frames_and_secs(str(out))
            except RuntimeError as error:
                reason = "ffmpeg did not finish (is the disk full?)"
                raise OSError(errno.EIO, reason, str(out)) from error
        return
    image = io.BytesIO()  # a writer that fails in a file tries once more when it is collected
    if out.suffix.lower() == ".gif":
        imageio.mimsave(image, list(frames), format="GIF", duration=1000 / rate, loop=0)
    else:
        imageio.imwrite(image, list(frames)[0], format=out.suffix[1:])
    out.write_bytes(image.getvalue())


def _frames(
    motion: Motion,
    numbers: np.ndarray,
    worlds: list[int],
    size: tuple[int, int],
    camera: Camera | None,
    grid: tuple[int, int],
    geometry: str | Path | None,
    advance: Callable[[int, int], object],
) -> Iterator[np.ndarray]:
    """Images of these samples of the motion."""
    scene = build_scene(motion.model, motion.params, geometry)
    renderer = Renderer(scene, size, camera, grid)
    dtype = motion.params.gravity.dtype
    shown, targets = [], []
    for world in worlds:
        states: State = motion.world(world)
        sampled = jax.tree.map(lambda leaf: np.asarray(leaf, dtype)[numbers], states)
        shown.append(jax.device_get(scene_frames_function(motion.model)(motion.params, sampled)))
        targets.append(motion.target(world))
    try:
        for frame, sample in enumerate(numbers):
            here = [
                jax.tree.map(lambda leaf, k=frame: leaf[k], scene_frames) for scene_frames in shown
            ]
            velocities = [target[sample] if target is not None else None for target in targets]
            yield renderer.render(here, velocities)
            advance(frame + 1, len(numbers))
    finally:
        renderer.close()
