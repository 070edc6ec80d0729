"""From the jaxpr of one world to its graph of scalars: an array becomes an array of node numbers.

One small rule per primitive, in the modules `rules_*`, which `kernel` imports; `RULES` has them by
the primitive's name.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxosim.fused.elementary import EXPANSIONS
from jaxosim.fused.graph import SHARED, WORLD, Graph, name_of

Nodes = np.ndarray
Rule = Callable[..., Sequence[Nodes]]
RULES: dict[str, Rule] = {}

_WITH_COMBINERS = frozenset(("reduce", "scatter", "scatter_add", "scatter-add"))
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # parameters that hold what is called


class Unsupported(Exception):
    """A primitive for which there is no rule, or not in this form.

    Attributes:
      primitive: its name.
      reason: what about it; empty if all of it.
    """

    def __init__(self, primitive: str, reason: str = "") -> None:
        """Keep the name and the reason."""
        super().__init__(f"{primitive}: {reason}" if reason else primitive)
        self.primitive, self.reason = primitive, reason


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule under the names of the primitives it is for.

    A rule is given the interpreter, the equation and the nodes of its inputs.
    """

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


class Interpreter:
    """Runs jaxprs on nodes.

    Attributes:
      graph: where the nodes are made.
      region: in which they are made, unless their arguments ask for an inner one.
    """

    def __init__(self, graph: Graph) -> None:
        """Make nodes in a graph."""
        self.graph = graph
        self.region = WORLD
        self._expanded: dict[tuple, int] = {}

    def run(self, jaxpr: core.Jaxpr, consts: Sequence[Any], inputs: Sequence[Nodes]) -> list[Nodes]:
        """Nodes of the results of a jaxpr.

        Raises:
          Unsupported: it has a primitive without a rule.
        """
        known: dict[Any, Nodes] = dict(zip(jaxpr.invars, inputs, strict=True))
        known.update(zip(jaxpr.constvars, map(self.constants, consts), strict=True))

        def read(variable: Any) -> Nodes:
            if isinstance(variable, core.Literal):
                aval: Any = variable.aval
                return self.constants(np.asarray(variable.val, aval.dtype))
            return known[variable]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(v) for v in equation.invars])
            for variable, nodes in zip(equation.outvars, results, strict=True):
                known[variable] = nodes
        return [read(v) for v in jaxpr.outvars]

    def closed(self, jaxpr: core.ClosedJaxpr, inputs: Sequence[Nodes]) -> list[Nodes]:
        """Nodes of the results of a closed jaxpr."""
        return self.run(jaxpr.jaxpr, jaxpr.consts, inputs)

    def constants(self, array: Any) -> Nodes:
        """Nodes of an array of numbers."""
        if jnp.issubdtype(getattr(array, "dtype", np.int32), jax.dtypes.extended):
            raise Unsupported("random key")
        return self.graph.constants(np.asarray(array))

    def map(self, op: str, *given: Nodes, dtype: Any = None) -> Nodes:
        """An operation on each element of arrays, which are broadcast."""
        name = None if dtype is None else name_of(dtype)
        arrays = given
        if any(x.shape != given[0].shape for x in given):
            arrays = np.broadcast_arrays(*given)
        make = self.expand if op in EXPANSIONS else self.graph.make
        columns = zip(*(x.ravel().tolist() for x in arrays), strict=True)
        nodes = [make(op, *column, dtype=name) for column in columns]
        return np.array(nodes, int).reshape(arrays[0].shape)

    def expand(self, op: str, *args: int, dtype: str | None = None) -> int:
        """A transcendental function, written out."""
        key = (op, *args)
        if key not in self._expanded:
            self._expanded[key] = EXPANSIONS[op](self.graph, *args)
        return self._expanded[key]

    def dtype_of(self, nodes: Nodes) -> str:
        """The dtype of an array that is not empty."""
        return self.graph.dtype[int(nodes.flat[0])]

    def is_constant(self, nodes: Nodes) -> bool:
        """Whether all elements are known numbers."""
        value = self.graph.value
        return all(value(n) is not None for n in nodes.ravel().tolist())

    def values(self, nodes: Nodes) -> np.ndarray:
        """The known numbers that nodes stand for."""
        found = [self.graph.value(n) for n in nodes.ravel().tolist()]
        return np.array(found).reshape(nodes.shape)

    def _equation(self, equation: Any, inputs: list[Nodes]) -> Sequence[Nodes]:
        primitive, params = equation.primitive, equation.params
        shapes = [variable.aval.shape for variable in equation.outvars]
        if shapes and all(0 in shape for shape in shapes):  # as of a model in which nothing moves
            return [np.zeros(shape, int) for shape in shapes]
        found = RULES.get(primitive.name)
        if found is not None:
            return found(self, equation, *inputs)
        for name in _CALLS:
            if name in params:
                inner = params[name]
                if isinstance(inner, core.ClosedJaxpr):
                    return self.closed(inner, inputs)
                return self.run(inner, (), inputs)
        return self.closed(self._definition(equation), inputs)

    def _definition(self, equation: Any) -> core.ClosedJaxpr:
        """What a primitive of ours stands for, from the function that evaluates it.

        Raises:
          Unsupported: the primitive is not ours.
        """
        primitive, params = equation.primitive, equation.params
        implementation = getattr(primitive, "impl", None)
        module = getattr(implementation, "__module__", "")
        if implementation is None or not module.startswith("jaxosim."):
            raise Unsupported(primitive.name)
        shapes = tuple((v.aval.shape, v.aval.dtype) for v in equation.invars)
        return _traced(primitive, tuple(params.items()), shapes, jnp.result_type(float))


@functools.lru_cache(maxsize=4096)
def _traced(primitive: Any, params: tuple, shapes: tuple, default: Any) -> core.ClosedJaxpr:
    """The function that evaluates a primitive, traced; `default` is the dtype of a Python float."""
    del default  # a part of the key
    structs = [jax.ShapeDtypeStruct(*shape) for shape in shapes]
    return jax.make_jaxpr(lambda *x: primitive.impl(*x, **dict(params)))(*structs)


def primitive_without_rule(jaxpr: core.Jaxpr) -> str | None:
    """The name of the first primitive for which there is no rule, loops and calls included."""
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        inner = [
            part.jaxpr if isinstance(part, core.ClosedJaxpr) else part
            for value in params.values()
            for part in (value if isinstance(value, (tuple, list)) else (value,))
            if isinstance(part, (core.ClosedJaxpr, core.Jaxpr))
        ]
        module = getattr(getattr(equation.primitive, "impl", None), "__module__", None) or ""
        if name not in RULES and not module.startswith("jaxosim."):
            if not any(key in params for key in _CALLS):
                return name
        for part in inner if name not in _WITH_COMBINERS else ():
            found = primitive_without_rule(part)
            if found is not None:
                return found
    return None


def graph_of(jaxpr: core.ClosedJaxpr, mapped: Sequence[bool]) -> tuple[Graph, list[Nodes]]:
    """The graph of a closed jaxpr, and the nodes of its results.

    Args:
      jaxpr: of one world.
      mapped: for each argument whether each world has its own; else all share it.

    Raises:
      Unsupported: it has a primitive without a rule.
    """
    graph = Graph()
    inputs = []
    for number, (variable, own) in enumerate(zip(jaxpr.jaxpr.invars, mapped, strict=True)):
        aval = variable.aval
        if jnp.issubdtype(aval.dtype, jax.dtypes.extended):
            raise Unsupported("random key")
        region, dtype = (WORLD if own else SHARED), name_of(aval.dtype)
        nodes = [graph.node("argument", (), dtype, (number, i), region) for i in range(aval.size)]
        inputs.append(np.array(nodes, int).reshape(aval.shape))
    return graph, Interpreter(graph).closed(jaxpr, inputs)
