"""LLVM IR of the operations on values."""

import numpy as np

from jaxosim.fused.emit import Emitter, kind_of, literal, size_of

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
        if op == "table":
            self._table(node)
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

    def _table(self, node: int) -> None:
        """Entries of a table of constants, one for each lane."""
        graph = self.graph
        dtype, (data, count) = graph.dtype[node], graph.data[node]
        values, kind = np.frombuffer(data, dtype), kind_of(dtype)
        (at,) = graph.args[node]
        index, given = self.name(at), self.type_of(graph.dtype[at])
        if self.permutes and dtype == "float32" and count <= 2 * self.width:
            index = self._as_int32(index, graph.dtype[at])
            self.add(f"%t{node} = {self._permuted(values, index)}")
            return
        name = f"@{self.prefix}table{node}"
        entries = ", ".join(f"{kind} {literal(v, dtype)}" for v in values)
        self.globals.append(f"{name} = private constant [{count} x {kind}] [{entries}]")
        wide = self.vector("i64")
        if not graph.dtype[at].endswith("64"):
            index = self.new(f"sext {given} {index} to {wide}")
        pointers = self.new(f"getelementptr {kind}, ptr {name}, {wide} {index}")
        if self.width == 1:
            self.add(f"%t{node} = load {kind}, ptr {pointers}, align {size_of(dtype)}")
        else:
            self.add(f"%t{node} = {self.gather(pointers, kind, size_of(dtype))}")

    def _as_int32(self, index: str, dtype: str) -> str:
        if dtype.endswith("32"):
            return index
        how = "trunc" if dtype.endswith("64") else "sext"
        return self.new(f"{how} {self.type_of(dtype)} {index} to {self.vector('i32')}")

    def _permuted(self, values: np.ndarray, index: str) -> str:
        """Of one or two registers full of entries, by AVX-512's permutations."""
        vector, places = self.vector("float"), self.vector("i32")
        padded = np.resize(values, self.width * (1 if len(values) <= self.width else 2))
        entries = [f"float {literal(v, 'float32')}" for v in padded]
        halves = [
            f"<{', '.join(entries[k : k + self.width])}>"
            for k in range(0, len(entries), self.width)
        ]
        if len(halves) == 1:
            return self.call(
                "llvm.x86.avx512.permvar.sf.512", vector, (vector, halves[0]), (places, index)
            )
        return self.call(
            "llvm.x86.avx512.vpermi2var.ps.512",
            vector,
            (vector, halves[0]),
            (places, index),
            (vector, halves[1]),
        )

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
