"""Nodes that are worked out again where they are used, instead of being kept until then.

Reverse mode uses thousands of numbers long after they are worked out. To keep one takes a store, a
load, and a line of the cache that is full already; an operation on numbers that are at hand takes
less.
"""

from collections.abc import Callable, Collection, Sequence

from jaxosim.fused.graph import Graph
from jaxosim.fused.needed import Chunk

_CHEAP = frozenset(
    (
        *("add", "sub", "mul", "fma", "xadd", "xsub", "xmul", "neg", "abs", "max", "min"),
        *("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "not", "select", "bitcast"),
    )
)
_MOST_CHUNKS = 2  # in which a node is worked out again
_MOST_MORE = 1  # operations of a node's arguments, in all of these chunks together
_ROUNDS = 3  # what is at hand now may make another node cheap


def recompute(
    graph: Graph,
    chunks: Sequence[Chunk],
    regions: Sequence[int],
    home: Callable[[int], int],
    kept: Collection[int],
) -> None:
    """Put nodes into each later chunk that uses them, where that is cheap for all of these chunks.

    Args:
      graph: whose nodes they are.
      chunks: in order, by number; their nodes and copies are replaced.
      regions: of each chunk.
      home: the node in whose place a node's value is kept.
      kept: nodes that are kept whatever is done here.
    """
    plan = _Plan(graph, chunks, regions, home)
    for _ in range(_ROUNDS):
        found = [n for n in sorted(plan.users) if n not in kept and plan.recompute(n)]
        if not found:
            break
    for chunk in chunks:
        if plan.copies[chunk.number]:
            chunk.copies = plan.copies[chunk.number]
            chunk.nodes = plan.ordered(chunk)


class _Plan:
    """What each chunk has at hand, and what it works out again.

    Attributes:
      users: chunks that load a node.
      copies: of each chunk the nodes that it works out again.
    """

    def __init__(
        self,
        graph: Graph,
        chunks: Sequence[Chunk],
        regions: Sequence[int],
        home: Callable[[int], int],
    ) -> None:
        self._graph, self._regions, self._home = graph, regions, home
        self._here = [set(chunk.nodes) for chunk in chunks]
        self._made = {n for own in self._here for n in own}
        self.copies: list[set[int]] = [set() for _ in chunks]
        self.users: dict[int, set[int]] = {}
        for chunk, here in zip(chunks, self._here, strict=True):
            loaded = {home(a) for n in chunk.nodes for a in graph.args[n]} - here
            for node in loaded:
                self.users.setdefault(node, set()).add(chunk.number)
            here |= loaded

    def recompute(self, node: int) -> bool:
        """Whether a node is worked out again in all chunks that would load it, from now on."""
        users = sorted(self.users[node])
        if not users or len(users) > _MOST_CHUNKS or node not in self._made:
            return False
        needs = [self._needs(node, number, 1) for number in users]
        if any(need is None for need in needs):
            return False
        if sum(len(need or ()) for need in needs) > len(users) + _MOST_MORE:
            return False
        for number, need in zip(users, needs, strict=True):
            for copy in need or ():
                self.copies[number].add(copy)
                self._here[number].add(copy)
                self.users.get(copy, set()).discard(number)
        return True

    def _needs(self, node: int, number: int, deeper: int) -> list[int] | None:
        """What a chunk has to work out for a node, the node last; None where that is not cheap."""
        graph = self._graph
        if graph.op[node] not in _CHEAP or graph.region[node] != self._regions[number]:
            return None
        result: list[int] = []
        for argument in map(self._home, graph.args[node]):
            if graph.op[argument] == "const" or argument in self._here[number]:
                continue
            further = self._needs(argument, number, deeper - 1) if deeper else None
            if further is None:
                return None
            result += (n for n in further if n not in result)
        return [*result, node]

    def ordered(self, chunk: Chunk) -> list[int]:
        """The nodes of a chunk, its copies each before its first use."""
        copies, result, done = self.copies[chunk.number], list[int](), set[int]()

        def add(node: int) -> None:
            for argument in map(self._home, self._graph.args[node]):
                if argument in copies and argument not in done:
                    done.add(argument)
                    add(argument)
            result.append(node)

        for node in chunk.nodes:
            add(node)
        return result
