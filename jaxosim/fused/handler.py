"""LLVM IR of the function that XLA calls: it deals blocks of worlds out to XLA's threads.

The handler reads XLA's call frame itself, so that nothing has to be compiled but IR. Offsets are
those of the structures in `xla/ffi/api/c_api.h`, whose layout XLA keeps (jaxlib ships the file).

A call makes a record on the heap and schedules a task for each further thread. Caller and tasks
take block after block until none is left; a task that begins late finds none, and the last one to
leave frees the record. A world's result depends on nothing but its own numbers.
"""

# Of XLA_FFI_CallFrame: the API, the context, and the arrays of arguments and results.
_API, _CONTEXT, _ARGUMENTS, _RESULTS = 16, 24, 72, 112
_BUFFER_DATA, _BUFFER_DIMS = 24, 40  # of XLA_FFI_Buffer
_SCHEDULE, _NUM_THREADS = 136, 144  # functions of XLA_FFI_Api

# Of our record: next block, blocks, blocks done, owners, arguments, results, table, worlds.
_RECORD = 64


_METADATA = """%ep = getelementptr i8, ptr %frame, i64 8
%extension = load ptr, ptr %ep, align 8
%plain = icmp eq ptr %extension, null
br i1 %plain, label %execute, label %metadata
metadata:
%mp = getelementptr i8, ptr %extension, i64 24
%m = load ptr, ptr %mp, align 8
%major = getelementptr i8, ptr %m, i64 24
store i32 0, ptr %major, align 4
%minor = getelementptr i8, ptr %m, i64 28
store i32 {api_minor}, ptr %minor, align 4
ret ptr null"""

_BUFFERS = f"""execute:
%ap = getelementptr i8, ptr %frame, i64 {_ARGUMENTS}
%args = load ptr, ptr %ap, align 8
%rp = getelementptr i8, ptr %frame, i64 {_RESULTS}
%rets = load ptr, ptr %rp, align 8
%wb = load ptr, ptr %rets, align 8
%wd = getelementptr i8, ptr %wb, i64 {_BUFFER_DIMS}
%dims = load ptr, ptr %wd, align 8
%worlds = load i64, ptr %dims, align 8
%none = icmp sle i64 %worlds, 0
br i1 %none, label %leave, label %prepare
leave:
ret ptr null"""

_DEALING = f"""%apip = getelementptr i8, ptr %frame, i64 {_API}
%api = load ptr, ptr %apip, align 8
%ctxp = getelementptr i8, ptr %frame, i64 {_CONTEXT}
%ctx = load ptr, ptr %ctxp, align 8
%alone = icmp slt i64 %blocks, {{fewest_blocks}}
br i1 %alone, label %take, label %ask
ask:
%threads = call i64 @threads(ptr %api, ptr %ctx)
%most = call i64 @llvm.smin.i64(i64 %threads, i64 %blocks)
br label %take
take:
%asked = phi i64 [ 1, %prepare ], [ %most, %ask ]
%owners = call i64 @llvm.smax.i64(i64 %asked, i64 1)
{{owners}}
%helped = icmp sgt i64 %owners, 1
br i1 %helped, label %hand, label %own
hand:
%others = sub i64 %owners, 1
call void @schedule(ptr %api, ptr %ctx, ptr %record, i64 %others)
br label %own
own:
call void @take_blocks(ptr %record)
br label %wait
wait:
%donep = getelementptr i8, ptr %record, i64 16
%done = load atomic i64, ptr %donep acquire, align 8
%finished = icmp uge i64 %done, %blocks
br i1 %finished, label %over, label %pause
pause:
call void @sched_yield()
br label %wait
over:
call void @leave(ptr %record)
ret ptr null
}}}}"""

# Offset, type and value of each field but the first; the owners come last.
_FIELDS = (
    (8, "i64", "%blocks"),
    (16, "i64", "0"),
    (32, "ptr", "%in"),
    (40, "ptr", "%out"),
    (48, "ptr", "%table"),
    (56, "i64", "%worlds"),
)
_OWNERS = (24, "i64", "%owners")


def handler(
    *,
    arguments: int,
    results: int,
    scratch: int,
    table: int,
    shared_scratch: int,
    width: int,
    refills: bool,
    api_minor: int,
    fewest_blocks: int,
) -> str:
    """IR of `@handler` and what it calls, for `@block` and, if there is a table, `@shared`.

    Args:
      arguments: number of arrays that are given.
      results: number of arrays that are returned, one at least; all lead with the world.
      scratch: bytes of scratch memory of a block.
      table: bytes of the table of what worlds share.
      shared_scratch: bytes of scratch memory of `@shared`.
      width: worlds of a block.
      refills: whether `@block` takes up further blocks itself, by `@next_block`, and returns how
        many it has done.
      api_minor: minor version of XLA's interface.
      fewest_blocks: with fewer, no other thread is asked.
    """
    addresses = _RECORD + 8 * (arguments + results)
    shared = ""
    if table:
        shared = f"""%ss0 = alloca i8, i64 {shared_scratch + 64}, align 64
call void @shared(ptr %ss0, ptr %table, ptr %in)"""
    return "\n".join(
        [
            _work(scratch, width, refills),
            "define ptr @handler(ptr %frame) #0 {",
            read_frame(api_minor),
            f"""prepare:
%record = call ptr @malloc(i64 {addresses + table + 64})
%in = getelementptr i8, ptr %record, i64 {_RECORD}
%out = getelementptr i8, ptr %in, i64 {8 * arguments}
%table = getelementptr i8, ptr %record, i64 {addresses}""",
            _copy_addresses("args", "in", arguments),
            _copy_addresses("rets", "out", results),
            shared,
            f"%w0 = add i64 %worlds, {width - 1}\n%blocks = udiv i64 %w0, {width}",
            "store i64 0, ptr %record, align 8",
            *(_store_field(*field) for field in _FIELDS),
            _DEALING.format(fewest_blocks=fewest_blocks, owners=_store_field(*_OWNERS)),
            _THREADS,
        ]
    )


def read_frame(api_minor: int) -> str:
    """IR that answers a question for the version, else reads `%args`, `%rets` and `%worlds`.

    It leaves where there are no worlds, and goes on at the label `prepare`.
    """
    return f"{_METADATA.format(api_minor=api_minor)}\n{_BUFFERS}"


def _store_field(offset: int, kind: str, value: str) -> str:
    """A field of the record."""
    name = f"%field{offset}"
    return (
        f"{name} = getelementptr i8, ptr %record, i64 {offset}\n"
        f"store {kind} {value}, ptr {name}, align 8"
    )


def _copy_addresses(source: str, target: str, count: int) -> str:
    """Addresses of the data of XLA's buffers."""
    lines = []
    for k in range(count):
        n = f"%{target}{k}"
        lines.append(
            f"{n}a = getelementptr ptr, ptr %{source}, i64 {k}\n"
            f"{n}b = load ptr, ptr {n}a, align 8\n"
            f"{n}c = getelementptr i8, ptr {n}b, i64 {_BUFFER_DATA}\n"
            f"{n}d = load ptr, ptr {n}c, align 8\n"
            f"{n}e = getelementptr ptr, ptr %{target}, i64 {k}\n"
            f"store ptr {n}d, ptr {n}e, align 8"
        )
    return "\n".join(lines)


_NEXT_BLOCK = """
define internal i64 @next_block(ptr %record) noinline #0 {{
%bp = getelementptr i8, ptr %record, i64 8
%blocks = load i64, ptr %bp, align 8
%b = atomicrmw add ptr %record, i64 1 monotonic
%any = icmp ult i64 %b, %blocks
%first = mul i64 %b, {width}
%found = select i1 %any, i64 %first, i64 -1
ret i64 %found
}}"""


def _work(scratch: int, width: int, refills: bool) -> str:
    """Taking block after block of a record, each thread with scratch memory of its own."""
    given = "ptr %s, ptr %t, ptr %in, ptr %out, i64 %n, i64 %first"
    block, done = f"call void @block({given})", "1"
    if refills:
        block, done = f"%count = call i64 @block({given}, ptr %record)", "%count"
    return f"""{_NEXT_BLOCK.format(width=width) if refills else ""}
define internal void @take_blocks(ptr %record) #0 {{
entry:
%bp = getelementptr i8, ptr %record, i64 8
%blocks = load i64, ptr %bp, align 8
%f0 = atomicrmw add ptr %record, i64 1 monotonic
%any = icmp ult i64 %f0, %blocks
br i1 %any, label %begin, label %done
begin:
%raw = call ptr @malloc(i64 {scratch + 128})
%r0 = ptrtoint ptr %raw to i64
%r1 = add i64 %r0, 127
%r2 = and i64 %r1, -128
%s = inttoptr i64 %r2 to ptr
%ip = getelementptr i8, ptr %record, i64 32
%in = load ptr, ptr %ip, align 8
%op = getelementptr i8, ptr %record, i64 40
%out = load ptr, ptr %op, align 8
%tp = getelementptr i8, ptr %record, i64 48
%t = load ptr, ptr %tp, align 8
%np = getelementptr i8, ptr %record, i64 56
%n = load i64, ptr %np, align 8
%dp = getelementptr i8, ptr %record, i64 16
br label %head
head:
%b = phi i64 [ %f0, %begin ], [ %f, %head ]
%first = mul i64 %b, {width}
{block}
%d = atomicrmw add ptr %dp, i64 {done} release
%f = atomicrmw add ptr %record, i64 1 monotonic
%more = icmp ult i64 %f, %blocks
br i1 %more, label %head, label %end
end:
call void @free(ptr %raw)
br label %done
done:
ret void
}}
"""


_THREADS = f"""
define internal void @leave(ptr %record) #0 {{
%p = getelementptr i8, ptr %record, i64 24
%before = atomicrmw sub ptr %p, i64 1 acq_rel
%last = icmp eq i64 %before, 1
br i1 %last, label %release, label %end
release:
call void @free(ptr %record)
br label %end
end:
ret void
}}
define internal void @task(ptr %record) #0 {{
call void @take_blocks(ptr %record)
call void @leave(ptr %record)
ret void
}}
define internal i64 @threads(ptr %api, ptr %ctx) #0 {{
%size = load i64, ptr %api, align 8
%known = icmp ugt i64 %size, {_NUM_THREADS}
br i1 %known, label %ask, label %one
ask:
%count = alloca i64, align 8
store i64 1, ptr %count, align 8
%a = alloca [4 x i64], align 8
store i64 32, ptr %a, align 8
%a1 = getelementptr i64, ptr %a, i64 1
store i64 0, ptr %a1, align 8
%a2 = getelementptr i64, ptr %a, i64 2
store ptr %ctx, ptr %a2, align 8
%a3 = getelementptr i64, ptr %a, i64 3
store ptr %count, ptr %a3, align 8
%fp = getelementptr i8, ptr %api, i64 {_NUM_THREADS}
%f = load ptr, ptr %fp, align 8
%error = call ptr %f(ptr %a)
%fine = icmp eq ptr %error, null
br i1 %fine, label %good, label %one
good:
%n = load i64, ptr %count, align 8
ret i64 %n
one:
ret i64 1
}}
define internal void @schedule(ptr %api, ptr %ctx, ptr %record, i64 %count) #0 {{
entry:
%a = alloca [5 x i64], align 8
%fp = getelementptr i8, ptr %api, i64 {_SCHEDULE}
%f = load ptr, ptr %fp, align 8
br label %head
head:
%k = phi i64 [ 0, %entry ], [ %next, %tail ]
store i64 40, ptr %a, align 8
%a1 = getelementptr i64, ptr %a, i64 1
store i64 0, ptr %a1, align 8
%a2 = getelementptr i64, ptr %a, i64 2
store ptr %ctx, ptr %a2, align 8
%a3 = getelementptr i64, ptr %a, i64 3
store ptr @task, ptr %a3, align 8
%a4 = getelementptr i64, ptr %a, i64 4
store ptr %record, ptr %a4, align 8
%error = call ptr %f(ptr %a)
%fine = icmp eq ptr %error, null
br i1 %fine, label %tail, label %refused
refused:
call void @leave(ptr %record)
br label %tail
tail:
%next = add i64 %k, 1
%more = icmp slt i64 %next, %count
br i1 %more, label %head, label %end
end:
ret void
}}
declare ptr @malloc(i64)
declare void @free(ptr)
declare void @sched_yield()
declare i64 @llvm.smax.i64(i64, i64)
"""
