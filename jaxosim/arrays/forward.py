"""Derivatives of functions whose loops end by a condition, which reverse mode cannot enter."""

from collections.abc import Callable

import jax

from jaxosim.arrays.linalg import matvec


def with_forward_jacobian(
    function: Callable[[jax.Array, jax.Array], jax.Array],
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """A function that both modes differentiate by its Jacobian, computed forward.

    The Jacobian is that of the operations that were carried out, as many rounds as there were.

    Args:
      function: of numbers `[n]`, and of others `[k]` that have no derivative, to `[m]`.
    """
    wrapped = jax.custom_jvp(function)

    def both(numbers: jax.Array, constants: jax.Array) -> tuple[jax.Array, jax.Array]:
        results = function(numbers, constants)
        return results, results

    @wrapped.defjvp
    def _(
        primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        jacobian, results = jax.jacfwd(both, has_aux=True)(*primals)
        return results, matvec(jacobian, tangents[0])

    return wrapped
