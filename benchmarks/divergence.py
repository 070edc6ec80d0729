"""Does the default method ever diverge? Thousands of rough worlds beside the reference integrator.

    python benchmarks/divergence.py [--worlds 1000] [--seconds 2] [--substeps 6]
                                    [--kinds random drop …]

Five kinds of worlds, each with a random pose around the default: random excitation held 50 ms;
bang-bang excitation (0 or 1) held 10 to 100 ms; none; dropped with the pelvis 1.1 to 1.6 m high;
started with the deepest foot 5 cm in the ground. A world is beyond the reference if it is not
finite, or if its largest coordinate or speed, of angles or of lengths, is beyond three times that
of the same world under the error-controlled method. The reference is slow, so it is looked at after
every control step first, and only worlds that are beyond that are asked about again, with a look
after every substep of ours: a prosthetic foot that comes free turns for a few milliseconds only.

Angular speeds are those with which joints turn. For a hinge that is the rate of its angle; next to
gimbal lock the rates of a pelvis's angles say how near it came, not how fast it turns. Worlds that
are beyond in those rates alone are counted too, in a column of their own.

Whether a foot comes free, or how near a falling pelvis comes to gimbal lock, can hang on less than
any method's error. So a world that is beyond the reference has diverged if it is also beyond three
times the largest of 16 runs of the reference from poses a milliradian aside. From one look to the
next the reference may take 2,000 internal steps; where that is not enough it gives up, which is
counted. Float32. One table, and one JSON line in benchmarks/results/divergence.jsonl.
"""

import argparse
import dataclasses
import functools
import math
import sys
import unittest.mock

import jax
import jax.numpy as jnp
import numpy as np
from record import record
from tables import show_table

import jaxosim
from jaxosim.dynamics.joints import hinge_bias, realize_joints
from jaxosim.integrators import merson
from jaxosim.randomize import pose
from jaxosim.simulation import substeps
from jaxosim.system import realize

MODEL = "gait14dof22musc_pros"
KINDS = ("random", "bang-bang", "zero", "drop", "in the ground")
LOW, HIGH = 1.1, 1.6  # m, of a dropped pelvis
DEPTH = 0.05  # m, of a foot in the ground
BEYOND = 3.0  # times the reference
SIZES = ("angle", "length", "angular speed", "speed", "rate of an angle")
_RATES = SIZES.index("rate of an angle")
HOLDS = (1, 2, 5, 10)  # steps, of bang-bang excitation
REFERENCE_BLOCK = 8  # worlds
REFERENCE_ATTEMPTS = 2000  # internal steps from one look to the next; OpenSim's own need about 30
NEIGHBOURS, ASIDE = 16, 1e-3  # starts of the reference around one, and how far (rad | m)


def lifted(model, state, height):
    """The state with the pelvis at a height (m)."""
    return dataclasses.replace(
        state, q=state.q.at[model.coordinate_names.index("pelvis_ty")].set(height)
    )


def sunk(model, params, state):
    """The state with the deepest contact at DEPTH; the ground is level."""
    contacts = realize(model, params, state, state.activation)[2].forces["contacts"]
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


def looked_at(model, params, options, looks, state, excitation):
    """States `[look]` within a control step: after each substep, or at so many equal times."""
    if options.method == jaxosim.Options().method:
        states = substeps(model, params, state, excitation, options)
        times = state.time + options.step_size * jnp.linspace(0, 1, options.substeps + 1)[1:]
        return dataclasses.replace(states, time=times)  # only the last one is right, and used
    often = dataclasses.replace(options, step_size=options.step_size / looks)
    return jaxosim.rollout(model, params, state, jnp.tile(excitation, (looks, 1)), often)


def sizes(model, params, state):
    """The largest of each of SIZES in a state."""
    angular, straight = (np.flatnonzero(model.rotational == side) for side in (True, False))
    joints = realize_joints(model, params, state.q)
    turning = hinge_bias(model, joints, state.u[model.tree.mobility])[0][:, :3]
    every = (
        state.q[angular],
        state.q[straight],
        jnp.linalg.norm(turning, axis=1),
        state.u[straight],
        state.u[angular],
    )
    return jnp.stack([jnp.max(jnp.abs(values)) for values in every])


def extremes(model, params, options, looks, steps, kind, key, aside):
    """The largest `sizes` of a world's run; NaN if not all is finite.

    Args:
      model: structure.
      params: numbers.
      options: how to integrate a control step.
      looks: in each control step, for a method without substeps.
      steps: control steps.
      kind: of world.
      key: of this world.
      aside: `[coordinate]` (rad | m) by which its pose is another one.
    """
    state, excitations = world(model, params, kind, steps, key)
    state = dataclasses.replace(state, q=state.q + aside)

    def control_step(carry, excitation):
        at, largest = carry
        states = looked_at(model, params, options, looks, at, excitation)
        each = jax.vmap(functools.partial(sizes, model, params))(states)
        largest = jnp.maximum(largest, jnp.max(each, axis=0))
        finite = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(states)]
        largest = jnp.where(jnp.all(jnp.stack(finite)), largest, jnp.nan)  # NaN stays from then on
        return (jax.tree.map(lambda x: x[-1], states), largest), None

    start = (state, jnp.zeros(len(SIZES), state.q.dtype))
    return jax.lax.scan(control_step, start, excitations)[0][1]


def compared(ours, theirs, again, around):
    """Of the extremes `[world, size]` of both: counts of worlds, and the largest ratios.

    Args:
      ours: of the method `[world, size]`.
      theirs: of the reference; NaN where it gave up.
      again: of the numbers of some worlds: their extremes under the reference, looked at often,
        which may take the more internal steps.
      around: of a world's number: extremes `[start, size]` of the reference from starts near it.
    """
    most = theirs.copy()

    def outside(numbers):
        return numbers[~np.all(ours[numbers] <= BEYOND * most[numbers], axis=1)]

    doubtful = outside(np.arange(len(ours)))
    if len(doubtful):
        most[doubtful] = np.fmax(most[doubtful], again(doubtful))
    known = np.all(np.isfinite(most), axis=1)
    beyond = outside(np.flatnonzero(known))
    reach = np.array([np.nanmax(around(number), axis=0) for number in beyond])
    away = ~(ours[beyond] <= BEYOND * reach.reshape(-1, ours.shape[1]))
    diverged = away[:, :_RATES].any(axis=1)
    ratio = ours[known] / most[known]
    return {
        "worlds": len(ours),
        "beyond the reference": len(beyond),
        "diverged": int(diverged.sum()),
        "in rates of angles alone": int((away.any(axis=1) & ~diverged).sum()),
        "not finite": int((~np.isfinite(ours).all(axis=1)).sum()),
        "largest ratio of coordinates": float(np.max(ratio[:, :2])),
        "largest ratio of speeds": float(np.max(ratio[:, 2:_RATES])),
        "reference gave up": int((~known).sum()),
    }


def in_parts(numbers, size):
    """Numbers in parts of one size, the last one repeated to fill up."""
    filled = np.concatenate([numbers, np.repeat(numbers[-1:], -len(numbers) % size)])
    return np.split(filled, len(filled) // size)


def measure(options, reference, worlds, steps, kinds):
    """The table's rows."""
    model, params = jaxosim.load_model(MODEL)
    mesh = jaxosim.world_mesh(num_envs=math.gcd(worlds, NEIGHBOURS))
    looks = options.substeps
    keys = jax.random.split(jax.random.key(1), worlds)
    dealt = jax.device_put(keys, jaxosim.world_sharding(mesh))
    shape = (NEIGHBOURS, len(model.coordinate_names))
    asides = ASIDE * jax.random.normal(jax.random.key(2), shape) * ~model.locked[None]
    still = jnp.zeros_like(asides)

    def program(method, looks, axes, block):
        one = functools.partial(extremes, model, params, method, looks, steps)
        return jax.jit(jaxosim.batched(one, axes, mesh=mesh, batch_size=block))

    ours = program(options, looks, (None, 0, None), None)
    # Of the error-controlled method a block takes as many steps as its slowest world.
    theirs = program(reference, 1, (None, 0, None), REFERENCE_BLOCK)
    often = program(reference, looks, (None, 0, 0), REFERENCE_BLOCK)

    def again(number, numbers):
        """As many worlds a call as there are neighbors, so that one program does for both."""
        parts = in_parts(numbers, NEIGHBOURS)
        found = [np.asarray(often(number, keys[part], still)) for part in parts]
        return np.concatenate(found)[: len(numbers)]

    results = {}
    for kind in kinds:
        number = KINDS.index(kind)
        results[kind] = compared(
            np.asarray(ours(number, dealt, still[0])),
            np.asarray(theirs(number, dealt, still[0])),
            functools.partial(again, number),
            lambda world, number=number: np.asarray(
                often(number, keys[np.full(NEIGHBOURS, world)], asides)
            ),
        )
        print(kind, results[kind], file=sys.stderr, flush=True)
    return results


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--substeps", type=int, default=jaxosim.Options().substeps)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--accuracy", type=float, default=1e-3, help="Of the reference.")
    arguments = parser.parse_args()
    jaxosim.use_cpu_devices()
    options = jaxosim.Options(substeps=arguments.substeps)
    reference = jaxosim.Options.reference(arguments.accuracy)
    steps = round(arguments.seconds / options.step_size)
    with unittest.mock.patch.object(merson, "_LARGEST_ATTEMPTS", REFERENCE_ATTEMPTS):
        results = measure(options, reference, arguments.worlds, steps, arguments.kinds)
    rows = [[kind, *result.values()] for kind, result in results.items()]
    title = f"{options.method}, {options.substeps} substeps, float32"
    show_table(title, ("start or excitation", *next(iter(results.values()))), rows)
    record("divergence", {**vars(arguments), "results": results})


if __name__ == "__main__":
    main()
