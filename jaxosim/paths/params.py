"""The numbers of paths and of the objects over which they wrap."""

import dataclasses

import jax

from jaxosim.functions import FunctionParams
from jaxosim.paths import (
    function_based_path,
    wrap_cylinder,
    wrap_ellipsoid,
    wrap_sphere,
    wrap_torus,
)
from jaxosim.paths.wraps import WRAPS
from jaxosim.pytree import array, pytree


@pytree
class PathParams:
    """Where path points lie, wrap objects, and functions that stand for paths."""

    location: jax.Array = array("point", 3, unit="m")  # in the body; a moving point's frame origin
    orientation: jax.Array = array("moving", 3, unit="rad")  # of a moving point's frame
    conditional_range: jax.Array = array("conditional", 2, unit="rad | m")
    functions: FunctionParams = dataclasses.field()
    function_based: function_based_path.Params = dataclasses.field()
    wrap_translation: jax.Array = array("wrap_object", 3, unit="m")  # in the body
    wrap_orientation: jax.Array = array("wrap_object", 3, unit="rad")  # body-fixed XYZ
    wrap_cylinders: wrap_cylinder.Params = dataclasses.field()
    wrap_ellipsoids: wrap_ellipsoid.Params = dataclasses.field()
    wrap_spheres: wrap_sphere.Params = dataclasses.field()
    wrap_tori: wrap_torus.Params = dataclasses.field()


def wrap_sizes(params: PathParams) -> dict[str, int]:
    """Lengths of the axes of wrap objects."""
    sizes = {"wrap_object": len(params.wrap_translation)}
    for wrap in WRAPS:
        own = getattr(params, wrap.FIELD)
        sizes[wrap.AXIS] = len(getattr(own, dataclasses.fields(own)[0].name))
    return sizes
