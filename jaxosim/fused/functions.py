"""LLVM IR of the functions of a schedule: chunks, loops, and one that calls them in order."""

from collections.abc import Sequence

from jaxosim.fused.expressions import ExpressionEmitter
from jaxosim.fused.needed import Chunk, Repeat

_SIGNATURE = "ptr noalias %s, ptr noalias %t, ptr noalias %in, i64 %i"
_GIVEN = "ptr %s, ptr %t, ptr %in"


class FunctionEmitter(ExpressionEmitter):
    """Writes the functions of one schedule; `{prefix}world(s, t, in)` is the last one."""

    def functions(self) -> None:
        """All functions."""
        self._pieces()
        self._open_stage("world")
        self._driver(self.schedule.items, "entry")
        self._run("results")
        self.add("ret void\n}")

    def stages(self, index: int) -> None:
        """All functions, and in place of the last one those by which lanes change worlds in a loop.

        `{prefix}begin(s, t, in)` is all before the loop, `{prefix}active(s, t, in)` tells the lanes
        that go on, as bits, `{prefix}iteration(s, t, in)` is an iteration, `{prefix}end(s, t, in)`
        all behind the loop.

        Args:
          index: of the loop, one with a condition, among the schedule's items.
        """
        repeat = self.schedule.items[index]
        assert isinstance(repeat, Repeat) and repeat.loop.condition is not None
        self._pieces(repeat)
        self._open_stage("begin")
        self._driver(self.schedule.items[:index], "entry")
        self._run(f"enter{repeat.loop.region}")
        self.add("ret void\n}")
        self._open_stage("active", "i64")
        self._driver(repeat.before, "entry")
        mask = f"{self.type_of('bool')} {self.load(repeat.loop.condition)}"
        bits = self.new(f"bitcast {mask} to i{self.width}")
        self.add(f"ret i64 {self.new(f'zext i{self.width} {bits} to i64')}\n}}")
        self._open_stage("iteration")
        self._driver(repeat.body, "entry")
        self._run(f"end{repeat.loop.region}")
        self.add("ret void\n}")
        self._open_stage("end")
        self._driver(self.schedule.items[index + 1 :], "entry")
        self._run("results")
        self.add("ret void\n}")

    def _pieces(self, staged: Repeat | None = None) -> None:
        """Functions of chunks and loops, and the one that takes the results.

        The condition of the loop that `stages` writes is a function there.
        """
        for chunk in self.schedule.chunks:
            if chunk.nodes:
                self._chunk(chunk)
        for repeat in self.schedule.repeats.values():
            self._enter(repeat)
            self._begin(repeat)
            self._end(repeat)
            if repeat.loop.condition is not None and repeat is not staged:
                self._condition(repeat)
        self._results()

    def _open_stage(self, name: str, kind: str = "void") -> None:
        """Begin a function that calls others."""
        self.add(
            f"define internal {kind} @{self.prefix}{name}(ptr noalias %s, ptr noalias %t, "
            "ptr noalias %in) noinline #0 {\nentry:"
        )

    def _open(self, name: str, kind: str = "void") -> None:
        """Begin a function; i is the iteration of the loop that it belongs to."""
        self.add(f"define internal {kind} @{self.prefix}{name}({_SIGNATURE}) noinline #0 {{")

    def _chunk(self, chunk: Chunk) -> None:
        graph, home = self.graph, self.schedule.home
        self._open(f"c{chunk.number}")
        loads, stores = set(chunk.loads), set(chunk.stores)
        for node in chunk.nodes:
            for argument in graph.args[node]:
                source = home(argument)
                if source in loads:
                    loads.discard(source)
                    self.load(source, f"%t{source}")
            self.node(node)
            if node in stores:
                self.store_place(self.slot(node), f"%t{node}", graph.dtype[node])
        self.add("ret void\n}")

    def _results(self) -> None:
        """Results to where they are given back from."""
        self._open("results")
        for number, node in enumerate(self.schedule.results):
            dtype = self.graph.dtype[self.schedule.home(node)]
            self.store_place(self.place(self.layout.results + number), self.load(node), dtype)
        self.add("ret void\n}")

    # ------------------------------------------------------------------------- loops

    def _enter(self, repeat: Repeat) -> None:
        """What is carried and sliced, before the first iteration."""
        loop, graph = repeat.loop, self.graph
        self._open(f"enter{loop.region}")
        for k, value in [(k, self.load(loop.start[k])) for k in repeat.carry]:
            self.store_place(self.slot(loop.carry[k]), value, graph.dtype[loop.carry[k]])
        first = self.layout.area + repeat.slice_base
        for i, row in enumerate(loop.slices):
            for j, k in enumerate(repeat.slices):
                pointer = self.place(first + i * len(repeat.slices) + j)
                self.store_place(pointer, self.load(row[k]), graph.dtype[row[k]])
        self.add("ret void\n}")

    def _begin(self, repeat: Repeat) -> None:
        """The slices of iteration i."""
        loop, graph = repeat.loop, self.graph
        self._open(f"begin{loop.region}")
        first = self.layout.area + repeat.slice_base
        for j, k in enumerate(repeat.slices):
            node = loop.slice_nodes[k]
            value = self.load_place(self._area(first + j, len(repeat.slices)), graph.dtype[node])
            self.store_place(self.slot(node), value, graph.dtype[node])
        self.add("ret void\n}")

    def _end(self, repeat: Repeat) -> None:
        """What iteration i stacks and carries on; in lanes that are at rest all stays."""
        loop, graph, mask = repeat.loop, self.graph, self.type_of("bool")
        self._open(f"end{loop.region}")
        first = self.layout.area + repeat.stacked_base
        for j, k in enumerate(repeat.stacked):
            pointer = self._area(first + j, len(repeat.stacked))
            self.store_place(pointer, self.load(loop.stacked[k]), graph.dtype[loop.stacked[k]])
        active = None if loop.condition is None else self.load(loop.condition)
        values = [(loop.carry[k], self.load(loop.result[k])) for k in repeat.carry]
        for node, value in values:
            if active is not None:
                kind, old = self.type_of(graph.dtype[node]), self.load(node)
                value = self.new(f"select {mask} {active}, {kind} {value}, {kind} {old}")
            self.store_place(self.slot(node), value, graph.dtype[node])
        self.add("ret void\n}")

    def _condition(self, repeat: Repeat) -> None:
        """Whether any lane goes on.

        A lane whose condition has failed keeps what it carries, so its condition stays false.
        """
        loop = repeat.loop
        assert loop.condition is not None
        self._open(f"active{loop.region}", "i1")
        active = self.load(loop.condition)
        if self.width > 1:
            name = f"llvm.vector.reduce.or.v{self.width}i1"
            active = self.new(self.call(name, "i1", (self.type_of("bool"), active)))
        self.add(f"ret i1 {active}\n}}")

    def _area(self, first: int, stride: int) -> str:
        """Pointer to a place of iteration i in a loop's area."""
        ahead = self.new(f"mul i64 %i, {stride}")
        return self.place(self.new(f"add i64 {ahead}, {first}"))

    # ------------------------------------------------------------------------- driver

    def _run(self, name: str, index: str = "0") -> None:
        """Call a function."""
        self.add(f"call void @{self.prefix}{name}({_GIVEN}, i64 {index})")

    def _driver(self, items: Sequence[Chunk | Repeat], block: str) -> str:
        """Chunks and loops in order, from a basic block on; returns the one where they end."""
        for item in items:
            if isinstance(item, Chunk):
                self._run(f"c{item.number}")
            elif item.loop.condition is None:
                block = self._counted(item, block)
            else:
                block = self._while(item)
        return block

    def _counted(self, repeat: Repeat, block: str) -> str:
        loop, r = repeat.loop, repeat.loop.region
        self._run(f"enter{r}")
        self.add(f"br label %head{r}\nhead{r}:")
        self.add(f"%j{r} = phi i64 [ 0, %{block} ], [ %next{r}, %tail{r} ]")
        last = (loop.length or 0) - 1
        self.add(f"%i{r} = {f'sub i64 {last}, ' if loop.reverse else 'add i64 0, '}%j{r}")
        self._run(f"begin{r}", f"%i{r}")
        inside = f"head{r}"
        if repeat.ends_early:
            inside = f"go{r}"
            self.add(f"%last{r} = icmp eq i64 %j{r}, {last}")
            self.add(f"br i1 %last{r}, label %end{r}, label %{inside}\n{inside}:")
        self._driver(repeat.body, inside)
        if repeat.ends_early:
            self.add(f"br label %end{r}\nend{r}:")
        self._run(f"end{r}", f"%i{r}")
        self.add(f"br label %tail{r}\ntail{r}:\n%next{r} = add i64 %j{r}, 1")
        self.add(f"%more{r} = icmp slt i64 %next{r}, {loop.length}")
        self.add(f"br i1 %more{r}, label %head{r}, label %after{r}\nafter{r}:")
        return f"after{r}"

    def _while(self, repeat: Repeat) -> str:
        """A loop in which lanes rest once their own condition has failed."""
        r = repeat.loop.region
        self._run(f"enter{r}")
        self.add(f"br label %head{r}\nhead{r}:")
        self._driver(repeat.before, f"head{r}")
        active = self.new(f"call i1 @{self.prefix}active{r}({_GIVEN}, i64 0)")
        self.add(f"br i1 {active}, label %go{r}, label %after{r}\ngo{r}:")
        self._driver(repeat.body, f"go{r}")
        self._run(f"end{r}")
        self.add(f"br label %head{r}\nafter{r}:")
        return f"after{r}"
