"""The model of a task, as it may be given: by name, by path, or in memory."""

import os
from typing import Any

from jaxosim.checks import check_kind
from jaxosim.models.load import load_model
from jaxosim.pytree import check_dtypes, check_shapes
from jaxosim.types import Model, Params

ModelSource = str | os.PathLike[str] | tuple[Model, Params] | Model | None


def read_model(given: ModelSource, params: Params | None) -> tuple[Model, Params]:
    """Model and parameters of a task.

    Args:
      given: a bundled name, the path of an `.osim` file, a pair in memory, or a Model alone with
        `params`.
      params: to be used instead of the model's own; None for those.

    Raises:
      ValueError: `given` is none of these.
      ModelMismatchError: the parameters are those of another model.
      OSError, OsimFormatError, UnsupportedComponentError: as from `load_model`.
    """
    source: Any = load_model(given) if isinstance(given, str | os.PathLike) else given
    if isinstance(source, Model):
        source = source, params
    if not isinstance(source, tuple) or len(source) != 2 or not isinstance(source[0], Model):
        raise ValueError(
            "model: expected a bundled name, a path, or a pair (Model, Params), got "
            f"{type(given).__name__}"
        )
    model, own = source
    numbers = own if params is None else params
    check_kind("params", numbers, Params)
    check_shapes(numbers, model.sizes)
    check_dtypes(numbers)
    return model, numbers
