"""Loops whose iterations are checkpoints: what the forward program keeps of them for reverse mode.

An iteration that is wrapped in `jax.checkpoint` is worked out again, from what was carried into it,
when its cotangents are taken. To know what was carried, a program of cotangents would have to run
the whole loop once more. So the forward program of a differentiated call gives back what is carried
into each stretch of `STRETCH` iterations, and the cotangents' program starts from there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

STRETCH = 3  # iterations; fewer are faster, and take more memory in a rollout

_NAMES = frozenset(("checkpoint", "remat", "remat2"))  # of `jax.checkpoint`, by version of JAX


class CheckpointedLoop:
    """A scan that stacks nothing, and whose body is one checkpoint.

    Attributes:
      used: places of the carried arrays whose last value is used by what follows.
    """

    def __init__(self, equation: Any, used: Sequence[int]) -> None:
        """Take the loop apart."""
        body = equation.params["jaxpr"]
        taken = zip(equation.invars, body.in_avals, strict=True)
        sliced = sum(outer.aval.ndim > inner.ndim for outer, inner in taken)
        self.used = used
        self._body = core.jaxpr_as_fun(body)
        self._length = equation.params["length"]
        self._carried = len(equation.outvars)
        self._first = len(equation.invars) - sliced - self._carried

    @property
    def kept_count(self) -> int:
        """Number of arrays that are kept."""
        return self._carried + len(self.used)

    def keep(self, given: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Results of the loop, and what is kept of it."""
        step, start, rows = self._parts(given)
        end, carries = jax.lax.scan(lambda at, row: (step(at, row), at), start, rows)
        return end, [*(x[STRETCH::STRETCH] for x in carries), *(end[k] for k in self.used)]

    def values(self, given: Sequence[Any], kept: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What is carried into every iteration, from what is kept; and results, where used."""
        step, start, rows = self._parts(given)
        own, ends = kept[: self._carried], kept[self._carried :]
        first = [jnp.concatenate([x[None], later]) for x, later in zip(start, own, strict=True)]
        cut = [jnp.reshape(x, (-1, STRETCH, *x.shape[1:])) for x in rows]

        def stretch(_: None, here: tuple[list[Any], list[Any]]) -> tuple[None, list[Any]]:
            return None, jax.lax.scan(lambda at, row: (step(at, row), at), *here)[1]

        carried = jax.lax.scan(stretch, None, (first, cut))[1]
        whole = [x.reshape(self._length, *x.shape[2:]) for x in carried]
        return whole, replaced(start, self.used, ends)

    def recall(self, given: Sequence[Any], values: tuple[list[Any], list[Any]]) -> list[Any]:
        """Results of the loop, to be differentiated: only derivatives are worked out here."""
        step, start, rows = self._parts(given)

        @jax.checkpoint
        def once(at: list[Any], here: tuple[list[Any], list[Any]]) -> tuple[list[Any], None]:
            return step(list(map(_valued, at, here[0])), here[1]), None

        end = jax.lax.scan(once, start, (values[0], rows))[0]
        return list(map(_valued, end, values[1]))

    def _parts(self, given: Sequence[Any]) -> tuple[Callable[..., Any], list[Any], list[Any]]:
        """An iteration; what is carried in; and what each iteration has a row of."""
        consts, second = given[: self._first], self._first + self._carried
        return (
            lambda at, row: self._body(*consts, *at, *row),
            list(given[self._first : second]),
            list(given[second:]),
        )


def replaced(values: Sequence[Any], which: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """Values, some of them replaced."""
    result = list(values)
    for place, value in zip(which, new, strict=True):
        result[place] = value
    return result


@jax.custom_jvp
def _valued(derived: jax.Array, value: jax.Array) -> jax.Array:
    """A value that is known, with the derivatives of how it was worked out."""
    del derived
    return value


@_valued.defjvp
def _valued_jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    return _valued(*primals), tangents[0]


def _is_checkpointed(equation: Any) -> bool:
    """Whether an equation is a loop of this kind, of several whole stretches."""
    params = equation.params
    if equation.primitive.name != "scan" or params["reverse"]:
        return False
    length, body = params["length"], params["jaxpr"]
    names = [inner.primitive.name for inner in body.jaxpr.eqns]
    found = zip(equation.outvars, body.out_avals, strict=True)
    stacks = any(outer.aval.ndim != inner.ndim for outer, inner in found)
    exact = all(jnp.issubdtype(v.aval.dtype, jnp.inexact) for v in equation.outvars)
    whole = length > STRETCH and length % STRETCH == 0
    return whole and len(names) == 1 and names[0] in _NAMES and exact and not stacks


def loops_of(jaxpr: core.Jaxpr) -> dict[int, CheckpointedLoop]:
    """The checkpointed loops of a program, not within others, by the place of their equation."""
    found = {}
    for place, equation in enumerate(jaxpr.eqns):
        if _is_checkpointed(equation):
            following = (v for later in jaxpr.eqns[place + 1 :] for v in later.invars)
            read = {v for v in following if not isinstance(v, core.Literal)}
            used = [k for k, v in enumerate(equation.outvars) if v in read]
            found[place] = CheckpointedLoop(equation, used)
    return found


def evaluate(
    closed: core.ClosedJaxpr,
    arguments: Sequence[Any],
    loops: Mapping[int, Callable[[Sequence[Any]], Sequence[Any]]],
) -> list[Any]:
    """Results of a jaxpr by JAX, where functions stand for the equations of some places."""
    jaxpr, begin = closed.jaxpr, 0
    known = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    inputs = [*jaxpr.outvars, *(v for equation in jaxpr.eqns for v in equation.invars)]
    used = {v for v in inputs if not isinstance(v, core.Literal)}

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else known[variable]

    for place in (*sorted(loops), len(jaxpr.eqns)):
        part = jaxpr.eqns[begin:place]
        made = [v for e in part for v in e.outvars if v in used]
        between = jaxpr.replace(constvars=(), invars=list(known), outvars=made, eqns=part)
        results = core.jaxpr_as_fun(core.ClosedJaxpr(between, ()))(*known.values())
        known.update(zip(made, results, strict=True))
        if place in loops:
            equation = jaxpr.eqns[place]
            results = loops[place]([read(v) for v in equation.invars])
            known.update(zip(equation.outvars, results, strict=True))
        begin = place + 1
    return [read(v) for v in jaxpr.outvars]
