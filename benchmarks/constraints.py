"""Do models with constraints stay on them over ten seconds, and what do their multipliers cost?

    python benchmarks/constraints.py leg6dof9musc.osim … [--worlds 256] [--seconds 10] [--rounds 5]

Worlds start at rest in the default pose and get excitations that are random for each world and held
50 ms, all other controls being zero, with default options: fixed steps, each projected.
The first table has the largest error of any constraint equation (rad | m) and of its rate, over all
finite worlds and ten times a second, and the worlds that are finite at the end. The second is of
models whose constraints are couplers alone. It has control steps per processor second as they are,
with multipliers, and with the dependent coordinates locked in place of the couplers: what remains
is all that elimination of these coordinates would have to do, and less, for it also has to add up
their inertia and forces. Two tables, one JSON line in benchmarks/results/constraints.jsonl.
"""

import argparse
import dataclasses
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from record import record
from tables import Target, record_of, show_table, show_targets
from timing import interleaved

import jaxosim
from jaxosim.arrays.safe import largest
from jaxosim.constraints import coordinate_coupler_constraint as coupler
from jaxosim.integrators.projection import constraint_error, project_speeds
from jaxosim.models.compile import compile_model
from jaxosim.models.osim.reader import read_model

BOUND = 1e-4  # (rad | m, rad/s | m/s)
HELD = 5  # control steps for which excitations are held
CHECKED = 10  # control steps between two looks at the errors
DRIFT = ("model", "equations", "coordinates", "error", "error of rates", "finite worlds")
COST = ("model", "couplers", "steps/s with multipliers", "without couplers", "ratio")

Loaded = tuple[jaxosim.Model, jaxosim.Params]


def locked_in_place(path: str) -> Loaded | None:
    """A model whose couplers are replaced by locks; None if it has other constraints."""
    spec = read_model(path)
    if not spec.constraints or not all(isinstance(c, coupler.Spec) for c in spec.constraints):
        return None
    dependent = {c.dependent for c in spec.constraints if isinstance(c, coupler.Spec)}
    joints = tuple(
        dataclasses.replace(
            joint,
            coordinates=tuple(
                dataclasses.replace(c, locked=c.locked or c.name in dependent)
                for c in joint.coordinates
            ),
        )
        for joint in spec.joints
    )
    model, params = compile_model(dataclasses.replace(spec, joints=joints, constraints=()))
    return model, jax.tree.map(jnp.asarray, params)


class Worlds:
    """Worlds of one model; a call is `CHECKED` control steps of all of them."""

    def __init__(self, loaded: Loaded, worlds: int, seed: int = 0):
        """Place them at the default pose and compile their steps."""
        self.model, self.params = model, params = loaded
        one = jaxosim.initial_state(model, params)
        self.states = jax.tree.map(lambda x: jnp.repeat(x[None], worlds, axis=0), one)
        self._rng = np.random.default_rng(seed)
        self._shape = worlds, CHECKED // HELD, len(model.muscle_names)
        self._step = jax.jit(jax.vmap(lambda s, c: _last(jaxosim.rollout(model, params, s, c))))
        self._errors = jax.jit(jax.vmap(lambda s: _errors(model, params, s)))

    def advance(self) -> None:
        """Take `CHECKED` control steps."""
        levels = self._rng.uniform(size=self._shape)
        worlds, dtype = self._shape[0], self.states.q.dtype
        controls = np.zeros((worlds, CHECKED, len(self.model.control_names)), dtype)
        controls[..., self.model.muscle_control] = np.repeat(levels, HELD, axis=1)
        self.states = jax.block_until_ready(self._step(self.states, controls))

    def errors(self) -> np.ndarray:
        """Largest error of an equation and of a rate, `[world, 2]`."""
        return np.asarray(self._errors(self.states))


def _last(states: jaxosim.State) -> jaxosim.State:
    return jax.tree.map(lambda x: x[-1], states)


def _errors(model: jaxosim.Model, params: jaxosim.Params, state: jaxosim.State) -> jax.Array:
    """Largest error of an equation, and change of a speed that takes away those of the rates."""
    moved = project_speeds(model, params, state).u - state.u
    return jnp.stack([constraint_error(model, params, state), largest(jnp.abs(moved))])


def drift(name: str, loaded: Loaded, count: int, seconds: float) -> dict:
    """How far the worlds of a model leave its constraints."""
    worlds, found = Worlds(loaded, count), np.zeros(2)
    for _ in range(round(seconds * 100 / CHECKED)):
        worlds.advance()
        errors = worlds.errors()
        found = np.maximum(found, errors[np.isfinite(errors).all(axis=1)].max(axis=0))
    finite = np.all(
        [np.isfinite(x).reshape(count, -1).all(1) for x in jax.tree.leaves(worlds.states)], axis=0
    )
    sizes = loaded[0].sizes
    row = name, sizes["equation"], sizes["coordinate"], *found.tolist(), int(finite.sum())
    return dict(zip(DRIFT, row, strict=True))


def cost(name: str, loaded: Loaded, locked: Loaded, count: int, rounds: int) -> dict:
    """Control steps per processor second with multipliers, and with locks in place of couplers."""
    both = {"multipliers": Worlds(loaded, count), "locked": Worlds(locked, count)}

    def rate(worlds: Worlds) -> float:
        start = time.process_time()
        worlds.advance()
        return count * CHECKED / (time.process_time() - start)

    calls = {kind: lambda _, w=worlds: rate(w) for kind, worlds in both.items()}
    ours, theirs = (statistics.median(r) for r in interleaved(calls, rounds).values())
    couplers = len(loaded[0].coordinate_couplers.names)
    return dict(zip(COST, (name, couplers, ours, theirs, theirs / ours), strict=True))


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="paths of models with constraints")
    parser.add_argument("--worlds", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one to warm up")
    given = parser.parse_args()
    drifts, costs = [], []
    for path in given.models:
        name, loaded = pathlib.Path(path).stem, jaxosim.load_model(path)
        if not loaded[0].sizes["equation"]:
            parser.error(f"{path}: expected a model with constraints")
        drifts.append(drift(name, loaded, given.worlds, given.seconds))
        print(drifts[-1], flush=True)
        locked = locked_in_place(path)
        if locked is not None:
            costs.append(cost(name, loaded, locked, given.worlds, given.rounds))
            print(costs[-1], flush=True)
    title = f"{given.worlds} worlds, {given.seconds:g} s"
    show_table(title, DRIFT, (list(row.values()) for row in drifts))
    show_table(f"{given.worlds} worlds, processor seconds", COST, (r.values() for r in costs))
    targets = [
        Target(f"{row['model']}, {key}", row[key], BOUND) for row in drifts for key in DRIFT[3:5]
    ]
    targets += [Target(f"{r['model']}, finite", r[DRIFT[5]], given.worlds, True) for r in drifts]
    show_targets(targets)
    asked = {**vars(given), "models": [row["model"] for row in drifts]}
    record("constraints", {**asked, "drift": drifts, "cost": costs, "targets": record_of(targets)})


if __name__ == "__main__":
    main()
