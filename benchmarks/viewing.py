"""What does it cost to look: a film of three seconds, and a picture of the live viewer?

    python benchmarks/viewing.py [MODEL] [--pictures 60]

The film has 30 frames per second and is drawn without a display. The picture's cost is the time of
the thread that works it out and sends it; its share is that of this machine's cores at 30 pictures
per second. Needs the extras `view` and `video`. One table, and one JSON line in
benchmarks/results/viewing.jsonl.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from record import record, show

import jaxosim
from jaxosim.sto import write_states
from jaxosim.viewer.films import render_run
from jaxosim.viewer.run import load_run
from jaxosim.viewer.scene import build_scene, default_state
from jaxosim.viewer.stage import Stage, open_server

_RATE = 30


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


def picture_time(model, params, count):
    """Thread seconds for a picture of the live viewer."""
    state = default_state(params)
    server = open_server(18400)
    try:
        stage = Stage(server, build_scene(model, params))
        stage.show(stage.scene.instant(state), True)
        begin = time.thread_time()
        for number in range(count):
            moved = dataclasses.replace(state, q=np.asarray(state.q) + 0.001 * number)
            stage.show(stage.scene.instant(moved), True)
        return (time.thread_time() - begin) / count
    finally:
        server.stop()


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--pictures", type=int, default=60)
    given = parser.parse_args()
    model, params = jaxosim.load_model(given.model)
    with tempfile.TemporaryDirectory() as folder:
        film = film_time(model, params, Path(folder))
    picture = picture_time(model, params, given.pictures)
    row = {
        "model": model.name,
        "film of 3 s (s)": film,
        "a live picture (ms)": 1e3 * picture,
        "share of all cores (%)": 100 * picture * _RATE / (os.cpu_count() or 1),
    }
    show(row)
    record("viewing", row)


if __name__ == "__main__":
    main()
