"""LLVM IR of the operations on values."""

from jaxosim.fused.emit import Emitter, kind_of, size_of

_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_CONTRACTED = frozenset(("add", "sub", "mul"))
_EXACT = {"xadd": "fadd", "xsub": "fsub", "xmul": "fmul"}
_INTEGER = {
    **{"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"},
    **{"xadd": "add", "xsub": "sub", "xmul": "mul", "shl": "shl", "shr": "lshr", "ashr": "ashr"},
}
_COMPARED = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INTRINSICS = {
    **{"sqrt": "sqrt", "abs": "fabs", "rint": "rint", "floor": "floor", "ceil": "ceil"},
    "fma": "fma",
}


class ExpressionEmitter(Emitter):
    """Writes the operations of nodes."""

    def node(self, node: int) -> None:
        """The lines of one node."""
        op, args, dtype = self.graph.op[node], self.graph.args[node], self.graph.dtype[node]
        if op == "lookup":
            self._look_up(node)
            return
        names = [self.name(a) for a in args]
        self.add(f"%t{node} = {self._expression(op, names, self.graph.dtype[args[0]], dtype)}")

    def _look_up(self, node: int) -> None:
        graph = self.graph
        number, offset = graph.data[node]
        (at,) = graph.args[node]
        index, wide = self.name(at), self.vector("i64")
        if graph.dtype[at] != "int64":
            index = self.new(f"sext {self.type_of(graph.dtype[at])} {index} to {wide}")
        index = self.new(f"add {wide} {index}, {self.splat(f'i64 {offset}')}")
        if self.arguments[number].mapped:
            index = self.new(f"add {wide} {index}, {self._row(number)}")
        self._load_from_array(number, index, graph.dtype[node], f"%t{node}")

    def _expression(self, op: str, x: list[str], given: str, dtype: str) -> str:
        """The expression of an operation on values of the dtype `given`."""
        kind, of = self.type_of(dtype), self.type_of(given)
        floating, signed = given[0] == "f", given[0] == "i"
        if op in _COMPARED:
            if floating:
                return f"fcmp {_COMPARED[op]} {of} {x[0]}, {x[1]}"
            order = op if op in ("eq", "ne") else ("s" if signed else "u") + op
            return f"icmp {order} {of} {x[0]}, {x[1]}"
        if op == "select":
            return f"select {self.type_of('bool')} {x[0]}, {kind} {x[1]}, {kind} {x[2]}"
        if op in ("convert", "convert_saturating"):
            return self._conversion(op, x[0], given, dtype)
        if op == "bitcast":
            return f"bitcast {of} {x[0]} to {kind}"
        if op in ("max", "min"):
            return self._extremum(op, x, given)
        if op == "not":
            return f"xor {kind} {x[0]}, {self.splat(f'{kind_of(dtype)} -1')}"
        if floating:
            return self._floating(op, x, given)
        if op == "neg":
            return f"sub {kind} {self.splat(f'{kind_of(dtype)} 0')}, {x[0]}"
        if op == "abs":
            name = f"llvm.abs.{self.suffix(kind_of(given))}"
            return self.call(name, kind, (kind, x[0]), ("i1", "false"))
        if op in ("div", "rem"):
            return f"{'s' if signed else 'u'}{op} {kind} {x[0]}, {x[1]}"
        return f"{_INTEGER[op]} {kind} {x[0]}, {x[1]}"

    def _floating(self, op: str, x: list[str], dtype: str) -> str:
        kind = self.type_of(dtype)
        if op == "neg":
            return f"fneg {kind} {x[0]}"
        if op in _EXACT:
            return f"{_EXACT[op]} {kind} {x[0]}, {x[1]}"
        if op in _FLOAT:
            flags = "contract " if op in _CONTRACTED else ""
            return f"{_FLOAT[op]} {flags}{kind} {x[0]}, {x[1]}"
        name = f"llvm.{_INTRINSICS[op]}.{self.suffix(kind_of(dtype))}"
        return self.call(name, kind, *((kind, value) for value in x))

    def _extremum(self, op: str, x: list[str], dtype: str) -> str:
        kind = self.type_of(dtype)
        if dtype[0] == "f":
            first = self.new(f"fcmp {'ogt' if op == 'max' else 'olt'} {kind} {x[0]}, {x[1]}")
            return f"select {self.type_of('bool')} {first}, {kind} {x[0]}, {kind} {x[1]}"
        sign = "s" if dtype[0] == "i" else "u"
        name = f"llvm.{sign}{op}.{self.suffix(kind_of(dtype))}"
        return self.call(name, kind, (kind, x[0]), (kind, x[1]))

    def _conversion(self, op: str, x: str, given: str, dtype: str) -> str:
        kind, of = self.type_of(dtype), self.type_of(given)
        if given[0] == "f" and dtype[0] == "f":
            how = "fpext" if size_of(dtype) > size_of(given) else "fptrunc"
        elif given[0] == "f":
            sign = "ui" if dtype[0] == "u" else "si"
            if op == "convert_saturating":
                endings = f"{self.suffix(kind_of(dtype))}.{self.suffix(kind_of(given))}"
                return self.call(f"llvm.fpto{sign}.sat.{endings}", kind, (of, x))
            how = f"fpto{sign}"
        elif dtype[0] == "f":
            how = "sitofp" if given[0] == "i" else "uitofp"
        elif size_of(dtype) == size_of(given):
            how = "bitcast"
        elif size_of(dtype) < size_of(given):
            how = "trunc"
        else:
            how = "sext" if given[0] == "i" else "zext"
        return f"{how} {of} {x} to {kind}"
