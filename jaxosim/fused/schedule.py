"""In which order the nodes of a graph are worked out, in which functions, and where they are kept.

Nodes are ordered depth first from the results, so that a value is used soon after it is made. The
order is cut into chunks, each a function of its own, because compilers take much longer for one
long function. A value that is used in a later chunk is kept in a slot of the scratch memory; slots
are used again once their value is no longer needed.

In programs of derivatives many values are used long after they are made, and most time goes to
memory. There the argument that was made last comes first, which is used up soonest, chunks are
short, since compilers change the order within one, and what is cheap is worked out again.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence

from jaxosim.fused.graph import Graph
from jaxosim.fused.needed import Chunk, Repeat, is_outer, needed
from jaxosim.fused.recompute import recompute

_GIVEN = frozenset(("const", "argument", "carry", "slice"))  # not worked out by a chunk
_RESULTS = frozenset(("loop_result", "loop_stacked"))


class Schedule:
    """The order, chunks and slots of what some results need.

    Attributes:
      graph: whose nodes they are.
      base: region that is worked out; nodes of outer regions are given.
      results: nodes.
      items: chunks and loops, in order.
      chunks: all chunks by number.
      slot: of each node that is kept; slots count from 0.
      slot_count: number of slots.
      area: number of slots' worth of memory for slices and stacked numbers of loops.
      outer: nodes of outer regions that are used, in order.
      arguments: nodes of the base region's arguments that are used.
    """

    def __init__(
        self,
        graph: Graph,
        results: Sequence[int],
        base: int,
        chunk_size: int,
        *,
        is_derivative: bool = False,
    ) -> None:
        """Plan what the results need.

        Args:
          graph: with the nodes.
          results: nodes.
          base: region that is worked out.
          chunk_size: most nodes of a chunk.
          is_derivative: whether memory is to be spared, as for programs of derivatives.
        """
        self.graph, self.base, self.results = graph, base, list(results)
        self._chunk_size, self._spares_memory = chunk_size, is_derivative
        self.chunks: list[Chunk] = []
        self._region_of_chunk: list[int] = []
        self.area = 0
        self.live, self.repeats = needed(graph, results, base)
        self._free: dict[int, list[int]] = {}
        self._live_of = _by_region(graph, self.live)
        (self.items,) = self._items(base, self.results)
        if is_derivative:
            recompute(graph, self.chunks, self._region_of_chunk, self.home, set(self._ends()))
        self.slot: dict[int, int] = {}
        self.slot_count = 0
        self._allocate()
        outer = {self.home(a) for c in self.chunks for n in c.nodes for a in graph.args[n]}
        outer |= set(self._ends())
        self.outer = sorted(n for n in outer if self.is_outer(n))
        self.arguments = sorted(n for n in self.live if self.is_own_argument(n))

    # ----------------------------------------------------------------- what a node is

    def is_outer(self, node: int) -> bool:
        """Whether a node is given by an outer region; constants are of none."""
        return is_outer(self.graph, node, self.base)

    def is_own_argument(self, node: int) -> bool:
        """Whether a node is an argument of the region that is worked out."""
        return self.graph.op[node] == "argument" and self.graph.region[node] == self.base

    def home(self, node: int) -> int:
        """The node in whose place a value is kept: a loop's result lies where it was carried."""
        graph = self.graph
        while graph.op[node] == "loop_result":
            node = graph.loop_of(node).carry[graph.data[node]]
        return node

    def _is_worked_out(self, node: int, region: int) -> bool:
        graph = self.graph
        return graph.region[node] == region and graph.op[node] not in _GIVEN

    # ------------------------------------------------------------------------- order

    def _needs(self, node: int, region: int) -> Iterable[int]:
        """Nodes that must be there before a node; for a loop, all that enters it."""
        if self.graph.op[node] != "loop":
            return self.graph.args[node]
        repeat = self.repeats[self.graph.data[node]]
        return [*self.entering(repeat), *self._mobilities_of(repeat.loop.region)]

    def entering(self, repeat: Repeat) -> Iterator[int]:
        """Nodes outside a loop that are copied when it begins."""
        yield from (repeat.loop.start[k] for k in repeat.carry)
        yield from (row[k] for row in repeat.loop.slices for k in repeat.slices)

    def leaving(self, repeat: Repeat) -> Iterator[int]:
        """Nodes of the body that are copied at the end of an iteration, and its condition."""
        yield from (repeat.loop.result[k] for k in repeat.carry)
        yield from (repeat.loop.stacked[k] for k in repeat.stacked)
        if repeat.loop.condition is not None:
            yield repeat.loop.condition

    def _mobilities_of(self, region: int) -> list[int]:
        """Nodes outside a loop that its body uses, loops within it included."""
        if region not in self._free:
            graph, found = self.graph, set[int]()
            for inner, repeat in self.repeats.items():
                if not graph.contains(region, inner):
                    continue
                used = [a for n in self._live_of.get(inner, ()) for a in graph.args[n]]
                used += self.leaving(repeat)
                used += self.entering(repeat) if inner != region else ()
                found.update(a for a in used if graph.region[a] < region)
            self._free[region] = sorted(found)
        return self._free[region]

    def _order(self, region: int, roots: Sequence[int], done: set[int]) -> list[int]:
        """Nodes of a region that roots need and are not done yet, depth first."""
        result: list[int] = []
        for root in reversed(roots) if self._spares_memory else roots:
            if not self._is_worked_out(root, region) or root in done:
                continue
            stack: list[tuple[int, list[int] | None]] = [(root, None)]
            while stack:
                node, rest = stack.pop()
                if node in done:
                    continue
                if rest is None:
                    needs = self._needs(node, region)
                    rest = [a for a in needs if self._is_worked_out(a, region) and a not in done]
                    if self._spares_memory:
                        rest.sort()
                    else:
                        rest.reverse()
                while rest and rest[-1] in done:
                    rest.pop()
                if rest:
                    following = rest.pop()
                    stack.append((node, rest))
                    stack.append((following, None))
                else:
                    done.add(node)
                    result.append(node)
        return result

    def _items(self, region: int, *groups: Sequence[int]) -> list[list[Chunk | Repeat]]:
        """Chunks and loops for each of some groups of roots, one group after the other."""
        done: set[int] = set()
        return [self._cut(region, self._order(region, roots, done)) for roots in groups]

    def _cut(self, region: int, order: list[int]) -> list[Chunk | Repeat]:
        """The order in chunks, loops between them."""
        items: list[Chunk | Repeat] = []
        current: list[int] = []

        def close() -> None:
            if current:
                chunk = Chunk(len(self.chunks), list(current))
                self.chunks.append(chunk)
                self._region_of_chunk.append(region)
                items.append(chunk)
                current.clear()

        for node in order:
            if self.graph.op[node] == "loop":
                close()
                items.append(self._repeat(self.repeats[self.graph.data[node]]))
            elif self.graph.op[node] not in _RESULTS:
                current.append(node)
                if len(current) >= self._chunk_size:
                    close()
        close()
        return items

    def _repeat(self, repeat: Repeat) -> Repeat:
        """A loop with its items and its memory."""
        loop = repeat.loop
        repeat.first_chunk = len(self.chunks)
        ends = [n for n in self.leaving(repeat) if n != loop.condition]
        first = [] if loop.condition is None else [loop.condition]
        repeat.before, repeat.body = self._items(loop.region, first, ends)
        repeat.last_chunk = max(len(self.chunks) - 1, repeat.first_chunk)
        if repeat.first_chunk == len(self.chunks):  # an empty body still takes a place in time
            self.chunks.append(Chunk(len(self.chunks), []))
            self._region_of_chunk.append(loop.region)
        repeat.slice_base = self.area
        self.area += len(loop.slices) * len(repeat.slices)
        repeat.stacked_base = self.area
        self.area += (loop.length or 0) * len(repeat.stacked)
        return repeat

    # ------------------------------------------------------------------------- slots

    def _is_kept(self, node: int) -> bool:
        """Whether a node may need a slot."""
        graph = self.graph
        return (
            graph.op[node] not in ("const", "argument", "loop_stacked")
            and graph.region[node] >= self.base
        )

    def _ends(self) -> list[int]:
        """Homes of all nodes that are copied between chunks."""
        ends = list(self.results)
        for repeat in self.repeats.values():
            ends += [*self.entering(repeat), *self.leaving(repeat)]
        return [self.home(n) for n in ends]

    def _allocate(self) -> None:
        """Loads and stores of the chunks, and a slot for what is kept."""
        start, last = self._lifetimes()
        copied = {n for n in self._ends() if self._is_kept(n)}
        for chunk in self.chunks:
            chunk.stores = [
                n
                for n in chunk.nodes
                if n not in chunk.copies and (last.get(n, -1) > chunk.number or n in copied)
            ]
            start.update(dict.fromkeys(chunk.stores, chunk.number))
        free: list[int] = []
        ending: list[tuple[int, int]] = []
        for node in sorted(start, key=start.__getitem__):
            while ending and ending[0][0] < start[node]:
                free.append(heapq.heappop(ending)[1])
            if free:
                slot = free.pop()
            else:
                slot = self.slot_count
                self.slot_count += 1
            self.slot[node] = slot
            heapq.heappush(ending, (last.get(node, start[node]), slot))

    def _lifetimes(self) -> tuple[dict[int, int], dict[int, int]]:
        """Chunk in which what loops are given begins to be kept, and last chunk of each use."""
        start: dict[int, int] = {}
        last: dict[int, int] = {}

        def use(node: int, at: int) -> None:
            node = self.home(node)
            if self._is_kept(node):
                last[node] = max(last.get(node, -1), self._end_of_use(node, at))

        for chunk in self.chunks:
            own = set(chunk.nodes)
            loads = dict.fromkeys(self.home(a) for n in chunk.nodes for a in self.graph.args[n])
            chunk.loads = [
                n for n in loads if n not in own and self.graph.op[n] not in ("const", "loop")
            ]
            for node in chunk.loads:
                use(node, chunk.number)
        for repeat in self.repeats.values():
            loop, begin, end = repeat.loop, repeat.first_chunk, repeat.last_chunk
            for given in (
                *(loop.carry[k] for k in repeat.carry),
                *(loop.slice_nodes[k] for k in repeat.slices),
            ):
                start[given] = begin
                last[given] = max(last.get(given, -1), end)
            for node in self.entering(repeat):
                use(node, begin)
            for node in self.leaving(repeat):
                use(node, end)
        for node in self.results:
            use(node, len(self.chunks))
        return start, last

    def _end_of_use(self, node: int, at: int) -> int:
        """A use within loops outside of which the node stands lasts to the end of the outermost."""
        if at >= len(self.chunks):
            return at
        region, graph = self._region_of_chunk[at], self.graph
        while region > self.base and graph.region[node] < region:
            if region in self.repeats:
                at = max(at, self.repeats[region].last_chunk)
            region = graph.parents[region]
        return at


def _by_region(graph: Graph, nodes: Iterable[int]) -> dict[int, list[int]]:
    """Nodes by the region that they are of."""
    found: dict[int, list[int]] = {}
    for node in nodes:
        found.setdefault(graph.region[node], []).append(node)
    return found
