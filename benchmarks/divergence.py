"""Does the default method ever diverge? Thousands of rough worlds beside the reference integrator.

    python benchmarks/divergence.py [--worlds 1000] [--seconds 2] [--method x2] [--substeps 12]
                                    [--kinds random drop …]

Five kinds of worlds, each with a random pose around the default: random excitation held 50 ms;
bang-bang excitation (0 or 1) held 10 to 100 ms; none; dropped with the pelvis 1.1 to 1.6 m high;
started with the deepest foot 5 cm in the ground. A world is beyond the reference if it is not
finite, or if its largest coordinate or speed, of angles or of lengths, is beyond three times that
of the same world under the error-controlled method. Both are looked at after every substep: a
prosthetic foot that comes free turns for a few milliseconds only.

Whether a foot comes free, or how near a falling pelvis comes to gimbal lock, can hang on less than
any method's error. So a world that is beyond the reference is asked about again: it has diverged if
it is also beyond three times the largest of 16 runs of the reference from poses a milliradian
aside. A control step's reference may take 24,000 internal steps; where that is not enough it gives
up and is counted. Float32. One table, and one JSON line in benchmarks/results/divergence.jsonl.
"""

import argparse
import dataclasses
import functools
import sys
import unittest.mock

import jax
import jax.numpy as jnp
import numpy as np
import rich
import rich.table
from record import record

import jaxosim
from jaxosim.dynamics import integrators
from jaxosim.randomize import pose
from jaxosim.system import realize

MODEL = "gait14dof22musc_pros"
KINDS = ("random", "bang-bang", "zero", "drop", "in the ground")
LOW, HIGH = 1.1, 1.6  # m, of a dropped pelvis
DEPTH = 0.05  # m, of a foot in the ground
BEYOND = 3.0  # times the reference
HOLDS = (1, 2, 5, 10)  # steps, of bang-bang excitation
REFERENCE_BLOCK = 8  # worlds
REFERENCE_ATTEMPTS = 2000  # internal steps from one look to the next; OpenSim's own need about 10
NEIGHBOURS, ASIDE = 16, 1e-3  # starts of the reference around one, and how far (rad | m)


def lifted(model, state, height):
    """The state with the pelvis at a height (m)."""
    return dataclasses.replace(
        state, q=state.q.at[model.coordinate_names.index("pelvis_ty")].set(height)
    )


def sunk(model, params, state):
    """The state with the deepest contact at DEPTH; the ground is level."""
    contacts = realize(model, params, state, state.activation)[2].contacts
    height = state.q[model.coordinate_names.index("pelvis_ty")]
    return lifted(model, state, height + jnp.max(contacts.depth) - DEPTH)


def held(key, steps, hold, muscles):
    """Uniform excitations `[step, muscle]`, drawn anew every `hold` steps."""
    drawn = jax.random.uniform(key, (steps, muscles))
    return drawn[jnp.arange(steps) // hold]


def world(model, params, kind, steps, key):
    """One world of a kind (its number): its initial state, and its excitations `[step, muscle]`."""
    keys = jax.random.split(key, 4)
    coordinates = params.coordinates
    q, u = pose()(model, coordinates.default_value, coordinates.default_speed_value, keys[0])
    standing = jaxosim.initial_state(model, params, q, u)
    dropped = lifted(model, standing, jax.random.uniform(keys[3], minval=LOW, maxval=HIGH))
    starts = {"drop": dropped, "in the ground": sunk(model, params, standing)}
    muscles = len(model.muscle_names)
    random = held(keys[1], steps, 5, muscles)
    bang_bang = held(keys[1], steps, jax.random.choice(keys[2], jnp.array(HOLDS)), muscles)
    excitations = {"bang-bang": jnp.round(bang_bang), "zero": jnp.zeros_like(random)}
    states = jax.tree.map(
        lambda *leaves: jnp.stack(leaves)[kind], *(starts.get(name, standing) for name in KINDS)
    )
    return states, jnp.stack([excitations.get(name, random) for name in KINDS])[kind]


def extremes(model, params, options, looks, steps, kind, key, aside=None):
    """Largest `[angle, length, angular speed, speed]` of a world's run; NaN if not all finite.

    Args:
      model: structure.
      params: numbers.
      options: how to integrate from one look to the next.
      looks: in each control step.
      steps: control steps.
      kind: of world.
      key: of this world.
      aside: random key, if its pose is to be another one close by.
    """
    state, excitations = world(model, params, kind, steps, key)
    if aside is not None:
        moved = ASIDE * jax.random.normal(aside, state.q.shape)
        state = dataclasses.replace(state, q=state.q + jnp.where(model.locked, 0.0, moved))
    sides = [np.flatnonzero(model.rotational == side) for side in (True, False)]

    def control_step(carry, excitation):
        at, largest = carry
        held = jnp.tile(excitation, (looks, 1))
        states = jaxosim.rollout(model, params, at, held, options)
        parts = [jnp.abs(x[:, own]) for x in (states.q, states.u) for own in sides]
        largest = jnp.maximum(largest, jnp.stack([jnp.max(part) for part in parts]))
        finite = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(states)]
        largest = jnp.where(jnp.all(jnp.stack(finite)), largest, jnp.nan)  # NaN stays from then on
        return (jax.tree.map(lambda x: x[-1], states), largest), None

    start = (state, jnp.zeros(4, state.q.dtype))
    return jax.lax.scan(control_step, start, excitations)[0][1]


def compared(ours, theirs, neighbours):
    """Of the extremes `[world, 4]` of both: counts of worlds, and the largest ratios.

    Args:
      ours: of the method.
      theirs: of the reference; NaN where it gave up.
      neighbours: of a world's number: extremes `[neighbour, 4]` of the reference around it.
    """
    known = np.all(np.isfinite(theirs), axis=1)
    inside = np.all(ours <= BEYOND * theirs, axis=1)
    beyond = np.flatnonzero(known & ~inside)
    around = {number: np.nanmax(neighbours(number), axis=0) for number in beyond}
    ratio = ours[known] / theirs[known]
    return {
        "worlds": len(ours),
        "beyond the reference": len(beyond),
        "diverged": sum(not np.all(ours[n] <= BEYOND * most) for n, most in around.items()),
        "not finite": int((~np.isfinite(ours).all(axis=1)).sum()),
        "largest ratio of coordinates": float(np.nanmax(ratio[:, :2])),
        "largest ratio of speeds": float(np.nanmax(ratio[:, 2:])),
        "reference gave up": int((~known).sum()),
    }


def measure(options, reference, worlds, steps, kinds):
    """The table's rows."""
    model, params = jaxosim.load_model(MODEL)
    mesh, looks = jaxosim.world_mesh(), options.substeps
    keys = jax.random.split(jax.random.key(1), worlds)
    dealt = jax.device_put(keys, jaxosim.world_sharding(mesh))

    def program(method, axes, block):
        often = dataclasses.replace(method, substeps=1, step_size=method.step_size / looks)
        one = functools.partial(extremes, model, params, often, looks, steps)
        return jax.jit(jaxosim.over_worlds(one, axes, mesh=mesh, block=block))

    # Of the error-controlled method a block takes as many steps as its slowest world.
    ours, theirs = (
        program(method, (None, 0), block)
        for method, block in ((options, None), (reference, REFERENCE_BLOCK))
    )
    around = program(reference, (None, None, 0), 1)
    asides = jax.random.split(jax.random.key(2), NEIGHBOURS)
    results = {}
    for kind in kinds:
        number = KINDS.index(kind)
        results[kind] = compared(
            np.asarray(ours(number, dealt)),
            np.asarray(theirs(number, dealt)),
            lambda world, number=number: np.asarray(around(number, keys[world], asides)),
        )
        print(kind, results[kind], file=sys.stderr, flush=True)
    return results


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--method", default="x2")
    parser.add_argument("--substeps", type=int, default=12)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--accuracy", type=float, default=1e-3, help="Of the reference.")
    arguments = parser.parse_args()
    jaxosim.use_cores()
    options = jaxosim.Options(method=arguments.method, substeps=arguments.substeps)
    reference = jaxosim.Options.reference(arguments.accuracy)
    steps = round(arguments.seconds / options.step_size)
    with unittest.mock.patch.object(integrators, "_LARGEST_ATTEMPTS", REFERENCE_ATTEMPTS):
        results = measure(options, reference, arguments.worlds, steps, arguments.kinds)
    table = rich.table.Table(title=f"{options.method}, {options.substeps} substeps, float32")
    for heading in ("start or excitation", *next(iter(results.values()))):
        table.add_column(heading, justify="right", overflow="fold")
    for kind, result in results.items():
        figures = (f"{x:.2f}" if isinstance(x, float) else str(x) for x in result.values())
        table.add_row(kind, *figures)
    rich.print(table)
    record("divergence", {**vars(arguments), "results": results})


if __name__ == "__main__":
    main()
