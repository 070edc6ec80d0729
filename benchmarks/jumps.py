"""Do the lengths of a model's paths jump between neighboring poses?

    python benchmarks/jumps.py MODEL … [--lines 256] [--points 40]

A path that changes from one way round a wrap object to another, or gains a point, changes its
length at once, in OpenSim as here, and the tension of its tendon with it. Lines through the space
of poses, each 0.1 (rad | m) long at most in every coordinate, begin at random poses within the
ranges of the coordinates; their points are assembled. A length jumps where it changes between two
points by more than 1 mm and ten times the median of the line. Prints on how many lines some path
jumps, and the paths with the most jumps and their largest; a line for each model goes to
benchmarks/results/jumps.jsonl.
"""

import argparse
import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
from record import record
from tables import show_markdown

import jaxosim
from jaxosim.fused import fused
from jaxosim.integrators.projection import assemble
from jaxosim.system import realize_position

jax.config.update("jax_enable_x64", True)

REACH = 0.1  # (rad | m) of a line, in each coordinate at most
LEAST, TYPICAL = 1e-3, 10  # m and times the median: what is more is a jump
SEED = 0
SHOWN = 5


def lengths_along(path: str, lines: int, points: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of a model's paths, and their lengths `[line, point, path]` (m)."""
    model, params = jaxosim.load_model(path)
    state = jaxosim.initial_state(model, params)
    random = np.random.default_rng(SEED)
    default = np.asarray(params.coordinates.default_value)
    fixed = model.locked | model.dependent
    shape = lines, 1, len(default)
    low, high = np.asarray(params.coordinates.range).T
    start = np.where(fixed, default, random.uniform(low, high, shape))
    ends = np.where(fixed, 0.0, random.uniform(-REACH, REACH, shape))
    poses = start + ends * np.linspace(0, 1, points)[:, None]

    @fused
    def lengths(q: jax.Array) -> jax.Array:
        at = assemble(model, params, dataclasses.replace(state, q=q))
        return realize_position(model, params, at).paths.length

    poses = jnp.asarray(poses.reshape(-1, len(default)))
    found = np.asarray(jax.jit(jax.vmap(lengths))(poses))
    return model.paths.names, found.reshape(lines, points, -1)


def jumps(lengths: np.ndarray) -> np.ndarray:
    """The largest jump of each path on each line, `[line, path]` (m), zero where there is none.

    Args:
      lengths: `[line, point, path]` (m).
    """
    change = np.abs(np.diff(lengths, axis=1))
    usual = np.median(change, axis=1, keepdims=True)
    return np.where(change > LEAST + TYPICAL * usual, change, 0.0).max(axis=1)


def main() -> None:
    """Measure, record, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or paths")
    parser.add_argument("--lines", type=int, default=256)
    parser.add_argument("--points", type=int, default=40)
    given = parser.parse_args()
    os.environ.setdefault("JAXOSIM_LLVM_LEVEL", "0")  # of programs that run once
    table = []
    for path in given.models:
        names, lengths = lengths_along(path, given.lines, given.points)
        found = jumps(lengths)
        count = (found > 0).sum(0)
        most = [i for i in np.argsort(-count, kind="stable")[:SHOWN] if count[i]]
        worst = {names[i]: (int(count[i]), float(found[:, i].max())) for i in most}
        some = int((found > 0).any(1).sum())
        row = {"model": os.path.basename(path), "lines": given.lines, "jump": some, "paths": worst}
        record("jumps", row)
        said = ", ".join(f"{name} {many} ({size:.2g})" for name, (many, size) in worst.items())
        table.append((row["model"], len(names), f"{some} of {given.lines}", said))
    show_markdown(("model", "paths", "lines with a jump", "path, lines, largest jump (m)"), table)


if __name__ == "__main__":
    main()
