"""A program of one world as an operation of JAX: batched, differentiated and lowered.

The operation works on a batch, or on one world. Under `vmap` it stays one operation on more worlds.
Its derivatives are programs too: the tangents of a program are a program that is linear in them,
and its transposition is the cotangent program, which works the results out again from the
arguments and from what the forward program keeps of loops (`checkpoints.py`), and nothing else.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend import core
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxosim.fused import checkpoints, llvm
from jaxosim.fused.checkpoints import replaced
from jaxosim.fused.interpreter import Unsupported
from jaxosim.fused.kernel import Kernel, compile_kernel


class Program:
    """A function of one world, of arrays to arrays; hashed by identity.

    Attributes:
      jaxpr: of one world.
      name: for messages and profiles.
    """

    def __init__(
        self,
        jaxpr: core.ClosedJaxpr,
        name: str,
        origin: Any = None,
        *,
        is_derivative: bool = False,
    ) -> None:
        """Keep the jaxpr; `origin` is what a tangent program is of: the program and which."""
        self.jaxpr, self.name, self.origin = jaxpr, name, origin
        self._is_derivative = is_derivative
        self._kernels: dict[tuple[bool, ...], Kernel | None] = {}
        self._derived: dict[Any, Program] = {}
        self._loops = checkpoints.loops_of(jaxpr.jaxpr)

    @property
    def in_avals(self) -> list[Any]:
        """Of the arguments, of one world."""
        return [v.aval for v in self.jaxpr.jaxpr.invars]

    @property
    def out_avals(self) -> Sequence[Any]:
        """Of the results, of one world."""
        return self.jaxpr.out_avals

    def __call__(self, *arguments: Any) -> list[Any]:
        """The results for one world, by JAX."""
        return core.jaxpr_as_fun(self.jaxpr)(*arguments)

    def kernel(self, mapped: tuple[bool, ...]) -> Kernel | None:
        """The compiled kernel; None, after one warning, where there cannot be one."""
        if mapped not in self._kernels:
            try:
                self._kernels[mapped] = compile_kernel(
                    self.jaxpr, mapped, is_derivative=self._is_derivative
                )
            except Unsupported as error:
                warnings.warn(
                    f"{self.name}: the primitive {error} has no rule in jaxosim.fused, so XLA "
                    "runs the whole of it",
                    stacklevel=2,
                )
                self._kernels[mapped] = None
        return self._kernels[mapped]

    @property
    def keeping(self) -> "Program":
        """The same results, and behind them what cotangent programs are given of loops."""
        if not self._loops:
            return self

        def function(*values: Any) -> list[Any]:
            kept: list[Any] = []

            def through(loop: checkpoints.CheckpointedLoop, given: Sequence[Any]) -> list[Any]:
                results, own = loop.keep(given)
                kept.extend(own)
                return results

            loops = {k: functools.partial(through, loop) for k, loop in self._loops.items()}
            return [*checkpoints.evaluate(self.jaxpr, values, loops), *kept]

        return self._derive(("keeping",), function, self.in_avals, is_derivative=False)

    @property
    def kept_avals(self) -> Sequence[Any]:
        """Of what is kept, of one world."""
        return self.keeping.out_avals[len(self.out_avals) :]

    def tangent(self, which: tuple[int, ...]) -> "Program":
        """Tangents of the results, from all arguments, what is kept, and the tangents of some.

        What is kept is for the transposed program alone.
        """
        count, behind = len(self.in_avals), len(self.in_avals) + len(self.kept_avals)

        def function(*values: Any) -> list[Any]:
            primals, given = values[:count], values[behind:]
            results, tangents = jax.jvp(
                lambda *some: self(*replaced(primals, which, some)),
                tuple(primals[i] for i in which),
                given,
            )
            return [t for t, r in zip(tangents, results, strict=True) if is_inexact(r)]

        avals = [*self.in_avals, *self.kept_avals, *(self.in_avals[i] for i in which)]
        return self._derive(("tangent", which), function, avals, (self, which))

    def cotangent(self, which: tuple[int, ...], given: tuple[int, ...]) -> "Program":
        """Cotangents of some arguments, from all of them, what is kept, and cotangents of results.

        Args:
          which: numbers of the arguments.
          given: numbers of the results.
        """
        count, behind = len(self.in_avals), len(self.in_avals) + len(self.kept_avals)

        def function(*values: Any) -> list[Any]:
            primals, kept, cotangents = values[:count], values[count:behind], values[behind:]
            carried = self._carried(primals, kept)

            def some_results(*some: Any) -> list[Any]:
                loops = {
                    k: functools.partial(loop.recall, values=carried[k])
                    for k, loop in self._loops.items()
                }
                results = checkpoints.evaluate(self.jaxpr, replaced(primals, which, some), loops)
                return [results[i] for i in given]

            back = jax.vjp(some_results, *(primals[i] for i in which))[1]
            return list(back(list(cotangents)))

        avals = [*self.in_avals, *self.kept_avals, *(self.out_avals[i] for i in given)]
        return self._derive(("cotangent", which, given), function, avals)

    def _carried(self, arguments: Sequence[Any], kept: Sequence[Any]) -> dict[int, Any]:
        """What is carried into every iteration of the loops, and what is used of their results."""
        rest, found = list(kept), {}

        def through(place: int, given: Sequence[Any]) -> list[Any]:
            loop = self._loops[place]
            own, rest[:] = rest[: loop.kept_count], rest[loop.kept_count :]
            found[place] = loop.values(given, own)
            return found[place][1]

        loops = {k: functools.partial(through, k) for k in self._loops}
        checkpoints.evaluate(self.jaxpr, arguments, loops)
        return found

    def _derive(
        self,
        key: Any,
        function: Callable[..., list[Any]],
        avals: Sequence[Any],
        origin: Any = None,
        *,
        is_derivative: bool = True,
    ) -> "Program":
        if key not in self._derived:
            structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
            jaxpr = jax.make_jaxpr(function)(*structs)
            name = f"{key[0]} of {self.name}"
            self._derived[key] = Program(jaxpr, name, origin, is_derivative=is_derivative)
        return self._derived[key]


def is_inexact(value: Any) -> bool:
    """Whether an array has derivatives."""
    return jnp.issubdtype(value.dtype, jnp.inexact)


# -------------------------------------------------------------------------- the operation

operation_p = Primitive("fused")
operation_p.multiple_results = True


def bind(program: Program, arguments: Sequence[Any]) -> list[Any]:
    """The results of a program for one world."""
    return operation_p.bind(*arguments, program=program, mapped=(False,) * len(arguments))


@operation_p.def_abstract_eval
def _avals(*arguments: Any, program: Program, mapped: tuple[bool, ...]) -> list[Any]:
    count = _world_count(arguments, mapped)
    lead = () if count is None else (count,)
    return [ShapedArray((*lead, *a.shape), a.dtype) for a in program.out_avals]


def _world_count(arguments: Sequence[Any], mapped: tuple[bool, ...]) -> int | None:
    """Number of worlds; None for one without an axis."""
    for argument, own in zip(arguments, mapped, strict=True):
        if own:
            return argument.shape[0]
    return None


def _by_jax(*arguments: Any, program: Program, mapped: tuple[bool, ...]) -> list[Any]:
    """The same without a kernel."""
    if not any(mapped):
        return program(*arguments)
    axes = tuple(0 if own else None for own in mapped)
    return jax.vmap(program, axes)(*arguments)


@functools.partial(jax.jit, static_argnames=("program", "mapped"))
def _evaluated(*arguments: Any, program: Program, mapped: tuple[bool, ...]) -> list[Any]:
    return operation_p.bind(*arguments, program=program, mapped=mapped)


operation_p.def_impl(_evaluated)


def _lower_by_jax(context: Any, *operands: Any, **params: Any) -> Any:
    return mlir.lower_fun(_by_jax, multiple_results=True)(context, *operands, **params)


def _lower_for_cpu(context: Any, *operands: Any, program: Program, mapped: tuple[bool, ...]) -> Any:
    params = {"program": program, "mapped": mapped}
    if not llvm.is_available() or not program.out_avals:
        return _lower_by_jax(context, *operands, **params)
    alone = not any(mapped)
    kernel = program.kernel((True,) * len(mapped) if alone else mapped)
    if kernel is None:
        return _lower_by_jax(context, *operands, **params)

    def call(*arguments: Any) -> list[Any]:
        count = 1 if alone else _world_count(arguments, mapped)
        outputs = [jax.ShapeDtypeStruct((count, *a.shape), a.dtype) for a in program.out_avals]
        given = [arguments[i][None] if alone else arguments[i] for i in kernel.used]
        results = jax.ffi.ffi_call(kernel.target, outputs)(*given)
        return [r[0] for r in results] if alone else list(results)

    return mlir.lower_fun(call, multiple_results=True)(context, *operands)


mlir.register_lowering(operation_p, _lower_by_jax)
mlir.register_lowering(operation_p, _lower_for_cpu, platform="cpu")


def _batched(
    arguments: Sequence[Any],
    axes: Sequence[int | None],
    *,
    program: Program,
    mapped: tuple[bool, ...],
) -> tuple[list[Any], list[int]]:
    """More worlds: a second axis of worlds is joined with the first."""
    size = next(x.shape[a] for x, a in zip(arguments, axes, strict=True) if a is not None)
    front = [
        x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(arguments, axes, strict=True)
    ]
    new = [a is not None for a in axes]
    if not any(mapped):
        results = operation_p.bind(*front, program=program, mapped=tuple(new))
        return results, [0] * len(results)
    count = next(
        x.shape[1 if own_new else 0]
        for x, own, own_new in zip(front, mapped, new, strict=True)
        if own
    )
    joined = []
    for x, own, own_new in zip(front, mapped, new, strict=True):
        if own_new and not own:
            x = jnp.broadcast_to(x[:, None], (size, count, *x.shape[1:]))
        elif own and not own_new:
            x = jnp.broadcast_to(x[None], (size, *x.shape))
        joined.append(x.reshape(size * count, *x.shape[2:]) if own or own_new else x)
    both = tuple(own or own_new for own, own_new in zip(mapped, new, strict=True))
    results = operation_p.bind(*joined, program=program, mapped=both)
    return [r.reshape(size, count, *r.shape[1:]) for r in results], [0] * len(results)


batching.primitive_batchers[operation_p] = _batched

# --------------------------------------------------------------------------- derivatives


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    program: Program,
    mapped: tuple[bool, ...],
) -> tuple[list[Any], list[Any]]:
    both = operation_p.bind(*primals, program=program.keeping, mapped=mapped)
    results, kept = both[: len(program.out_avals)], both[len(program.out_avals) :]
    which = tuple(
        i
        for i, (x, t) in enumerate(zip(primals, tangents, strict=True))
        if not isinstance(t, ad.Zero) and is_inexact(x)
    )
    derived = program.tangent(which)
    given = operation_p.bind(
        *primals,
        *kept,
        *(tangents[i] for i in which),
        program=derived,
        mapped=(*mapped, *[any(mapped)] * len(kept), *(mapped[i] for i in which)),
    )
    found = iter(given)
    out = [
        next(found) if is_inexact(r) else ad.Zero(jax.typeof(r).to_tangent_aval()) for r in results
    ]
    return results, out


ad.primitive_jvps[operation_p] = _jvp


def _transposed(
    cotangents: Sequence[Any],
    *arguments: Any,
    program: Program,
    mapped: tuple[bool, ...],
) -> list[Any]:
    """Cotangents of a tangent program's tangents."""
    origin, which = program.origin
    count = len(origin.in_avals) + len(origin.kept_avals)
    primals, own = arguments[:count], mapped[:count]
    inexact = [i for i, aval in enumerate(origin.out_avals) if is_inexact(aval)]
    live = [k for k, c in enumerate(cotangents) if not isinstance(c, ad.Zero)]
    given = tuple(inexact[k] for k in live)
    asked = [k for k in range(len(which)) if ad.is_undefined_primal(arguments[count + k])]
    if len(asked) != len(which):
        raise NotImplementedError("a tangent program is transposed by all of its tangents")
    if not live:
        return [None] * count + [ad.Zero(arguments[count + k].aval) for k in asked]
    many = any(mapped)
    back = operation_p.bind(
        *primals,
        *(cotangents[k] for k in live),
        program=origin.cotangent(which, given),
        mapped=(*own, *([many] * len(live))),
    )
    # What all worlds share has the sum of the worlds' cotangents.
    summed = [
        x if mapped[count + k] or not many else jnp.sum(x, axis=0) for k, x in enumerate(back)
    ]
    return [None] * count + summed


ad.primitive_transposes[operation_p] = _transposed
