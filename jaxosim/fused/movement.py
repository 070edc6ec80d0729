"""LLVM IR that moves a block of worlds from arrays to the scratch memory, and results back.

In an array each world has a row, in the scratch memory each number has a vector over worlds. Rows
are turned into vectors by tiles of `width` numbers, in registers. Short rows, rows of bools, and
blocks that are not full go number by number.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from jaxosim.fused.emit import Argument, kind_of, size_of
from jaxosim.fused.functions import FunctionEmitter
from jaxosim.fused.refill import RefillEmitter


@dataclasses.dataclass(frozen=True)
class Run:
    """Numbers that lie side by side in a row, and their places in the scratch memory.

    Attributes:
      array: number of the argument or result.
      first: offset of the first number in the row.
      count: of numbers.
      place: of the first number.
    """

    array: int
    first: int
    count: int
    place: int


def argument_runs(
    arguments: Mapping[int, Argument], used: dict[int, list[int]], width: int, first_place: int
) -> tuple[list[Run], dict[tuple[int, int], int]]:
    """Runs that cover all numbers that are used.

    Args:
      arguments: by number.
      used: offsets that are used of each argument, in order.
      width: lanes.
      first_place: of the first run.

    Returns:
      The runs, and the place of each (argument, offset).
    """
    runs: list[Run] = []
    places: dict[tuple[int, int], int] = {}
    place = first_place
    for array, offsets in used.items():
        size = arguments[array].size
        for offset in offsets:
            if (array, offset) in places:
                continue
            first = max(0, min(offset, size - width))
            count = min(width, size)
            runs.append(Run(array, first, count, place))
            for k in range(count):
                places.setdefault((array, first + k), place + k)
            place += count
    return runs, places


def result_runs(results: Mapping[int, Argument], width: int, first_place: int) -> list[Run]:
    """Runs that cover all results; the last of an array may cover some numbers again."""
    runs, place = [], first_place
    for array, result in results.items():
        for first in range(0, result.size, width):
            start = max(0, min(first, result.size - width))
            runs.append(Run(array, start, min(width, result.size), place + start))
        place += result.size
    return runs


class Movement:
    """Writes the function of a block: arguments in, the world's functions, results out."""

    def __init__(
        self,
        emitter: FunctionEmitter,
        results: Mapping[int, Argument],
        refill: RefillEmitter | None = None,
    ) -> None:
        """Write with the emitter of the world's functions, and that of a loop's refilled lanes."""
        self._emitter, self._results, self._refill = emitter, results, refill
        self._width = emitter.width
        self._pitch = emitter.width * emitter.cell  # bytes of a place
        self._helpers: dict[str, str] = {}

    def functions(self, runs_in: Sequence[Run], runs_out: Sequence[Run]) -> str:
        """The IR of `@block(s, t, in, out, n, first)` and what it calls.

        A block that is not full takes the last world again in its last lanes, and gives back only
        its own.
        """
        vector = f"<{self._width} x i64>"
        parts = [self._side("in", runs_in)]
        if self._refill is None:
            parts += [self._side("out", runs_out), self._block()]
        else:
            parts += [self._of_any_rows("in", runs_in), self._of_any_rows("out", runs_out)]
            parts.append(self._refill.block())
        declared = f"""\
declare {vector} @llvm.smin.v{self._width}i64({vector}, {vector})
declare i64 @llvm.smin.i64(i64, i64)"""
        return "\n".join([*parts, declared, *self._helpers.values()])

    def _block(self) -> str:
        """The IR of `@block` itself."""
        return f"""
define internal void @block(ptr noalias %s, ptr noalias %t, ptr noalias %in, ptr noalias %out, \
i64 %n, i64 %first) noinline #0 {{
call void @block_in(ptr %s, ptr %in, i64 %n, i64 %first)
call void @{self._emitter.prefix}world(ptr %s, ptr %t, ptr %in)
call void @block_out(ptr %s, ptr %out, i64 %n, i64 %first)
ret void
}}"""

    def _of_any_rows(self, side: str, runs: Sequence[Run]) -> str:
        """The IR of `@rows_in` or `@rows_out`, where lanes need not be of rows side by side.

        Given are the scratch memory, which has the lanes' rows, the arrays, and the number of lanes
        whose results are given back.
        """
        arrays = self._emitter.arguments if side == "in" else self._results
        return "\n".join(
            [
                f"define internal void @rows_{side}(ptr noalias %s, ptr noalias %{side}, "
                "i64 %some) noinline #0 {",
                *self._runs(runs, arrays, side, whole=False, first="0"),
                "ret void\n}",
            ]
        )

    def _side(self, side: str, runs: Sequence[Run]) -> str:
        """The IR of `@block_in` or `@block_out`."""
        width = self._width
        vector = f"<{width} x i64>"
        lanes = ", ".join(f"i64 {k}" for k in range(width))
        arrays = self._emitter.arguments if side == "in" else self._results
        rows = f"""
%f0 = insertelement {vector} poison, i64 %first, i64 0
%f1 = shufflevector {vector} %f0, {vector} poison, <{width} x i32> zeroinitializer
%rows = add {vector} %f1, <{lanes}>
%last = sub i64 %n, 1
%l0 = insertelement {vector} poison, i64 %last, i64 0
%l1 = shufflevector {vector} %l0, {vector} poison, <{width} x i32> zeroinitializer
%inside = call {vector} @llvm.smin.v{width}i64({vector} %rows, {vector} %l1)
store {vector} %inside, ptr %s, align 8"""
        return "\n".join(
            [
                f"define internal void @block_{side}(ptr noalias %s, ptr noalias %{side}, i64 %n, "
                "i64 %first) noinline #0 {",
                rows if side == "in" else "",
                f"%end = add i64 %first, {width}\n%full = icmp sle i64 %end, %n",
                f"%left = sub i64 %n, %first\n%some = call i64 @llvm.smin.i64(i64 %left, "
                f"i64 {width})",
                "br i1 %full, label %whole, label %part\nwhole:",
                *self._runs(runs, arrays, side, whole=True),
                "ret void\npart:",
                *self._runs(runs, arrays, side, whole=False),
                "ret void\n}",
            ]
        )

    def _runs(
        self,
        runs: Sequence[Run],
        arrays: Mapping[int, Argument],
        side: str,
        *,
        whole: bool,
        first: str = "%first",
    ) -> list[str]:
        """Calls that move the runs of all arrays."""
        lines: list[str] = []
        for number, run in enumerate(runs):
            array = arrays[run.array]
            name = f"%{side}{number}{'w' if whole else 'p'}"
            size = size_of(array.dtype)
            lines += [
                f"{name}a = getelementptr ptr, ptr %{side}, i64 {array.position}",
                f"{name}b = load ptr, ptr {name}a, align 8",
                f"{name}p = getelementptr i8, ptr %s, i64 {run.place * self._pitch}",
            ]
            pitch = array.size * size
            if whole and run.count == self._width and array.dtype != "bool":
                helper = self._transpose(array.dtype)
                lines += [
                    f"{name}c = mul i64 %first, {pitch}",
                    f"{name}d = add i64 {name}c, {run.first * size}",
                    f"{name}e = getelementptr i8, ptr {name}b, i64 {name}d",
                ]
                rows, places = f"ptr {name}e, i64 {pitch}", f"ptr {name}p, i64 {self._pitch}"
                order = (rows, places) if side == "in" else (places, rows)
                lines.append(f"call void @{helper}({order[0]}, {order[1]})")
            else:
                helper = (self._fetch if side == "in" else self._deliver)(array.dtype)
                lines += [
                    f"{name}d = getelementptr i8, ptr {name}b, i64 {run.first * size}",
                    f"call void @{helper}(ptr %s, ptr {name}p, ptr {name}d, i64 {array.size}, "
                    f"i64 {run.count}, i64 {first}, i64 %some)",
                ]
        return lines

    # ------------------------------------------------------------------------- helpers

    def _transpose(self, dtype: str) -> str:
        """A square tile from one pitch to another, rows becoming columns."""
        kind, width = kind_of(dtype), self._width
        name = f"transpose_{kind}"
        if name in self._helpers:
            return name
        vector = f"<{width} x {kind}>"
        align = size_of(dtype)
        lines = [f"define internal void @{name}(ptr %a, i64 %ap, ptr %b, i64 %bp) noinline #0 {{"]
        rows = []
        for k in range(width):
            lines += [
                f"%o{k} = mul i64 %ap, {k}\n%p{k} = getelementptr i8, ptr %a, i64 %o{k}",
                f"%r0_{k} = load {vector}, ptr %p{k}, align {align}",
            ]
            rows.append(f"%r0_{k}")
        step, stage = 1, 0
        while step < width:
            stage += 1
            after = [""] * width
            for k in range(width):
                if k & step:
                    continue
                low, high = _exchange(width, step)
                for target, mask in ((k, low), (k | step, high)):
                    after[target] = f"%r{stage}_{target}"
                    lines.append(
                        f"{after[target]} = shufflevector {vector} {rows[k]}, {vector} "
                        f"{rows[k | step]}, <{width} x i32> <{mask}>"
                    )
            rows, step = after, step * 2
        for k in range(width):
            lines += [
                f"%q{k} = mul i64 %bp, {k}\n%s{k} = getelementptr i8, ptr %b, i64 %q{k}",
                f"store {vector} {rows[k]}, ptr %s{k}, align {align}",
            ]
        self._helpers[name] = "\n".join([*lines, "ret void\n}"])
        return name

    def _fetch(self, dtype: str) -> str:
        """Number by number from the rows of the lanes."""
        kind, width = ("i8" if dtype == "bool" else kind_of(dtype)), self._width
        name = f"fetch_{dtype}"
        emitter = self._emitter
        value = emitter.gather("%p", kind, size_of(dtype))
        wide, bits = f"<{width} x i64>", f"<{width} x i1>"
        lines = [
            f"define internal void @{name}(ptr %s, ptr %to, ptr %from, i64 %size, i64 %count, "
            "i64 %first, i64 %some) noinline #0 {\nentry:",
            f"%rows = load {wide}, ptr %s, align 8",
            f"%z0 = insertelement {wide} poison, i64 %size, i64 0",
            f"%z1 = shufflevector {wide} %z0, {wide} poison, <{width} x i32> zeroinitializer",
            f"%starts = mul {wide} %rows, %z1",
            "br label %head\nhead:\n%k = phi i64 [ 0, %entry ], [ %next, %head ]",
            f"%column = getelementptr {kind}, ptr %from, i64 %k",
            f"%p = getelementptr {kind}, ptr %column, {wide} %starts",
            f"%v = {value}",
            f"%at = mul i64 %k, {self._pitch}\n%place = getelementptr i8, ptr %to, i64 %at",
        ]
        if dtype == "bool":
            lines += [
                f"%c = icmp ne <{width} x i8> %v, zeroinitializer",
                f"%m = bitcast {bits} %c to i{width}",
                f"store i{width} %m, ptr %place, align {self._pitch}",
            ]
        else:
            lines.append(f"store <{width} x {kind}> %v, ptr %place, align {self._pitch}")
        lines += ["%next = add i64 %k, 1\n%more = icmp slt i64 %next, %count"]
        lines += ["br i1 %more, label %head, label %done\ndone:\nret void\n}"]
        self._helpers[name] = "\n".join(lines)
        return name

    def _deliver(self, dtype: str) -> str:
        """Number by number into the rows of the lanes that are worlds."""
        kind, width = ("i8" if dtype == "bool" else kind_of(dtype)), self._width
        name = f"deliver_{dtype}"
        lane = (
            f"%bits = load i{width}, ptr %place, align {self._pitch}\n"
            f"%w0 = trunc i64 %w to i{width}\n%b0 = lshr i{width} %bits, %w0\n"
            f"%b1 = trunc i{width} %b0 to i1\n%v = zext i1 %b1 to i8"
            if dtype == "bool"
            else f"%lane = getelementptr {kind}, ptr %place, i64 %w\n"
            f"%v = load {kind}, ptr %lane, align {size_of(dtype)}"
        )
        world = "%world = add i64 %first, %w"
        if self._refill is not None:
            world = "%own = getelementptr i64, ptr %s, i64 %w\n%world = load i64, ptr %own, align 8"
        self._helpers[name] = f"""
define internal void @{name}(ptr %s, ptr %from, ptr %to, i64 %size, i64 %count, i64 %first, \
i64 %some) noinline #0 {{
entry:
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %next, %tail ]
%at = mul i64 %k, {self._pitch}
%place = getelementptr i8, ptr %from, i64 %at
%column = getelementptr {kind}, ptr %to, i64 %k
br label %row
row:
%w = phi i64 [ 0, %head ], [ %w1, %row ]
{lane}
{world}
%start = mul i64 %world, %size
%p = getelementptr {kind}, ptr %column, i64 %start
store {kind} %v, ptr %p, align {size_of(dtype)}
%w1 = add i64 %w, 1
%rows = icmp slt i64 %w1, %some
br i1 %rows, label %row, label %tail
tail:
%next = add i64 %k, 1
%more = icmp slt i64 %next, %count
br i1 %more, label %head, label %done
done:
ret void
}}"""
        return name


def _exchange(width: int, step: int) -> tuple[str, str]:
    """Masks of one stage of a transposition: what two rows, `step` apart, are exchanged for.

    Of the pair (a, b) the first becomes a where a lane's bit is clear, and b's lane `step` below
    where it is set; the second likewise a's lane `step` above, and b.
    """
    low = [k if not k & step else width + k - step for k in range(width)]
    high = [k + step if not k & step else width + k for k in range(width)]
    return tuple(", ".join(f"i32 {k}" for k in mask) for mask in (low, high))  # pyright: ignore
