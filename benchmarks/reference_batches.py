"""What does an env step by the reference method cost in a batch, here and in another checkout?

    python benchmarks/reference_batches.py [--against PATH] [--worlds 1 8 16 48 128 512]
        [--steps 10] [--repeats 7] [--own]

Worlds of osim-rl's prosthetic walker after 0.3 s of random actions, which they go on with for
`--steps` control steps of 10 ms. Under error control the number of attempts differs from world to
world. `--own` gives every world model parameters of its own, as randomized worlds have; by
default all share them. Processor time is that of all threads; medians. With `--against` a process
runs the package of that folder, the two take turns, and the states in which they end are compared,
which are to be equal to the bit. One table, one JSON line in
benchmarks/results/reference_batches.jsonl.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time

from record import ROOT, record
from tables import show_table

COLUMNS = (
    *("worlds", "us of processor", "us", "us of processor, other", "us, other", "gain"),
    "equal to the bit",
)
_BEFORE = 30  # control steps


def work(own: bool) -> None:
    """Answer requests `[worlds, steps]` on the standard input by seconds and a digest."""
    import dataclasses

    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import numpy as np
    from workload import actions, start, walker

    import jaxosim

    env = walker(jaxosim.Options.reference())
    step = jax.jit(jax.vmap(env.step))
    starts = {}

    def begin(worlds: int):
        es = start(env, worlds)
        if own:
            numbers = jax.tree.map(lambda x: jnp.broadcast_to(x, (worlds, *x.shape)), env.params)
            es = dataclasses.replace(es, params=numbers)
        for action in actions(env, worlds, _BEFORE):
            es = step(es, action)
        return jax.block_until_ready(es)

    for line in sys.stdin:
        worlds, steps = json.loads(line)
        if worlds not in starts:
            starts[worlds] = begin(worlds)
        es = starts[worlds]
        drawn = jax.block_until_ready(list(actions(env, worlds, steps, seed=1)))
        wall, processor = time.perf_counter(), time.process_time()
        for action in drawn:
            es = step(es, action)
        jax.block_until_ready(es)
        seconds = time.process_time() - processor, time.perf_counter() - wall
        digest = hashlib.sha256(
            b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(es.state))
        )
        print(json.dumps([*seconds, digest.hexdigest()]), flush=True)


@contextlib.contextmanager
def worker(folder: str, own: bool):
    """A process that runs the package of a folder, as a function of worlds and steps."""
    command = [sys.executable, __file__, "--worker", *(["--own"] if own else [])]
    paths = [os.path.abspath(folder), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        given, answers = process.stdin, process.stdout
        assert given is not None and answers is not None

        def ask(worlds: int, steps: int):
            print(json.dumps([worlds, steps]), file=given, flush=True)
            return json.loads(answers.readline())

        yield ask
        given.close()


def measure(asks: list, worlds: int, steps: int, repeats: int) -> dict:
    """A row of the table; the processes take turns."""
    found = [[ask(worlds, steps)] for ask in asks]  # the first is a warm-up
    for _ in range(repeats):
        for ask, answers in zip(asks, found, strict=True):
            answers.append(ask(worlds, steps))
    row: dict = {"worlds": worlds}
    for answers, suffix in zip(found, ("", ", other"), strict=False):
        for place, name in enumerate(("us of processor", "us")):
            seconds = statistics.median(answer[place] for answer in answers[1:])
            row[name + suffix] = 1e6 * seconds / (worlds * steps)
    if len(asks) > 1:
        row["gain"] = row["us of processor, other"] / row["us of processor"]
        row["equal to the bit"] = len({answer[2] for own in found for answer in own}) == 1
    return row


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", help="folder of another checkout")
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 8, 16, 48, 128, 512])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--own", action="store_true", help="parameters of each world's own")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.own)
        return
    folders = [str(ROOT), *([arguments.against] if arguments.against else [])]
    with contextlib.ExitStack() as stack:
        asks = [stack.enter_context(worker(folder, arguments.own)) for folder in folders]
        rows = [measure(asks, n, arguments.steps, arguments.repeats) for n in arguments.worlds]
    cells = [[row.get(name) for name in COLUMNS] for row in rows]
    show_table("An env step of a world by the reference method", COLUMNS, cells)
    record("reference_batches", {"own parameters": arguments.own, "rows": rows})


if __name__ == "__main__":
    main()
