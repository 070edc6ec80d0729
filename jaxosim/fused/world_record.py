"""A world between lanes: the numbers of one that are used later on, side by side in memory.

In the scratch memory a world's numbers lie a vector apart, each in a cache line of its own that
holds other worlds' too. Side by side they take an eighth of the lines or less.
"""

from collections.abc import Sequence

from jaxosim.fused.emit import Emitter, kind_of


class WorldRecord:
    """Writes the functions that take a world's numbers out of a lane, and put them into one.

    Attributes:
      size: bytes of a record, such that another one may follow it.
    """

    def __init__(self, emitter: Emitter, name: str, nodes: Sequence[int]) -> None:
        """Plan a record.

        Args:
          emitter: of the world's functions.
          name: of the functions, `@pack_{name}` and `@unpack_{name}`.
          nodes: whose values a record has, beside the world's row.
        """
        self._width, self._name = emitter.width, name
        pitch = emitter.width * emitter.cell
        places: dict[str, list[int]] = {"i64": [0]}  # offsets by kind; first the row's
        for node in nodes:
            kind = kind_of(emitter.graph.dtype[node])
            offset = emitter.index_of(node) * pitch
            places.setdefault(_BITS.get(kind, kind), []).append(offset)
        wide_first = sorted(places, key=_bytes, reverse=True)  # so that all are aligned
        self._places = {kind: sorted(places[kind]) for kind in wide_first}
        size = sum(len(offsets) * _bytes(kind) for kind, offsets in places.items())
        self.size = -(-size // 8) * 8

    def functions(self, helpers: dict[str, str]) -> str:
        """The IR of `@pack_{name}(record, s, lane)` and of `@unpack_{name}`, the way back.

        Args:
          helpers: functions by name that several records share; what is missing is added.
        """
        lines, calls, first = [], [], 0
        for kind, offsets in self._places.items():
            table = f"@{self._name}_{kind}"
            numbers = ", ".join(f"i32 {offset}" for offset in offsets)
            lines.append(f"{table} = private constant [{len(offsets)} x i32] [{numbers}]")
            calls.append((kind, first, f"ptr {table}, i64 {len(offsets)}"))
            first += len(offsets) * _bytes(kind)
        for way in ("pack", "unpack"):
            lines.append(f"define internal void @{way}_{self._name}({_GIVEN}) noinline #0 {{")
            for kind, start, given in calls:
                helpers.setdefault(f"{way}_{kind}", self._helper(way, kind))
                lines.append(f"%{kind} = getelementptr i8, ptr %record, i64 {start}")
                lines.append(f"call void @{way}_{kind}(ptr %{kind}, ptr %s, i64 %lane, {given})")
            lines.append("ret void\n}")
        return "\n".join(lines)

    def _helper(self, way: str, kind: str) -> str:
        """The IR that moves the numbers of one kind, at the offsets of a table."""
        pack, unpack = (_PACK_BIT, _UNPACK_BIT) if kind == "i1" else (_PACK, _UNPACK)
        numbers = {"kind": kind, "size": _bytes(kind), "width": self._width}
        move = (pack if way == "pack" else unpack).format(**numbers)
        return _HELPER.format(way=way, given=_GIVEN, move=move, **numbers)


_BITS = {"double": "i64", "float": "i32"}  # numbers are moved as they are


def _bytes(kind: str) -> int:
    """Of a number in a record."""
    return 1 if kind == "i1" else int(kind[1:]) // 8


_GIVEN = "ptr noalias %record, ptr noalias %s, i64 %lane"

_HELPER = """
define internal void @{way}_{kind}({given}, ptr noalias %table, i64 %count) noinline #0 {{
entry:
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %next, %head ]
%op = getelementptr i32, ptr %table, i64 %k
%o = load i32, ptr %op, align 4
%offset = zext i32 %o to i64
%place = getelementptr i8, ptr %s, i64 %offset
%at = mul i64 %k, {size}
%r = getelementptr i8, ptr %record, i64 %at
{move}
%next = add i64 %k, 1
%more = icmp slt i64 %next, %count
br i1 %more, label %head, label %done
done:
ret void
}}"""

_PACK = """%p = getelementptr {kind}, ptr %place, i64 %lane
%v = load {kind}, ptr %p, align {size}
store {kind} %v, ptr %r, align {size}"""

_UNPACK = """%p = getelementptr {kind}, ptr %place, i64 %lane
%v = load {kind}, ptr %r, align {size}
store {kind} %v, ptr %p, align {size}"""

_PACK_BIT = """%bits = load i{width}, ptr %place, align 1
%l = trunc i64 %lane to i{width}
%b0 = lshr i{width} %bits, %l
%b1 = trunc i{width} %b0 to i1
%v = zext i1 %b1 to i8
store i8 %v, ptr %r, align 1"""

_UNPACK_BIT = """%bits = load i{width}, ptr %place, align 1
%l = trunc i64 %lane to i{width}
%v = load i8, ptr %r, align 1
%b0 = trunc i8 %v to i1
%b1 = zext i1 %b0 to i{width}
%b2 = shl i{width} %b1, %l
%m0 = shl i{width} 1, %l
%m1 = xor i{width} %m0, -1
%others = and i{width} %bits, %m1
%new = or i{width} %others, %b2
store i{width} %new, ptr %place, align 1"""
