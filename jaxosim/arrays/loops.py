"""Loops: laws of one row evaluated for many, and rounds that end early."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from jaxosim.fused import in_use

_Given = TypeVar("_Given")
_Carry = TypeVar("_Carry")
_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


def over_rows(law: Callable[[_Row], _Result], rows: _Row) -> _Result:
    """Results of a law of one row for all rows, which arrays of a pytree have as their first axis.

    In a kernel, where each element of an array is code of its own, the rows go through one loop.
    XLA evaluates them side by side.
    """
    if in_use():
        return jax.lax.scan(lambda _, row: (None, law(row)), None, rows)[1]
    return jax.vmap(law)(rows)


def rounds(
    function: Callable[[_Given, _Carry, jax.Array], _Carry],
    given: _Given,
    start: _Carry,
    goes_on: Callable[[_Carry], jax.Array],
    most: int,
) -> _Carry:
    """What is carried after rounds that end when it says so; both modes differentiate them.

    Reverse mode cannot enter a loop that ends by a condition, so derivatives are those of all
    rounds.

    Args:
      function: of what is given, what is carried and the number of the round; it leaves what is
        carried as it is where that does not go on.
      given: to every round.
      start: what is carried into the first.
      goes_on: whether what is carried goes on.
      most: number of rounds.
    """

    def until_done(given: _Given, start: _Carry) -> _Carry:
        def unfinished(at: tuple[jax.Array, _Carry]) -> jax.Array:
            return (at[0] < most) & goes_on(at[1])

        def once(at: tuple[jax.Array, _Carry]) -> tuple[jax.Array, _Carry]:
            return at[0] + 1, function(given, at[1], at[0])

        return jax.lax.while_loop(unfinished, once, (jnp.zeros((), int), start))[1]

    def all_rounds(given: _Given, start: _Carry) -> _Carry:
        def once(carry: _Carry, number: jax.Array) -> tuple[_Carry, None]:
            return function(given, carry, number), None

        return jax.lax.scan(once, start, jnp.arange(most))[0]

    run = jax.custom_jvp(until_done)
    run.defjvp(lambda primals, tangents: jax.jvp(all_rounds, primals, tangents))
    return run(given, start)
