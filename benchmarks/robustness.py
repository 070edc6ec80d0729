"""Does it ever produce a NaN, and how much does float32 lose?

    python benchmarks/robustness.py [MODEL] [--states 1000000] [--worlds 1000] [--seconds 5]

Three tables: random states in float32 and float64 (non-finite rates), float32 rates against float64
(relative to max(1, |value|)), and worlds under random excitation held 50 ms with the default
fixed-step method, which fall and lie on the ground.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from sampling import random_states

import jaxosim

jax.config.update("jax_enable_x64", True)
_CHUNK = 10_000
_FIELDS = ("q", "u", "activation", "fiber_length")


def cast(tree, dtype):
    """The same numbers in another precision."""
    return jax.tree.map(lambda x: x.astype(dtype), tree)


def relative_errors(single, double):
    """Per world and field: error of float32 rates relative to max(1, |value|)."""
    pairs = ((getattr(single, f).astype(jnp.float64), getattr(double, f)) for f in _FIELDS)
    return [np.asarray(jnp.abs(a - b) / jnp.maximum(1.0, jnp.abs(b))) for a, b in pairs]


def random_rates(model, params, count):
    """Non-finite rates in both precisions, and float32 errors per field."""
    derivative = jax.jit(
        jax.vmap(lambda p, s, e: jaxosim.state_derivative(model, p, s, e), in_axes=(None, 0, 0))
    )
    bad = {"float32": 0, "float64": 0}
    errors = {field: [] for field in _FIELDS}
    for chunk in range(-(-count // _CHUNK)):
        states, excitation = random_states(model, params, _CHUNK, chunk)
        low = cast((params, states, excitation), jnp.float32)
        single, double = derivative(*low), derivative(*cast(low, jnp.float64))
        for name, rates in (("float32", single), ("float64", double)):
            bad[name] += sum(int(jnp.sum(~jnp.isfinite(x))) for x in jax.tree.leaves(rates))
        for field, error in zip(_FIELDS, relative_errors(single, double), strict=True):
            errors[field].append(error.reshape(-1))
    return bad, {field: np.concatenate(parts) for field, parts in errors.items()}


def falling_worlds(model, params, count, seconds):
    """How many worlds stay finite under random excitation, and the top speed."""
    params = cast(params, jnp.float32)
    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    key = jax.random.key(0)

    def run(key):
        levels = jax.random.uniform(key, (round(seconds / 0.05), len(model.muscle_names)))
        excitations = jnp.repeat(levels, 5, axis=0)

        def one(state, excitation):
            after = jaxosim.step(model, params, state, excitation.astype(jnp.float32))
            return after, jnp.max(jnp.abs(after.u))

        end, speed = jax.lax.scan(one, start, excitations)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(end)]))
        return finite, jnp.max(speed)

    finite, speed = jax.jit(jax.vmap(run))(jax.random.split(key, count))
    return int(jnp.sum(finite)), float(jnp.max(speed))


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
    print("float32 rates against float64, relative to max(1, |value|): median, 99 %, largest")
    for field, values in errors.items():
        median, high = np.percentile(values, [50, 99])
        print(f"  {field:14s} {median:.1e}  {high:.1e}  {values.max():.1e}")
    finite, speed = falling_worlds(model, params, arguments.worlds, arguments.seconds)
    print(
        f"{finite} of {arguments.worlds} worlds finite after {arguments.seconds:g} s of random "
        f"excitation; largest coordinate speed {speed:.0f}"
    )


if __name__ == "__main__":
    main()
