"""Numbers of a file in the precision that JAX works in."""

import jax
import numpy as np

from jaxosim.constraints import CONSTRAINTS
from jaxosim.controllers import CONTROLLERS
from jaxosim.errors import OsimFormatError
from jaxosim.forces import FORCES
from jaxosim.pytree import declared_arrays
from jaxosim.types import Model, Params


def in_working_precision(model: Model, numbers: Params) -> Params:
    """The numbers as JAX arrays: float64 if JAX's x64 mode is on, else float32.

    Raises:
      OsimFormatError: a finite number of the file is too large for float32, or some are so large
        that what follows from them is no number.
    """
    with np.errstate(over="ignore"):  # what that loses is said below
        # By NumPy: a task may be made within a program that is being traced.
        rounded = jax.tree.map(
            lambda x: np.asarray(x, jax.dtypes.canonicalize_dtype(np.asarray(x).dtype)), numbers
        )
    for (name, exact, axes), (_, value, _) in zip(
        declared_arrays(numbers), declared_arrays(rounded), strict=True
    ):
        exact = np.asarray(exact)
        unknown = np.isnan(exact)
        if unknown.any():
            place = tuple(int(i) for i in np.argwhere(unknown)[0])
            raise OsimFormatError(
                f"{model.source}: {name}{_owner(model, axes, place)}: expected numbers of the file "
                "from which this one can be computed; they are too large, too small, or infinite"
            )
        lost = np.isfinite(exact) & ~np.isfinite(np.asarray(value))
        if lost.any():
            place = tuple(int(i) for i in np.argwhere(lost)[0])
            raise OsimFormatError(
                f"{model.source}: {name}{_owner(model, axes, place)}: expected a number that fits "
                f"float32, found {exact[place]}; with JAX's x64 mode on it fits float64"
            )
    with jax.debug_infs(False):  # a file may say inf for "no bound"
        return jax.device_put(rounded)  # jnp.asarray would compile a program for each shape


def _owner(model: Model, axes: tuple[str | int, ...], place: tuple[int, ...]) -> str:
    """The component that an entry belongs to, as far as its first axis tells."""
    names = {
        "body": model.body_names,
        "joint": model.joint_names,
        "coordinate": model.coordinate_names,
        "muscle": model.muscle_names,
        "point": model.paths.point_name,
        "marker": model.marker_names,
        "mobod": [model.body_names[body] for body in model.tree.body],
    }
    for one in (*FORCES, *CONSTRAINTS, *CONTROLLERS):
        names |= one.names(getattr(model, one.FIELD))
    known = names.get(str(axes[0])) if axes else None
    return f" of '{known[place[0]]}'" if known else ""
