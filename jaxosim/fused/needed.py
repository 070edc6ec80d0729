"""What some results of a graph need: nodes, and of loops what is carried, given and stacked."""

import dataclasses
from collections.abc import Sequence

from jaxosim.fused.graph import Graph, Loop


@dataclasses.dataclass
class Chunk:
    """A function: nodes in order, those that it loads before, and those that it keeps.

    Copies are nodes that an earlier chunk works out too, and keeps if they are kept at all.
    """

    number: int
    nodes: list[int]
    copies: set[int] = dataclasses.field(default_factory=set)
    loads: list[int] = dataclasses.field(default_factory=list)
    stores: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Repeat:
    """A loop: what is done before its condition is known, and what after.

    The places (in the loop's lists) of what is used at all are those of `carry`, `slices` and
    `stacked`. If only what was carried into each iteration is used afterwards, as reverse mode does
    that works iterations out again, the last one needs no body (`ends_early`).
    """

    loop: Loop
    carry: list[int]
    slices: list[int]
    stacked: list[int]
    ends_early: bool = False
    before: "list[Chunk | Repeat]" = dataclasses.field(default_factory=list)
    body: "list[Chunk | Repeat]" = dataclasses.field(default_factory=list)
    first_chunk: int = 0
    last_chunk: int = 0
    slice_base: int = 0  # of the memory for its slices and what it stacks
    stacked_base: int = 0


def is_outer(graph: Graph, node: int, base: int) -> bool:
    """Whether a node is given by a region outside a base region; constants are of none."""
    return graph.region[node] < base and graph.op[node] != "const"


def needed(graph: Graph, results: Sequence[int], base: int) -> tuple[set[int], dict[int, Repeat]]:
    """All nodes that results need, down to those outside a base region, and the loops."""
    search = _Search(graph)
    stack = search.stack
    stack.extend(results)
    while stack:
        node = stack.pop()
        if node not in search.live and not is_outer(graph, node, base):
            search.live.add(node)
            stack.extend(graph.args[node])
            search.follow(node)
    regions = sorted({*search.carried, *search.sliced, *search.stacked})
    repeats = {
        region: Repeat(
            graph.loops[region],
            carry=sorted(search.carried.get(region, ())),
            slices=sorted(search.sliced.get(region, ())),
            stacked=sorted(search.stacked.get(region, ())),
            ends_early=search.ends_early(region),
        )
        for region in regions
    }
    return search.live, repeats


class _Search:
    """What has been found so far, and what is to be looked at."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.live: set[int] = set()
        self.stack: list[int] = []
        self.carried: dict[int, set[int]] = {}
        self.sliced: dict[int, set[int]] = {}
        self.stacked: dict[int, set[int]] = {}
        self._results: set[int] = set()  # regions of loops whose results are used

    def follow(self, node: int) -> None:
        """What a node needs beyond its arguments."""
        graph, op, data = self.graph, self.graph.op[node], self.graph.data[node]
        if op == "loop":
            condition = graph.loops[data].condition
            if condition is not None:
                self.stack.append(condition)
        elif op == "loop_result":
            region = graph.data[graph.args[node][0]]
            self._results.add(region)
            self._carried(region, data)
        elif op == "carry":
            self._carried(*data)
        elif op == "loop_stacked":
            region = graph.data[graph.args[node][0]]
            if _enter(self.stacked, region, data[1]):
                self.stack.append(graph.loops[region].stacked[data[1]])
        elif op == "slice" and _enter(self.sliced, *data):
            self.stack.extend(row[data[1]] for row in graph.loops[data[0]].slices)

    def ends_early(self, region: int) -> bool:
        """Whether nothing is used of what the last iteration's body works out."""
        graph, loop = self.graph, self.graph.loops[region]
        kept = [loop.stacked[k] for k in self.stacked.get(region, ())]
        given = all(graph.region[n] < region or graph.op[n] in ("carry", "slice") for n in kept)
        return given and region not in self._results and loop.condition is None

    def _carried(self, region: int, place: int) -> None:
        if _enter(self.carried, region, place):
            loop = self.graph.loops[region]
            self.stack.extend((loop.start[place], loop.result[place], loop.carry[place]))


def _enter(table: dict[int, set[int]], region: int, place: int) -> bool:
    """Enter a place of a loop; whether it is new."""
    places = table.setdefault(region, set())
    new = place not in places
    places.add(place)
    return new
