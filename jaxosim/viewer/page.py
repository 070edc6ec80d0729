"""A run as one self-contained page that plays offline, without a server. Needs the extra `view`.

The page holds viser's own player (MIT license) and the motion as numbers; it loads nothing.
"""

from pathlib import Path

import jax
import numpy as np

from jaxosim.files import replacing
from jaxosim.viewer.films import frame_numbers
from jaxosim.viewer.instant import instants_function
from jaxosim.viewer.run import Run
from jaxosim.viewer.scene import build_scene
from jaxosim.viewer.stage import Stage, open_server

_ANY_PORT = 18080  # viser looks for a free one from here


def write_page(
    run: Run,
    out: str | Path,
    *,
    world: int = 0,
    rate: float = 30.0,
    follow: bool = True,
    geometry: str | Path | None = None,
) -> Path:
    """Write a page that plays a run; the visitor plays, pauses, scrubs, speeds up and turns it.

    Args:
      run: what to play.
      out: the file; one that is there is replaced when all is written.
      world: which world of it.
      rate: frames per second.
      follow: whether the view moves along with the model.
      geometry: folder of bone meshes.

    Raises:
      MissingExtraError: viser is not installed.
      OSError: the file cannot be written.
    """
    states, target = run.world(world), run.target(world)
    numbers = frame_numbers(run.time, rate)
    dtype = run.params.gravity.dtype
    chosen = jax.tree.map(lambda leaf: np.asarray(leaf, dtype)[numbers], states)
    server = open_server(_ANY_PORT)
    try:
        stage = Stage(server, build_scene(run.model, run.params, geometry))
        instants = jax.device_get(instants_function(run.model)(run.params, chosen))

        def show(frame: int) -> None:
            asked = target[numbers[frame]] if target is not None else None
            stage.show(jax.tree.map(lambda leaf: leaf[frame], instants), follow, asked)

        show(0)
        recording = server.get_scene_serializer()
        for frame in range(len(numbers)):
            show(frame)
            recording.insert_sleep(1.0 / rate)
        html = recording.as_html()
    finally:
        server.stop()
    with replacing(out) as unfinished:
        unfinished.write_text(html, encoding="utf-8")
    return Path(out)
