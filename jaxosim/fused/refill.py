"""A loop whose lanes take up further worlds, so that none rests while others go on.

A loop with a condition runs until no lane goes on. Where the number of iterations differs from
world to world, as under error control, a lane that is done hands its world over and takes up the
next one. A thread has three scratch memories of one layout for that: of the worlds in the loop; of
those that enter, a vector of which is through with what stands before the loop; and of those that
leave, on a vector of which what stands behind the loop is run. From lane to lane go only numbers
that are used later on. When no worlds are left, lanes rest as in any other loop.

Whichever lane a world is in, the same operations work on its numbers alone.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from jaxosim.fused.emit import size_of
from jaxosim.fused.functions import FunctionEmitter
from jaxosim.fused.needed import Chunk, Repeat
from jaxosim.fused.schedule import Schedule

MEMORIES = 3  # of a thread

# Nodes of an iteration for each number that a world hands over: copying a number takes a few
# cycles, a node less than one for all lanes.
_LEAST_WORK = 16


@dataclasses.dataclass(frozen=True)
class Refill:
    """A loop whose lanes take up further worlds.

    Attributes:
      index: of the loop among the schedule's items.
      taken: nodes whose values a lane is given with a world that enters.
      left: nodes whose values it gives away with a world that leaves, but for arguments, which
        are read again.
    """

    index: int
    taken: list[int]
    left: list[int]

    @classmethod
    def of(cls, schedule: Schedule) -> "Refill | None":
        """The loop with a condition that has the longest iteration, if that is long enough.

        It must be longer than all that stands outside the loop.
        """
        loops = [
            (_work(item.before) + _work(item.body), index)
            for index, item in enumerate(schedule.items)
            if isinstance(item, Repeat) and item.loop.condition is not None
        ]
        if not loops:
            return None
        work, index = max(loops)
        if 2 * work < _work(schedule.items):
            return None
        refill = cls(index, *_handed_over(schedule, index))
        return refill if work >= _LEAST_WORK * len(refill.taken + refill.left) else None


def _work(items: Sequence[Chunk | Repeat]) -> int:
    """Nodes that are worked out; a loop with a condition counts as one iteration."""
    total = 0
    for item in items:
        if isinstance(item, Chunk):
            total += len(item.nodes)
        else:
            total += (item.loop.length or 1) * (_work(item.before) + _work(item.body))
    return total


def _handed_over(schedule: Schedule, index: int) -> tuple[list[int], list[int]]:
    """What a world brings into a loop, and what it takes out of it."""
    graph, loop = schedule.graph, schedule.items[index]
    assert isinstance(loop, Repeat)
    before, after = schedule.items[:index], schedule.items[index + 1 :]
    carried = {loop.loop.carry[k] for k in loop.carry}
    made = {*schedule.arguments, *_kept(before), *carried}
    regions = {item.loop.region for item in before if isinstance(item, Repeat)}

    def there(nodes: Iterable[int]) -> set[int]:
        """Homes of those that are kept when the loop begins."""
        homes = {schedule.home(n) for n in nodes}
        stacked = {n for n in homes if graph.op[n] == "loop_stacked"}
        return homes & made | {n for n in stacked if graph.data[graph.args[n][0]] in regions}

    left = there([*_used(schedule, after), *schedule.results]) - {*schedule.arguments}
    within = there([*_used(schedule, [*loop.before, *loop.body]), *schedule.leaving(loop)])
    return sorted(carried | within | left), sorted(left)


def _kept(items: Sequence[Chunk | Repeat]) -> Iterator[int]:
    """Nodes that items keep in slots."""
    for item in items:
        if isinstance(item, Chunk):
            yield from item.stores
        else:
            yield from (item.loop.carry[k] for k in item.carry)


def _used(schedule: Schedule, items: Sequence[Chunk | Repeat]) -> Iterator[int]:
    """Nodes that items load, their own included."""
    for item in items:
        if isinstance(item, Chunk):
            yield from item.loads
        else:
            yield from (*schedule.entering(item), *schedule.leaving(item))
            yield from _used(schedule, [*item.before, *item.body])


class RefillEmitter:
    """Writes the function of a block whose lanes take up the worlds of further blocks."""

    def __init__(self, emitter: FunctionEmitter, refill: Refill) -> None:
        """Write with the emitter of the world's functions."""
        self._emitter = emitter
        self._refill = refill
        self._copies: dict[str, str] = {}

    def block(self) -> str:
        """The IR of `@block(s, t, in, out, n, first, record)`, which returns how many it has done.

        It begins with the worlds from `first` on, and takes further blocks from the record.
        """
        emitter = self._emitter
        take = self._handing("take_up", self._refill.taken)
        leave = self._handing("hand_over", self._refill.left)
        numbers = {
            "width": emitter.width,
            "every": (1 << emitter.width) - 1,
            "scratch": emitter.layout.end * emitter.width * emitter.cell,
            "w": emitter.prefix,
        }
        return "\n".join(
            [*self._copies.values(), take, leave, (_REFILL + _BLOCK).format(**numbers)]
        )

    def _handing(self, name: str, nodes: Sequence[int]) -> str:
        """The IR of `@{name}(to, lane_to, from, lane_from)`: a world's numbers to another lane."""
        emitter = self._emitter
        pitch = emitter.width * emitter.cell
        places: dict[str, list[int]] = {"int64": [0]}  # of the world's row
        for node in nodes:
            dtype = emitter.graph.dtype[node]
            kind = dtype if dtype == "bool" else f"int{8 * size_of(dtype)}"
            places.setdefault(kind, []).append(emitter.index_of(node) * pitch)
        lines = []
        for kind, offsets in places.items():
            table = f"@{name}_{kind}"
            numbers = ", ".join(f"i32 {offset}" for offset in sorted(offsets))
            lines.append(f"{table} = private constant [{len(offsets)} x i32] [{numbers}]")
            self._copies.setdefault(kind, self._copy(kind))
        lines.append(f"define internal void @{name}({_LANES}) noinline #0 {{")
        lines += [
            f"call void @copy_{kind}(ptr %to, i64 %lane_to, ptr %from, i64 %lane_from, "
            f"ptr @{name}_{kind}, i64 {len(offsets)})"
            for kind, offsets in places.items()
        ]
        return "\n".join([*lines, "ret void\n}"])

    def _copy(self, kind: str) -> str:
        """The IR of `@copy_{kind}`: numbers of one size at the offsets of a table."""
        if kind == "bool":
            move = _MOVE_BIT.format(width=self._emitter.width)
        else:
            bits = int(kind.removeprefix("int"))
            move = _MOVE.format(type=f"i{bits}", size=bits // 8)
        return _COPY.format(kind=kind, lanes=_LANES, move=move)


_LANES = "ptr noalias %to, i64 %lane_to, ptr noalias %from, i64 %lane_from"

_COPY = """
define internal void @copy_{kind}({lanes}, ptr noalias %table, i64 %count) noinline #0 {{
entry:
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %next, %head ]
%op = getelementptr i32, ptr %table, i64 %k
%o = load i32, ptr %op, align 4
%offset = zext i32 %o to i64
%source = getelementptr i8, ptr %from, i64 %offset
%target = getelementptr i8, ptr %to, i64 %offset
{move}
%next = add i64 %k, 1
%more = icmp slt i64 %next, %count
br i1 %more, label %head, label %done
done:
ret void
}}"""

_MOVE = """%sp = getelementptr {type}, ptr %source, i64 %lane_from
%tp = getelementptr {type}, ptr %target, i64 %lane_to
%v = load {type}, ptr %sp, align {size}
store {type} %v, ptr %tp, align {size}"""

_MOVE_BIT = """%s = load i{width}, ptr %source, align 1
%t = load i{width}, ptr %target, align 1
%f = trunc i64 %lane_from to i{width}
%l = trunc i64 %lane_to to i{width}
%s1 = lshr i{width} %s, %f
%s2 = and i{width} %s1, 1
%s3 = shl i{width} %s2, %l
%m0 = shl i{width} 1, %l
%m1 = xor i{width} %m0, -1
%t1 = and i{width} %t, %m1
%t2 = or i{width} %t1, %s3
store i{width} %t2, ptr %target, align 1"""

# Of %q: worlds that have entered and are not taken up yet, the lane of the first of them, worlds
# that have left, and blocks that have been begun.
_REFILL = """
define internal i1 @refill(ptr noalias %s, ptr noalias %entering, ptr noalias %leaving, \
ptr noalias %t, ptr noalias %in, ptr noalias %out, i64 %n, ptr noalias %record, ptr noalias %q, \
i64 %resting) noinline #0 {{
entry:
%lp = getelementptr i64, ptr %q, i64 1
%cp = getelementptr i64, ptr %q, i64 2
%bp = getelementptr i64, ptr %q, i64 3
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %k1, %tail ]
%any = phi i1 [ false, %entry ], [ %any1, %tail ]
%b0 = lshr i64 %resting, %k
%b1 = trunc i64 %b0 to i1
br i1 %b1, label %change, label %tail
change:
%w0 = load i64, ptr %q, align 8
%there = icmp sgt i64 %w0, 0
br i1 %there, label %leave, label %ask
ask:
%first = call i64 @next_block(ptr %record)
%none = icmp slt i64 %first, 0
br i1 %none, label %done, label %enter
enter:
call void @block_in(ptr %entering, ptr %in, i64 %n, i64 %first)
call void @{w}begin(ptr %entering, ptr %t, ptr %in)
%behind = sub i64 %n, %first
%w1 = call i64 @llvm.smin.i64(i64 %behind, i64 {width})
store i64 0, ptr %lp, align 8
%begun = load i64, ptr %bp, align 8
%begun1 = add i64 %begun, 1
store i64 %begun1, ptr %bp, align 8
br label %leave
leave:
%w = phi i64 [ %w0, %change ], [ %w1, %enter ]
%c = load i64, ptr %cp, align 8
call void @hand_over(ptr %leaving, i64 %c, ptr %s, i64 %k)
%c1 = add i64 %c, 1
%full = icmp eq i64 %c1, {width}
br i1 %full, label %finish, label %take
finish:
call void @rows_in(ptr %leaving, ptr %in, i64 {width})
call void @{w}end(ptr %leaving, ptr %t, ptr %in)
call void @rows_out(ptr %leaving, ptr %out, i64 {width})
br label %take
take:
%c2 = phi i64 [ %c1, %leave ], [ 0, %finish ]
store i64 %c2, ptr %cp, align 8
%l = load i64, ptr %lp, align 8
call void @take_up(ptr %s, i64 %k, ptr %entering, i64 %l)
%l1 = add i64 %l, 1
store i64 %l1, ptr %lp, align 8
%w2 = sub i64 %w, 1
store i64 %w2, ptr %q, align 8
br label %tail
tail:
%any1 = phi i1 [ %any, %head ], [ true, %take ]
%k1 = add i64 %k, 1
%more = icmp slt i64 %k1, {width}
br i1 %more, label %head, label %over
over:
ret i1 %any1
done:
ret i1 %any
}}"""

# A block that is not full is the last one, so its lanes take up nothing. Lanes behind the worlds
# that have left are given a world that is through with the loop, and not given back.
_BLOCK = """
define internal i64 @block(ptr noalias %s, ptr noalias %t, ptr noalias %in, ptr noalias %out, \
i64 %n, i64 %first, ptr noalias %record) noinline #0 {{
entry:
%entering = getelementptr i8, ptr %s, i64 {scratch}
%leaving = getelementptr i8, ptr %entering, i64 {scratch}
%q = alloca [4 x i64], align 8
store [4 x i64] [i64 0, i64 0, i64 0, i64 1], ptr %q, align 8
%behind = sub i64 %n, %first
%count = call i64 @llvm.smin.i64(i64 %behind, i64 {width})
call void @block_in(ptr %s, ptr %in, i64 %n, i64 %first)
call void @{w}begin(ptr %s, ptr %t, ptr %in)
br label %head
head:
%active = call i64 @{w}active(ptr %s, ptr %t, ptr %in)
%resting = xor i64 %active, {every}
%rests = icmp ne i64 %resting, 0
br i1 %rests, label %change, label %iterate
change:
%changed = call i1 @refill(ptr %s, ptr %entering, ptr %leaving, ptr %t, ptr %in, ptr %out, \
i64 %n, ptr %record, ptr %q, i64 %resting)
br i1 %changed, label %head, label %see
see:
%none = icmp eq i64 %active, 0
br i1 %none, label %finish, label %iterate
iterate:
call void @{w}iteration(ptr %s, ptr %t, ptr %in)
br label %head
finish:
%cp = getelementptr i64, ptr %q, i64 2
%c = load i64, ptr %cp, align 8
%some = icmp sgt i64 %c, 0
br i1 %some, label %fill, label %own
fill:
%k = phi i64 [ %c, %finish ], [ %k1, %fill ]
call void @hand_over(ptr %leaving, i64 %k, ptr %s, i64 0)
%k1 = add i64 %k, 1
%more = icmp slt i64 %k1, {width}
br i1 %more, label %fill, label %left
left:
call void @rows_in(ptr %leaving, ptr %in, i64 {width})
call void @{w}end(ptr %leaving, ptr %t, ptr %in)
call void @rows_out(ptr %leaving, ptr %out, i64 %c)
br label %own
own:
%bp = getelementptr i64, ptr %q, i64 3
%begun = load i64, ptr %bp, align 8
%others = icmp sgt i64 %begun, 1
br i1 %others, label %again, label %last
again:
call void @rows_in(ptr %s, ptr %in, i64 {width})
br label %last
last:
call void @{w}end(ptr %s, ptr %t, ptr %in)
call void @rows_out(ptr %s, ptr %out, i64 %count)
ret i64 %begun
}}"""
