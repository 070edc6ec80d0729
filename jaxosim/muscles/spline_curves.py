"""Force curves that a file gives each muscle as a SimmSpline.

All splines of a property have as many intervals as the longest: behind a spline's own, more of them
follow on the straight line by which it goes on, so that its values are the same.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from jaxosim.functions import simm_spline
from jaxosim.models.osim.context import Context
from jaxosim.models.osim.functions import FUNCTION_CLASSES, read_function_element
from jaxosim.models.osim.xml import Element

Spline = simm_spline.Spec
SplineParams = simm_spline.Params


def read_spline(context: Context, element: Element, name: str, default: Spline) -> Spline:
    """The SimmSpline in a property of a muscle; the default if there is none.

    A curve of another class is refused.
    """
    found = context.object_property(element, name, FUNCTION_CLASSES)
    if found is None:
        return default
    spline = read_function_element(context, found)
    if isinstance(spline, Spline):
        return spline
    reason = f"as {name} only a {simm_spline.TAG} is simulated"
    context.refuse(found.tag, element.name, reason)
    return default


def build_splines(splines: Sequence[Spline]) -> SplineParams:
    """Numbers of one curve of each muscle; NumPy arrays."""
    structure, params = simm_spline.build([(spline, 1.0) for spline in splines])
    knots, cubics = np.asarray(params.knots), np.array(params.cubics)
    for row, intervals in enumerate(structure.intervals):
        h = knots[row, intervals] - knots[row, intervals - 1]
        y, b, c, d = cubics[row, intervals - 1]
        end = y + h * (b + h * (c + h * d)), b + h * (2 * c + h * 3 * d), 0.0, 0.0
        cubics[row, intervals:] = end
    return dataclasses.replace(params, cubics=cubics)


def evaluate_splines(splines: SplineParams, x: jax.Array) -> jax.Array:
    """Each muscle's curve `[muscle]` at its own argument."""
    count, width = splines.knots.shape
    structure = simm_spline.Structure(np.full(count, width - 1))
    return simm_spline.evaluate(structure, splines, x)[0]
