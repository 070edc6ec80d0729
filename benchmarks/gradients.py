"""Are gradients finite, and are they right?

    python benchmarks/gradients.py [MODEL] [--states 10000]

The gradient of a random weighted sum of all rates by state, excitation and every parameter: finite
at random states, and along a random direction equal to a difference quotient. Quotients of two step
sizes, and those to either side, tell how well the quotient itself is known: where they disagree (a
kink between them, or a mass matrix next to gimbal lock that magnifies rounding) there is nothing to
compare with, and such states are counted apart.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from sampling import random_states

import jaxosim

jax.config.update("jax_enable_x64", True)
_STEPS = (8e-7, 1e-7)  # of the direction's leaves, relative to max(1e-2, |value|)
KNOWN = 3e-6  # quotients of the two step sizes that disagree by more say nothing
_OF_SIDES = 1e-2  # weight of what quotients to either side disagree by, which curvature adds to
_CHOICE = "has_passive_curve"  # of two laws by 0 or 1


def weighted_rates(model, key):
    """A scalar of the state derivative in which no rate drowns another."""

    def scalar(params, state, excitation):
        rates = jaxosim.state_derivative(model, params, state, excitation)
        leaves = jax.tree.leaves(rates)
        keys = jax.random.split(key, len(leaves))
        return sum(
            jnp.sum(jax.random.normal(k, x.shape, x.dtype) * jnp.arcsinh(x))
            for k, x in zip(keys, leaves, strict=True)
        )

    return scalar


def scaled_direction(tree, key):
    """Random direction, each leaf as large as its values.

    Coefficients of friction that are zero stay zero: less than that they cannot be, and the
    harmonic mean of two materials has no derivative there. So do numbers that are a choice.
    """
    leaves, structure = jax.tree.flatten_with_path(tree)
    keys = jax.random.split(key, len(leaves))

    def size(path, x):
        name = jax.tree_util.keystr(path)
        edge = (x == 0) & ("friction" in name)
        moves = jnp.isfinite(x) & ~edge & (_CHOICE not in name)
        return jnp.where(moves, jnp.maximum(1e-2, jnp.abs(x)), 0)

    steps = [
        jax.random.normal(k, x.shape) * size(path, x)
        for k, (path, x) in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, steps)


def directional(scalar):
    """Gradient, difference quotient and its uncertainty along a random direction, one world."""

    def measured(params, state, excitation, key):
        at = (params, state, excitation)
        direction = scaled_direction(at, key)
        gradient = jax.grad(scalar, argnums=(0, 1, 2))(*at)
        products = jax.tree.map(
            lambda g, d: jnp.sum(jnp.where(d != 0, g * d, 0.0)), gradient, direction
        )
        slope = sum(jax.tree.leaves(products))

        def along(s):
            return scalar(
                *jax.tree.map(lambda x, d: jnp.where(d != 0, x + s * d, x), at, direction)
            )

        def quotients(h):
            here = along(0.0)
            return jnp.stack([along(h) - here, here - along(-h)]) / h

        coarse, fine = (quotients(h) for h in _STEPS)
        doubt = jnp.abs(fine.mean() - coarse.mean())
        doubt = jnp.maximum(doubt, _OF_SIDES * jnp.abs(fine[0] - fine[1]))
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(gradient)]))
        return finite, slope, fine.mean(), doubt

    return measured


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--states", type=int, default=10_000)
    arguments = parser.parse_args()
    jax.config.update("jax_disable_most_optimizations", True)  # a question of right, not of speed
    model, params = jaxosim.load_model(arguments.model)
    scalar = weighted_rates(model, jax.random.key(7))
    states, excitation = random_states(model, params, arguments.states, 0)
    keys = jax.random.split(jax.random.key(1), arguments.states)
    measured = jax.jit(jax.vmap(directional(scalar), in_axes=(None, 0, 0, 0)))
    parts = [
        measured(params, *jax.tree.map(lambda x, i=i: x[i : i + 1000], (states, excitation, keys)))
        for i in range(0, arguments.states, 1000)
    ]
    finite, slope, difference, doubt = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    error = np.abs(slope - difference) / np.maximum(1.0, np.abs(difference))
    known = doubt <= KNOWN * np.maximum(1.0, np.abs(difference))
    print(f"finite at {int(finite.sum()):,} of {len(finite):,} states")
    print(f"{int(known.sum()):,} states away from kinks; gradient against difference quotient:")
    for quantile in (50, 90, 99, 100):
        print(f"  {quantile:3d} %  {np.percentile(error[known], quantile):.1e}")


if __name__ == "__main__":
    main()
