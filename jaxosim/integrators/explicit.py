"""Explicit Runge-Kutta steps of fixed size for any state that is a pytree.

Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any
Rates = Callable[[Tree], Tree]
Projection = Callable[[Tree], Tree]


def add(state: Tree, *terms: tuple[float | jax.Array, Tree]) -> Tree:
    """State + Σ factor · direction, leaf by leaf."""

    def leaf(value, *directions):
        for (factor, _), direction in zip(terms, directions, strict=True):
            value = value + factor * direction
        return value

    return jax.tree.map(leaf, state, *(direction for _, direction in terms))


def unchanged(state: Tree) -> Tree:
    """The projection of a problem without invariants."""
    return state


def euler_steps(
    rates: Rates, state: Tree, h: float, count: int, project: Projection = unchanged
) -> Tree:
    """Explicit Euler; each step ends with a projection onto invariants."""
    return repeated(lambda at: project(add(at, (h, rates(at)))), state, count)


def rk4_steps(
    rates: Rates, state: Tree, h: float, count: int, project: Projection = unchanged
) -> Tree:
    """The classical fourth-order Runge-Kutta scheme; projections as above."""

    def step(at: Tree) -> Tree:
        stages = jnp.array([0.0, h / 2, h / 2, h]), jnp.array([h / 6, h / 3, h / 3, h / 6])

        def stage(carry, factors):
            direction, end = carry
            ahead, weight = factors
            slope = rates(add(at, (ahead, direction)))
            return (slope, add(end, (weight, slope))), None

        zero = jax.tree.map(jnp.zeros_like, at)
        factors = jax.tree.map(lambda f: f.astype(jax.tree.leaves(at)[0].dtype), stages)
        (_, end), _ = jax.lax.scan(stage, (zero, at), factors)
        return project(end)

    return repeated(step, state, count)


def repeated(step: Callable[[Tree], Tree], state: Tree, count: int) -> Tree:
    """The same step many times; reverse mode keeps one state per step."""
    once = jax.checkpoint(step)
    end, _ = jax.lax.scan(lambda at, _: (once(at), None), state, None, length=count)
    return end
