"""What does it cost to look: a video of three seconds, and a live viewer that a batch is shown in?

    python benchmarks/viewing.py [MODEL] [--batch 128] [--steps 100] [--blocks 15]

The video has 30 frames per second and is drawn without a display. The live viewer follows one world
of a batch at up to 30 images per second, with a visitor connected (a process that takes what a
browser would take, and draws nothing). Blocks of control steps with and without showing alternate,
each pair in the order opposite to the last; the ratio is the median over the pairs. On a busy
machine the ratio is noise; the processor time of an image, of all the viewer's threads, is not.
Needs the extras `view` and `video`. One table, and one JSON line in
benchmarks/results/viewing.jsonl.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from record import record, show

import jaxosim
from jaxosim.sto import write_states
from jaxosim.viewer.live import LiveViewer
from jaxosim.viewer.motion import load_motion
from jaxosim.viewer.video import render_motion

_RATE = 30
_VISITOR = """
import sys, msgspec, viser
from websockets.sync.client import connect
url = sys.argv[1].replace("http", "ws")
sizes = {"fov": 1.0, "near": 0.1, "far": 10.0, "image_height": 9, "image_width": 9}
places = dict.fromkeys(("position", "look_at", "up_direction"), (0.0, 1.0, 0.0))
camera = {"type": "ViewerCameraMessage", "wxyz": (1.0, 0.0, 0.0, 0.0), **sizes, **places}
with connect(url, subprotocols=[f"viser-v{viser.__version__}"], max_size=None) as visitor:
    visitor.send(msgspec.msgpack.encode(camera))  # only then it counts as a visitor
    for _ in visitor:
        pass
"""


def video_time(model, params, folder):
    """Seconds for a video of three seconds of motion, and processor seconds, the encoder's too."""
    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    excitations = np.full((300, len(model.muscle_names)), 0.05)
    states = jax.jit(lambda s, e: jaxosim.rollout(model, params, s, e))(start, excitations)
    write_states(folder / "motion.sto", model, states)
    motion = load_motion(folder / "motion.sto", model=model.name)
    begin, busy = time.perf_counter(), sum(os.times()[:4])
    render_motion(motion, folder / "walk.mp4", rate=_RATE)
    return time.perf_counter() - begin, sum(os.times()[:4]) - busy


@contextlib.contextmanager
def visited_viewer(model, params):
    """A live viewer that somebody looks at."""
    viewer = LiveViewer(model, params, rate=_RATE)
    visitor = subprocess.Popen([sys.executable, "-c", _VISITOR, viewer.url])
    try:
        if not viewer.wait_for_visitor(60):
            raise SystemExit("the visitor did not come")
        yield viewer
    finally:
        visitor.terminate()
        visitor.wait()
        viewer.close()


def live_times(model, params, batch, steps, blocks):
    """Of each pair of blocks: seconds of a control step, processor seconds, and images shown.

    Returns:
      `[pair, 2]` seconds and `[pair, 2]` processor seconds, not shown and shown; `[pair]` images.
    """
    one = jax.jit(jaxosim.initial_state)(model, params)
    start = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], batch, axis=0), one)
    excitation = jnp.full((batch, len(model.muscle_names)), 0.05, start.q.dtype)
    step = jax.jit(jax.vmap(jaxosim.step, (None, None, 0, 0)))
    jax.block_until_ready(step(model, params, start, excitation))
    seconds, processor, images = np.zeros((3, blocks, 2))
    with visited_viewer(model, params) as viewer:
        viewer.show(start, world=0)
        while not viewer.shown_count:  # the first image compiles
            time.sleep(0.1)
        for block in range(2 * blocks):
            pair, shown = block // 2, int(block % 4 in (1, 2))
            state, before = start, viewer.shown_count
            begin, busy = time.perf_counter(), time.process_time()
            for _ in range(steps):
                state = jax.block_until_ready(step(model, params, state, excitation))
                if shown:
                    viewer.show(state, world=0)
            seconds[pair, shown] = (time.perf_counter() - begin) / steps
            time.sleep(2 / _RATE)  # the last image is out before the next block
            processor[pair, shown] = time.process_time() - busy
            images[pair, shown] = viewer.shown_count - before
    return seconds, processor, images[:, 1]


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100, help="of a block")
    parser.add_argument("--blocks", type=int, default=15, help="of each kind")
    given = parser.parse_args()
    model, params = jaxosim.load_model(given.model)
    with tempfile.TemporaryDirectory() as folder:
        video, video_processor = video_time(model, params, Path(folder))
    seconds, processor, images = live_times(model, params, given.batch, given.steps, given.blocks)
    per_image = (processor[:, 1] - processor[:, 0]) / np.maximum(images, 1)
    row = {
        "model": model.name,
        "batch": given.batch,
        "video of 3 s (s)": video,
        "its processor time (s)": video_processor,
        "control step of the batch (ms)": 1e3 * float(np.median(seconds[:, 0])),
        "the same, shown (ms)": 1e3 * float(np.median(seconds[:, 1])),
        "ratio": float(np.median(seconds[:, 1] / seconds[:, 0])),
        "images per second": float(images.sum() / (given.steps * seconds[:, 1].sum())),
        "processor time of an image (ms)": 1e3 * float(np.median(per_image)),
    }
    show(row)
    record("viewing", row)


if __name__ == "__main__":
    main()
