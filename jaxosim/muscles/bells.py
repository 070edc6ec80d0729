"""Active force-length curves that are sums of bells, whose widths change along them.

Source: De Groote, Kinney, Rao, Fregly (2016), Ann. Biomed. Eng. 44:2922-2936; OpenSim
`DeGrooteFregly2016Muscle`; see docs/theory/muscles.md, "DeGrooteFregly2016Muscle".
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxosim.arrays.safe import clip

_LEAST_WIDTH = 0.01  # narrower ones are of bells that are zero there


def sum_of_bells(
    length: jax.Array, scale: jax.Array, bells: Sequence[tuple[float, float, float, float]]
) -> jax.Array:
    """Active force-length multiplier (1) of normalized fiber lengths `[muscle]`.

    Args:
      length: `[muscle]` (1).
      scale: `[muscle]` (1) by which the curve is widened about the length 1.
      bells: height, place, width, and slope of the width of each.
    """
    x = (length - 1) / scale + 1
    total = jnp.zeros_like(x)
    for height, place, width, slope in bells:
        breadth = clip(width + slope * x, low=_LEAST_WIDTH)
        total = total + height * jnp.exp(-0.5 * ((x - place) / breadth) ** 2)
    return total
