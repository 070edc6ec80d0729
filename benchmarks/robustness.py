"""Does it ever produce a NaN, and how much does float32 lose, by fused kernels and by XLA?

    python benchmarks/robustness.py [MODEL] [--states 1000000] [--worlds 1000] [--seconds 5]

Three tables: random states (non-finite rates; float32 rates against float64, relative to
max(1, |value|)); coordinates after one second of the default fixed-step method from rest, under
random controls held 50 ms, in float32 against float64; and worlds under random controls that fall
and lie on the ground. float64 is computed by fused kernels where they can be made.
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


def trajectory_errors(model, params, count):
    """Largest error of a coordinate in each world after one second, by kernel, `[world]`."""
    levels = np.random.default_rng(0).uniform(size=(count, 20, len(model.control_names)))
    controls = np.repeat(levels, 5, axis=1)

    def end(kernel, dtype):
        options = jaxosim.Options(kernel=kernel)
        numbers = cast(params, dtype)
        start = jax.jit(lambda p: jaxosim.initial_state(model, p))(numbers)

        def one(rows):
            return jaxosim.rollout(model, numbers, start, rows, options).q[-1]

        return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(controls, dtype)))

    exact = end(kernels()[0], jnp.float64)
    return {kernel: np.abs(end(kernel, jnp.float32) - exact).max(axis=1) for kernel in kernels()}


def summary(values):
    """Percentiles in a row."""
    return "  ".join(f"{x:.1e}" for x in np.percentile(values, _PERCENTILES))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--states", type=int, default=1_000_000)
    parser.add_argument("--worlds", type=int, default=1000)
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
    for kernel, worlds in trajectory_errors(model, params, arguments.worlds).items():
        print(f"  coordinates after 1 s {kernel:5s} {summary(worlds)}")
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
