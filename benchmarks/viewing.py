"""What does it cost to look: a film of three seconds, and a live viewer that a batch is shown in?

    python benchmarks/viewing.py [MODEL] [--batch 64] [--steps 10] [--blocks 15]

The film has 30 frames per second and is drawn without a display. The live viewer follows one world
of a batch at up to 30 pictures per second, with a visitor connected (a process that takes what a
browser would take, and draws nothing). Blocks of control steps with and without showing alternate,
each pair in the order opposite to the last; the ratio is that of the medians. Needs the extras
`view` and `video`. One table, and one JSON line in benchmarks/results/viewing.jsonl.
"""

import argparse
import contextlib
import functools
import statistics
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
from jaxosim.viewer.films import render_run
from jaxosim.viewer.live import LiveViewer
from jaxosim.viewer.run import load_run

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


def film_time(model, params, folder):
    """Seconds for a film of three seconds of motion."""
    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    excitations = np.full((300, len(model.muscle_names)), 0.05)
    states = jax.jit(lambda s, e: jaxosim.rollout(model, params, s, e))(start, excitations)
    write_states(folder / "run.sto", model, states)
    run = load_run(folder / "run.sto", model=model.name)
    begin = time.perf_counter()
    render_run(run, folder / "walk.mp4", rate=_RATE)
    return time.perf_counter() - begin


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
    """Seconds of a control step of a batch, of each block, not shown and shown; pictures per s."""
    one = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    start = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], batch, axis=0), one)
    excitation = jnp.full((batch, len(model.muscle_names)), 0.05, start.q.dtype)
    step = jax.jit(jax.vmap(functools.partial(jaxosim.step, model), (None, 0, 0)))
    jax.block_until_ready(step(params, start, excitation))
    times = {False: [], True: []}
    with visited_viewer(model, params) as viewer:
        viewer.show(start, world=0)
        while not viewer.shown_count:  # the first picture compiles
            time.sleep(0.1)
        pictures = 0
        for block in range(2 * blocks):
            shown = block % 4 in (1, 2)
            state, before = start, viewer.shown_count
            begin = time.perf_counter()
            for _ in range(steps):
                state = jax.block_until_ready(step(params, state, excitation))
                if shown:
                    viewer.show(state, world=0)
            times[shown].append((time.perf_counter() - begin) / steps)
            pictures += viewer.shown_count - before if shown else 0
            time.sleep(2 / _RATE)  # the last picture is out before the next block
    return times[False], times[True], pictures / (steps * sum(times[True]))


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10, help="of a block")
    parser.add_argument("--blocks", type=int, default=15, help="of each kind")
    given = parser.parse_args()
    model, params = jaxosim.load_model(given.model)
    with tempfile.TemporaryDirectory() as folder:
        film = film_time(model, params, Path(folder))
    plain, shown, rate = live_times(model, params, given.batch, given.steps, given.blocks)
    medians = [statistics.median(times) for times in (plain, shown)]
    row = {
        "model": model.name,
        "batch": given.batch,
        "film of 3 s (s)": film,
        "control step of the batch (ms)": 1e3 * medians[0],
        "the same, shown (ms)": 1e3 * medians[1],
        "ratio": medians[1] / medians[0],
        "pictures per second": rate,
    }
    show(row)
    record("viewing", row)


if __name__ == "__main__":
    main()
