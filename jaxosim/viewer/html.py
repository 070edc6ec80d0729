"""A motion as one self-contained HTML file that plays offline. Needs the extra `view`.

The file holds viser's own player (MIT license) and the motion as numbers; it loads nothing.
"""

from pathlib import Path

import jax
import numpy as np

from jaxosim.host.files import replacing
from jaxosim.viewer.motion import Motion
from jaxosim.viewer.scene import build_scene
from jaxosim.viewer.scene_frame import scene_frames_function
from jaxosim.viewer.video import frame_numbers
from jaxosim.viewer.viser_scene import ViserScene, open_server

_ANY_PORT = 18080  # viser looks for a free one from here


def write_html(
    motion: Motion,
    out: str | Path,
    *,
    world: int = 0,
    rate: float = 30.0,
    follow: bool = True,
    geometry: str | Path | None = None,
) -> Path:
    """Write an HTML file in which a motion can be played, paused, scrubbed, sped up and rotated.

    Args:
      motion: what to play.
      out: the file; one that is there is replaced when all is written.
      world: which world of it.
      rate: frames per second.
      follow: whether the view moves along with the model.
      geometry: folder of bone meshes.

    Raises:
      MissingExtraError: viser is not installed.
      OSError: the file cannot be written.
    """
    states, target = motion.world(world), motion.target(world)
    numbers = frame_numbers(motion.time, rate)
    dtype = motion.params.gravity.dtype
    sampled = jax.tree.map(lambda leaf: np.asarray(leaf, dtype)[numbers], states)
    server = open_server(_ANY_PORT)
    try:
        viser_scene = ViserScene(server, build_scene(motion.model, motion.params, geometry))
        scene_frames = jax.device_get(scene_frames_function(motion.model)(motion.params, sampled))

        def show(frame: int) -> None:
            velocity = target[numbers[frame]] if target is not None else None
            viser_scene.show(jax.tree.map(lambda leaf: leaf[frame], scene_frames), follow, velocity)

        show(0)
        recording = server.get_scene_serializer()
        for frame in range(len(numbers)):
            show(frame)
            recording.insert_sleep(1.0 / rate)
        page = recording.as_html()
    finally:
        server.stop()
    with replacing(out) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return Path(out)
