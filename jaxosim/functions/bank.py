"""Many functions of one argument, evaluated together.

A model uses a few dozen of them (joint axes, moving path points). They are sorted by class once, at
compile time, into a `FunctionBank`; evaluating a bank gives every function's value and first two
derivatives at its own argument in one vectorised expression for each class, never a branch per
function.
"""

# pyright: reportArgumentType=false
# (Params are declared as JAX arrays; from `build` they are still NumPy's.)

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.errors import OsimFormatError
from jaxosim.functions import (
    constant,
    expression_based_function,
    gcv_spline,
    linear_function,
    multiplier_function,
    multivariate_polynomial_function,
    piecewise_constant_function,
    piecewise_linear_function,
    polynomial_function,
    simm_spline,
    sine,
    step_function,
)
from jaxosim.functions.function import FunctionSpec, HostValues
from jaxosim.functions.gcv_spline import Params as GcvSplineParams
from jaxosim.functions.piecewise_constant_function import Params as PiecewiseConstantFunctionParams
from jaxosim.functions.piecewise_linear_function import Params as PiecewiseLinearFunctionParams
from jaxosim.functions.polynomial_function import Params as PolynomialFunctionParams
from jaxosim.functions.simm_spline import Params as SimmSplineParams
from jaxosim.functions.sine import Params as SineParams
from jaxosim.functions.step_function import Params as StepFunctionParams
from jaxosim.pytree import array, declared_arrays, pytree

# Classes with a law of their own, in the order in which a bank keeps them.
LAWS: tuple[ModuleType, ...] = (
    polynomial_function,
    simm_spline,
    piecewise_linear_function,
    gcv_spline,
    sine,
    step_function,
    piecewise_constant_function,
)
# Classes that are special cases of others.
REDUCED: tuple[ModuleType, ...] = (
    constant,
    linear_function,
    multiplier_function,
    multivariate_polynomial_function,
)
FUNCTIONS = (*LAWS, *REDUCED)
# Classes that are simulated where functions may have several arguments, and not in a bank.
MULTIVARIATE: tuple[ModuleType, ...] = (expression_based_function,)
_MODULE_OF = {module.Spec: module for module in (*FUNCTIONS, *MULTIVARIATE)}

# Bound of tables whose rows are padded to the longest, in entries: 32 MB of indices.
LARGEST_TABLE = 4_000_000


@dataclass(frozen=True, eq=False)
class FunctionBank:
    """Structure of a set of functions: which are of each class, and where each one stands.

    `order[f]` is the place of function f in the concatenation of all classes.
    """

    order: np.ndarray
    members: tuple[np.ndarray, ...]  # for each class of LAWS, the functions' numbers
    structures: tuple[Any, ...]  # for each class of LAWS

    @property
    def count(self) -> int:
        """Number of functions."""
        return len(self.order)


@pytree
class FunctionParams:
    """Numbers of a bank, by class."""

    polynomial_function: PolynomialFunctionParams = dataclasses.field()
    simm_spline: SimmSplineParams = dataclasses.field()
    piecewise_linear_function: PiecewiseLinearFunctionParams = dataclasses.field()
    gcv_spline: GcvSplineParams = dataclasses.field()
    sine: SineParams = dataclasses.field()
    step_function: StepFunctionParams = dataclasses.field()
    piecewise_constant_function: PiecewiseConstantFunctionParams = dataclasses.field()


@pytree
class FunctionValues:
    """Values and derivatives of all functions of a bank."""

    value: jax.Array = array("function", unit="mixed")
    derivative: jax.Array = array("function", unit="mixed")
    second_derivative: jax.Array = array("function", unit="mixed")


def module_of(function: FunctionSpec) -> ModuleType:
    """The module of a function's class."""
    return _MODULE_OF[type(function)]


def unscaled(function: FunctionSpec) -> tuple[FunctionSpec, float]:
    """The function inside any MultiplierFunctions, and the product of their scales."""
    scale = 1.0
    while isinstance(function, multiplier_function.Spec):
        scale *= function.scale
        function = function.function
    return function, scale


def argument_count(function: FunctionSpec) -> int | None:
    """How many arguments a function takes; None if it takes any number."""
    inner, _ = unscaled(function)
    return module_of(inner).argument_count(inner)


def is_constant(function: FunctionSpec) -> bool:
    """Whether the function is one number, whatever its arguments."""
    return isinstance(unscaled(function)[0], constant.Spec)


def build(
    functions: Sequence[FunctionSpec], source: str = ""
) -> tuple[FunctionBank, FunctionParams]:
    """Sort functions of one argument by class and fit their coefficients.

    Args:
      functions: in the order in which their arguments will be given.
      source: the file, for messages.

    Returns:
      Structure and numbers.

    Raises:
      OsimFormatError: one is so long that tables of all as long as it have no place.
    """
    laws = [_law(function) for function in functions]
    members = [
        [number for number, (spec, _) in enumerate(laws) if isinstance(spec, law.Spec)]
        for law in LAWS
    ]
    structures, params = [], {}
    for law, own in zip(LAWS, members, strict=True):
        specs = [laws[number] for number in own]
        _check_size(source, law, [spec for spec, _ in specs])
        structure, params[law.FIELD] = law.build(specs)
        structures.append(structure)
    bank = FunctionBank(
        order=np.argsort(np.array([number for own in members for number in own], dtype=int)),
        members=tuple(np.array(own, dtype=int) for own in members),
        structures=tuple(structures),
    )
    return bank, FunctionParams(**params)


def _law(function: FunctionSpec) -> tuple[FunctionSpec, float]:
    """The function as one of a class with a law of its own, and a factor."""
    scale = 1.0
    while module_of(function) not in LAWS:
        function, factor = module_of(function).reduced(function)
        scale *= factor
    return function, scale


def _check_size(source: str, law: ModuleType, specs: Sequence[FunctionSpec]) -> None:
    """Refuse functions whose table, every row as long as the longest, would have no place."""
    longest = max((law.length(spec) for spec in specs), default=0)
    if len(specs) * longest > LARGEST_TABLE:
        raise OsimFormatError(
            f"{source}: expected the number of functions times the longest {law.TAG} to be at most "
            f"{LARGEST_TABLE}, found {len(specs)} times {longest}"
        )


def evaluate(bank: FunctionBank, params: FunctionParams, x: jax.Array) -> FunctionValues:
    """All functions of the bank, each at its own argument.

    Args:
      bank: structure.
      params: model parameters.
      x: `[function]` arguments.

    Returns:
      `[function]` values, slopes and curvatures.
    """
    parts = [
        law.evaluate(structure, getattr(params, law.FIELD), take(x, own))
        for law, own, structure in zip(LAWS, bank.members, bank.structures, strict=True)
        if len(own)
    ]
    if not parts:
        return FunctionValues(value=x, derivative=x, second_derivative=x)
    # All values, then all slopes, then all curvatures, which are put in order at once.
    columns = concatenate([part for column in zip(*parts, strict=True) for part in column])
    order = np.concatenate([bank.order + i * bank.count for i in range(3)])
    value, derivative, second_derivative = jnp.split(take(columns, order), 3)
    return FunctionValues(value=value, derivative=derivative, second_derivative=second_derivative)


def evaluate_on_host(bank: FunctionBank, params: FunctionParams, x: np.ndarray) -> HostValues:
    """Values and slopes of all functions `[function]`, with NumPy, at arguments x `[function]`."""
    parts = [
        law.evaluate_on_host(structure, getattr(params, law.FIELD), x[own])
        for law, own, structure in zip(LAWS, bank.members, bank.structures, strict=True)
    ]
    value, slope = (np.concatenate(column)[bank.order] for column in zip(*parts, strict=True))
    return value, slope


def function_sizes(prefix: str, functions: FunctionParams) -> dict[str, int]:
    """Axis lengths of a function bank, under its owner's name: two banks differ in them."""
    sizes = {}
    for name, value, axes in declared_arrays(functions, f"{prefix}."):
        for axis, size in zip(axes, np.shape(value), strict=True):  # pyright: ignore[reportCallIssue]
            sizes[f"{name}.{axis}"] = size
    return sizes
