"""A loop whose lanes take up further worlds, so that none rests while others go on.

A loop with a condition runs until no lane goes on. Where the number of iterations differs from
world to world, as under error control, a lane that is done hands its world over and takes up the
next one. What stands before the loop is run for a vector of worlds that enter, and what stands
behind it for a vector of worlds that leave, both in another scratch memory than that of the worlds
in the loop. In between a world that is on its way is a record of its numbers (`world_record`). When
no worlds are left, lanes rest as in any other loop.

Whichever lane a world is in, the same operations work on its numbers alone.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from jaxosim.fused.functions import FunctionEmitter
from jaxosim.fused.needed import Chunk, Repeat
from jaxosim.fused.schedule import Schedule
from jaxosim.fused.world_record import WorldRecord

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
        self._vector = emitter.layout.end * emitter.width * emitter.cell  # bytes
        self._taken = WorldRecord(emitter, "taken", refill.taken)
        self._left = WorldRecord(emitter, "left", refill.left)

    @property
    def scratch(self) -> int:
        """Bytes of scratch memory: of two vectors of worlds, and records of those on their way."""
        return 2 * self._vector + self._emitter.width * (self._taken.size + self._left.size)

    def block(self) -> str:
        """The IR of `@block(s, t, in, out, n, first, record)`, which returns how many it has done.

        It begins with the worlds from `first` on, and takes further blocks from the record.
        """
        emitter = self._emitter
        helpers: dict[str, str] = {}
        records = [record.functions(helpers) for record in (self._taken, self._left)]
        numbers = {
            "width": emitter.width,
            "every": (1 << emitter.width) - 1,
            "scratch": self._vector,
            "taken": self._taken.size,
            "entering": emitter.width * self._taken.size,
            "left": self._left.size,
            "w": emitter.prefix,
        }
        block = (_VECTORS + _REFILL + _BLOCK).format(**numbers)
        return "\n".join([*helpers.values(), *records, block])


# A vector of worlds that enters, and one that leaves; lanes behind the worlds that have left are
# given the first of them, and not given back.
_VECTORS = """
define internal void @enter(ptr noalias %s, ptr noalias %records, ptr noalias %t, ptr noalias %in, \
i64 %n, i64 %first) noinline #0 {{
entry:
call void @block_in(ptr %s, ptr %in, i64 %n, i64 %first)
call void @{w}begin(ptr %s, ptr %t, ptr %in)
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %k1, %head ]
%o = mul i64 %k, {taken}
%r = getelementptr i8, ptr %records, i64 %o
call void @pack_taken(ptr %r, ptr %s, i64 %k)
%k1 = add i64 %k, 1
%more = icmp slt i64 %k1, {width}
br i1 %more, label %head, label %done
done:
ret void
}}
define internal void @finish(ptr noalias %s, ptr noalias %records, ptr noalias %t, \
ptr noalias %in, ptr noalias %out, i64 %count) noinline #0 {{
entry:
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %k1, %head ]
%own = icmp slt i64 %k, %count
%which = select i1 %own, i64 %k, i64 0
%o = mul i64 %which, {left}
%r = getelementptr i8, ptr %records, i64 %o
call void @unpack_left(ptr %r, ptr %s, i64 %k)
%k1 = add i64 %k, 1
%more = icmp slt i64 %k1, {width}
br i1 %more, label %head, label %done
done:
call void @rows_in(ptr %s, ptr %in, i64 {width})
call void @{w}end(ptr %s, ptr %t, ptr %in)
call void @rows_out(ptr %s, ptr %out, i64 %count)
ret void
}}"""

# Of %q: worlds that have entered and are not taken up yet, the first of them, worlds that have
# left, and blocks that have been begun.
_REFILL = """
define internal i1 @refill(ptr noalias %s, ptr noalias %other, ptr noalias %entering, \
ptr noalias %leaving, ptr noalias %t, ptr noalias %in, ptr noalias %out, i64 %n, \
ptr noalias %record, ptr noalias %q, i64 %resting) noinline #0 {{
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
call void @enter(ptr %other, ptr %entering, ptr %t, ptr %in, i64 %n, i64 %first)
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
%co = mul i64 %c, {left}
%cr = getelementptr i8, ptr %leaving, i64 %co
call void @pack_left(ptr %cr, ptr %s, i64 %k)
%c1 = add i64 %c, 1
%full = icmp eq i64 %c1, {width}
br i1 %full, label %finish, label %take
finish:
call void @finish(ptr %other, ptr %leaving, ptr %t, ptr %in, ptr %out, i64 {width})
br label %take
take:
%c2 = phi i64 [ %c1, %leave ], [ 0, %finish ]
store i64 %c2, ptr %cp, align 8
%l = load i64, ptr %lp, align 8
%lo = mul i64 %l, {taken}
%lr = getelementptr i8, ptr %entering, i64 %lo
call void @unpack_taken(ptr %lr, ptr %s, i64 %k)
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

# A block that is not full is the last one, so its lanes take up nothing.
_BLOCK = """
define internal i64 @block(ptr noalias %s, ptr noalias %t, ptr noalias %in, ptr noalias %out, \
i64 %n, i64 %first, ptr noalias %record) noinline #0 {{
entry:
%other = getelementptr i8, ptr %s, i64 {scratch}
%entering = getelementptr i8, ptr %other, i64 {scratch}
%leaving = getelementptr i8, ptr %entering, i64 {entering}
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
%changed = call i1 @refill(ptr %s, ptr %other, ptr %entering, ptr %leaving, ptr %t, ptr %in, \
ptr %out, i64 %n, ptr %record, ptr %q, i64 %resting)
br i1 %changed, label %head, label %see
see:
%none = icmp eq i64 %active, 0
br i1 %none, label %over, label %iterate
iterate:
call void @{w}iteration(ptr %s, ptr %t, ptr %in)
br label %head
over:
%cp = getelementptr i64, ptr %q, i64 2
%c = load i64, ptr %cp, align 8
%some = icmp sgt i64 %c, 0
br i1 %some, label %finish, label %own
finish:
call void @finish(ptr %other, ptr %leaving, ptr %t, ptr %in, ptr %out, i64 %c)
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
