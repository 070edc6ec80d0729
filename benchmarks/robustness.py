"""Does it ever produce a NaN, and how much does float32 lose, by fused kernels and by XLA?

    python benchmarks/robustness.py [MODEL] [--states 1000000] [--worlds 1000] [--draws 8]
                                    [--seconds 5]

Three tables: random states (non-finite rates; float32 rates against float64, relative to
max(1, |value|)); coordinates after one second of the default fixed-step method from rest, under
random controls held 50 ms, in float32 against float64; and worlds under random controls that fall
and lie on the ground. float64 is computed by fused kernels where they can be made.

The largest error after a second is that of a few worlds in which rounding decides on which side of
an event a substep is taken, in either kernel. So each world is run several times, from starts that
differ by a unit in the last place; errors are of all runs, each against float64 from its own start.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from finite import finite_worlds
from sampling import random_states

import jaxosim
from jaxosim import fused

jax.config.update("jax_enable_x64", True)
_CHUNK = 10_000
_FIELDS = ("q", "u", "activation", "fiber_length")
_KERNELS = ("fused", "xla")
_PERCENTILES = (50, 99, 99.9, 100)


def cast(tree, dtype):
    """The same numbers in another precision."""
    return jax.tree.map(lambda x: x.astype(dtype), tree)


def relative_errors(single, double):
    """Per world and field: error of float32 rates relative to max(1, |value|)."""
    pairs = ((getattr(single, f).astype(jnp.float64), getattr(double, f)) for f in _FIELDS)
    return [np.asarray(jnp.abs(a - b) / jnp.maximum(1.0, jnp.abs(b))) for a, b in pairs]


def kernels():
    """By which float32 is computed here."""
    return _KERNELS if fused.is_available() else ("xla",)


def random_rates(model, params, count):
    """Non-finite rates by precision and kernel, and float32 errors per kernel and field."""

    def derivative(kernel):
        def batch(p, s, c):
            with fused.using(kernel):
                rates = jax.vmap(jaxosim.state_derivative, in_axes=(None, None, 0, 0))
                return rates(model, p, s, c)

        return jax.jit(batch)

    programs = {kernel: derivative(kernel) for kernel in kernels()}
    bad = dict.fromkeys(["float64", *(f"float32, {kernel}" for kernel in programs)], 0)
    errors = {kernel: {field: [] for field in _FIELDS} for kernel in programs}
    for chunk in range(-(-count // _CHUNK)):
        states, controls = random_states(model, params, _CHUNK, chunk)
        low = cast((params, states, controls), jnp.float32)
        double = programs[kernels()[0]](*cast(low, jnp.float64))
        bad["float64"] += non_finite(double)
        for kernel, program in programs.items():
            single = program(*low)
            bad[f"float32, {kernel}"] += non_finite(single)
            for field, error in zip(_FIELDS, relative_errors(single, double), strict=True):
                errors[kernel][field].append(error.reshape(-1))
    joined = {
        kernel: {field: np.concatenate(parts) for field, parts in own.items()}
        for kernel, own in errors.items()
    }
    return bad, joined


def non_finite(rates):
    """Number of rates that are NaN or infinite."""
    return sum(int(jnp.sum(~jnp.isfinite(x))) for x in jax.tree.leaves(rates))


def nudged(state, count, seed):
    """A state so many times, each of its numbers moved by at most one unit in the last place."""
    random = np.random.default_rng(seed)

    def some(x):
        same = np.broadcast_to(np.asarray(x), (count, *x.shape))
        toward = same + random.integers(-1, 2, same.shape).astype(same.dtype)
        return jnp.asarray(np.nextafter(same, toward))

    return jax.tree.map(some, state)


def trajectory_errors(model, params, count, draws):
    """Largest error of a coordinate after one second, by kernel, `[draw, world]`."""
    levels = np.random.default_rng(0).uniform(size=(count, 20, len(model.control_names)))
    controls = np.repeat(levels, 5, axis=1)

    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(cast(params, jnp.float32))

    def program(kernel, dtype):
        options, numbers = jaxosim.Options(kernel=kernel), cast(params, dtype)

        def one(state, rows):
            return jaxosim.rollout(model, numbers, state, rows, options).q[-1]

        run = jax.jit(jax.vmap(one))
        return lambda states: np.asarray(run(cast(states, dtype), jnp.asarray(controls, dtype)))

    exact = program(kernels()[0], jnp.float64)
    programs = {kernel: program(kernel, jnp.float32) for kernel in kernels()}
    errors = {kernel: [] for kernel in programs}
    for draw in range(draws):
        states = nudged(start, count, draw)
        ends = exact(states)
        for kernel, run in programs.items():
            errors[kernel].append(np.abs(run(states) - ends).max(axis=1))
    return {kernel: np.stack(own) for kernel, own in errors.items()}


def summary(values):
    """Percentiles in a row."""
    return "  ".join(f"{x:.1e}" for x in np.percentile(values, _PERCENTILES))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--states", type=int, default=1_000_000)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    model, params = jaxosim.load_model(arguments.model)
    bad, errors = random_rates(model, params, arguments.states)
    for precision, count in bad.items():
        print(f"{precision}: {count} non-finite rates in {arguments.states:,} random states")
    print("errors of float32: median, 99 %, 99.9 %, largest")
    for field in _FIELDS:
        for kernel, own in errors.items():
            print(f"  rates of {field:12s} {kernel:5s} {summary(own[field])}")
    found = trajectory_errors(model, params, arguments.worlds, arguments.draws)
    for kernel, own in found.items():
        largest = np.sort(own.max(axis=1))
        print(
            f"  coordinates after 1 s {kernel:5s} {summary(own)}; the largest of a draw from "
            f"{largest[0]:.1e} to {largest[-1]:.1e}, median {np.median(largest):.1e}"
        )
    steps = round(arguments.seconds / jaxosim.Options().step_size)
    finite, speed, _ = finite_worlds(
        model, cast(params, jnp.float32), arguments.worlds, steps, True
    )
    print(
        f"{finite.sum()} of {arguments.worlds} worlds finite after {arguments.seconds:g} s of "
        f"random excitation; largest coordinate speed {speed.max():.0f}"
    )


if __name__ == "__main__":
    main()
