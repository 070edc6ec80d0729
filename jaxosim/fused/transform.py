"""`fused`: a function of one world that is compiled to one kernel for all worlds."""

import collections
import contextlib
import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend import core
from jax.interpreters import mlir, partial_eval

from jaxosim.fused import cuda, llvm
from jaxosim.fused.interpreter import primitive_without_rule
from jaxosim.fused.operation import Program, bind, operation_p

mlir.register_lowering(operation_p, cuda.lower_for_cuda, platform="cuda")  # ROCm stays with XLA

KERNELS = ("auto", "fused", "xla")
_MOST_PROGRAMS = 64  # that a function keeps, the latest; each keeps its constants alive
_state = threading.local()


@contextlib.contextmanager
def _as_they_are(plain: bool = False) -> Iterator[None]:
    """Functions called within are run by JAX: part of a program that is traced, or not fused."""
    before = getattr(_state, "depth", 0), getattr(_state, "plain", False)
    _state.depth, _state.plain = before[0] + 1, before[1] or plain
    try:
        yield
    finally:
        _state.depth, _state.plain = before


@contextlib.contextmanager
def using(kernel: str) -> Iterator[None]:
    """What fused functions called within are run by.

    Args:
      kernel: "fused"; "xla" for JAX alone; or "auto", for "fused" where kernels can be made.

    Raises:
      ValueError: it is none of these, or no kernels can be made here.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel: expected one of {KERNELS}, got {kernel!r}")
    if kernel == "fused" and not is_available():
        raise ValueError(
            'kernel="fused": kernels need llvmlite 0.45 or later (pip install llvmlite), on Linux '
            'or macOS; expected them, or kernel="auto"'
        )
    with _as_they_are(plain=True) if kernel == "xla" else contextlib.nullcontext():
        yield


def is_available() -> bool:
    """Whether fused functions are compiled to kernels where JAX runs by default."""
    backend = jax.default_backend()
    on_gpu = backend == "gpu" and cuda.is_available()
    return on_gpu or (backend == "cpu" and llvm.is_available())


def in_use() -> bool:
    """Whether functions called now are run by kernels, or are part of one."""
    return is_available() and not getattr(_state, "plain", False)


def description() -> str:
    """What runs fused functions here, in a few words."""
    if not is_available():
        return "by XLA alone"
    if jax.default_backend() != "cpu":
        return "one fused kernel, a world a thread"
    return f"one fused kernel, vectors of {8 * llvm.host().vector_bytes} bits"


class _Traced:
    """A program and how its arguments and results stand among the function's.

    Attributes:
      program: of what it needs, to what it works out.
      taken: numbers of the arguments (leaves) that it needs.
      passed: for each result (leaf) the number of the argument that it is; None if worked out.
      tree: of the results.
      constants: kept, since they are known by their identity.
    """

    def __init__(
        self, function: Callable[..., Any], name: str, structs: Sequence[Any], constants: Any
    ) -> None:
        self.constants = constants
        trees: list[Any] = []

        def leaves_of(*values: Any) -> list[Any]:
            results, tree = jax.tree.flatten(function(*values))
            trees.append(tree)
            return results

        with _as_they_are():
            closed = jax.make_jaxpr(leaves_of)(*structs)
        self.tree = trees[0]
        invars, outvars = closed.jaxpr.invars, closed.jaxpr.outvars
        places = {v: i for i, v in enumerate(invars)}
        self.passed = [None if isinstance(v, core.Literal) else places.get(v) for v in outvars]
        made = [place is None for place in self.passed]
        jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, made)
        self.taken = [i for i, own in enumerate(used) if own]
        self.program = Program(core.ClosedJaxpr(jaxpr, closed.consts), name)

    def __call__(self, arguments: Sequence[Any]) -> Any:
        worked_out = iter(bind(self.program, [arguments[i] for i in self.taken]))
        results = [next(worked_out) if i is None else arguments[i] for i in self.passed]
        return jax.tree.unflatten(self.tree, results)


def fused(
    function: Callable[..., Any] | None = None,
    *,
    static_argnums: Sequence[int] = (),
    constant_argnums: Sequence[int] = (),
    unless: Callable[..., bool] | None = None,
) -> Callable[..., Any]:
    """A function of one world, compiled as a whole to one kernel that works on all worlds.

    Call it under `jax.vmap` for a batch; on a CPU the batch then runs on all cores, vectors of
    worlds at a time. It can be jitted, scanned, sharded, and differentiated in both modes. Where no
    kernel can be made (another platform, llvmlite missing, a primitive without a rule, of which a
    warning tells), JAX runs the function as it is. Within another fused function it is part of it.

    Args:
      function: pure, of arguments that are pytrees of arrays, for one world; a decorator is
        returned if None.
      static_argnums: positions of arguments that are no arrays; hashed.
      constant_argnums: positions of arguments that are compiled in where others are traced and
        their own values are known, which is faster; other values then compile another kernel.
      unless: of the static arguments: whether no kernel can be made, as is known, so that no
        warning tells of it. What the function calls is then a kernel of its own.

    Returns:
      A function of the same arguments and results.
    """
    if function is None:
        return functools.partial(
            fused,
            static_argnums=static_argnums,
            constant_argnums=constant_argnums,
            unless=unless,
        )
    signature = inspect.signature(function)
    known: collections.OrderedDict[Any, _Traced | None] = collections.OrderedDict()

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        if getattr(_state, "depth", 0) or not is_available():
            return function(*given, **named)
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        if unless is not None and unless(*(bound.args[i] for i in static_argnums)):
            return function(*given, **named)
        arguments = _Arguments(bound.args, static_argnums, constant_argnums)
        if arguments.key not in known:
            known[arguments.key] = _traced(function, arguments)
            if len(known) > _MOST_PROGRAMS:
                known.popitem(last=False)
        known.move_to_end(arguments.key)
        traced = known[arguments.key]
        return function(*given, **named) if traced is None else traced(arguments.leaves)

    return call


class _Arguments:
    """The arguments of a call: those that are fixed, and the leaves of the others.

    Attributes:
      leaves: arrays.
      key: equal for calls that are the same program.
    """

    def __init__(
        self, values: Sequence[Any], static: Sequence[int], constant: Sequence[int]
    ) -> None:
        self._count = len(values)
        fixed = {i: values[i] for i in static}
        others = [v for i, v in enumerate(values) if i not in fixed and i not in constant]
        if not _is_known(others):
            fixed |= {i: values[i] for i in constant if _is_known(values[i])}
        self.fixed = fixed
        leaves, self._tree = jax.tree.flatten([v for i, v in enumerate(values) if i not in fixed])
        self.leaves = [x if isinstance(x, jax.Array) else jnp.asarray(x) for x in leaves]
        constants, shape = jax.tree.flatten([fixed[i] for i in sorted(fixed) if i in constant])
        self.key = (
            self._tree,
            tuple(fixed[i] for i in static),
            tuple(sorted(fixed)),
            shape,
            tuple(map(id, constants)),
            tuple((x.shape, x.dtype, x.weak_type) for x in map(jax.typeof, self.leaves)),
            jax.dtypes.canonicalize_dtype(float),
        )

    def whole(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments, with other leaves."""
        given = iter(jax.tree.unflatten(self._tree, leaves))
        return [self.fixed[i] if i in self.fixed else next(given) for i in range(self._count)]


def _traced(function: Callable[..., Any], arguments: _Arguments) -> _Traced | None:
    """The program of a call; None, after a warning, if it cannot be a kernel."""
    structs = [
        jax.ShapeDtypeStruct(x.shape, x.dtype, weak_type=getattr(x, "weak_type", False))
        for x in map(jax.typeof, arguments.leaves)
    ]
    name = getattr(function, "__qualname__", "function")
    traced = _Traced(
        lambda *leaves: function(*arguments.whole(leaves)), name, structs, arguments.fixed
    )
    missing = primitive_without_rule(traced.program.jaxpr.jaxpr)
    if missing is None:
        return traced
    warnings.warn(
        f"{name} is not fused: the primitive {missing} has no rule in jaxosim.fused; what it calls "
        "may be",
        stacklevel=3,
    )
    return None


def _is_known(tree: Any) -> bool:
    return not any(isinstance(x, Tracer) for x in jax.tree.leaves(tree))
