"""Loops whose iterations numba's threads share, without `parallel=True`: it costs half a second of compilation a loop.

A kernel says `share(team, body, count, (a, b, c))`, and `body(i, a, b, c)` is called for each i below `count`. `team()`
gives what a kernel needs to reach the threads; with `ALONE` it calls one body after another, which is faster where
there is little to do: to wake threads takes some ten microseconds. Bodies return nothing.
"""

from __future__ import annotations

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.ufunc import parallel

Team = tuple[int, int]  # where the function lies that starts threads, 0: nowhere; how many threads there are

ALONE: Team = (0, 1)
_address: list[int] = []
WORTH = 1 << 16  # items of a simple loop with which threads begin to spare time

BYTE, WORD, FLAG = ir.IntType(8), ir.IntType(64), ir.IntType(32)
BYTES, WORDS = BYTE.as_pointer(), WORD.as_pointer()
# What numba's thread pools call (`numba/np/ufunc/gufunc_scheduler.h`): pointers, counts, steps, data.
WORK = ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), WORDS, WORDS, BYTES])
START = ir.FunctionType(ir.VoidType(), [BYTES, BYTES.as_pointer(), WORDS, WORDS, BYTES, WORD, WORD, WORD])


def team(items: int = WORTH) -> Team:
    """All threads that `numba.set_num_threads` allows, or `ALONE` where a loop has fewer than `WORTH` items; starts
    them where none has run yet."""
    count = int(numba.get_num_threads()) if items >= WORTH else 1
    return (_start(), count) if count > 1 else ALONE


def _start() -> int:
    """Starts the threads the first time; then it takes less than a microsecond."""
    parallel._launch_threads()
    if not _address:  # known once the threads have run; to look it up takes ten microseconds
        _address.append(int(binding.address_of_symbol("numba_parallel_for")))
    return _address[0]


@intrinsic
def share(typing, team, body, count, arguments):
    """Calls body(i, *arguments) for each i below `count`, on the threads of a team."""
    called = body.get_call_type(typing, (types.int64, *arguments.types), {})
    signature = types.void(types.UniTuple(types.int64, 2), body, types.int64, arguments)

    def generate(context, builder, signature, values):
        team, _, count, packed = values
        compiled = body.dispatcher.get_compile_result(called)
        context.add_linking_libs([compiled.library])
        given = cgutils.unpack_tuple(builder, packed)
        record = ir.LiteralStructType([FLAG, *(value.type for value in given)])
        work = _worker(context, builder.module, compiled, called, record, arguments.types)

        memory = cgutils.alloca_once(builder, record)
        failed = cgutils.gep_inbounds(builder, memory, 0, 0)
        builder.store(FLAG(0), failed)
        for i, value in enumerate(given):
            builder.store(value, cgutils.gep_inbounds(builder, memory, 0, i + 1))
        first, one = cgutils.alloca_once(builder, BYTES), cgutils.alloca_once_value(builder, WORD(1))
        builder.store(ir.Constant(BYTES, None), first)
        size = cgutils.alloca_once_value(builder, count)
        data = builder.bitcast(memory, BYTES)

        pool, threads = cgutils.unpack_tuple(builder, team)
        several = builder.and_(builder.icmp_signed("!=", pool, WORD(0)), builder.icmp_signed(">", count, WORD(1)))
        with builder.if_else(several) as (on_threads, here):
            with on_threads:
                start = builder.inttoptr(pool, START.as_pointer())
                builder.call(start, [builder.bitcast(work, BYTES), first, size, one, data, WORD(0), WORD(1), threads])
            with here:
                builder.call(work, [first, size, one, data])
        with builder.if_then(builder.icmp_signed("!=", builder.load(failed), FLAG(0)), likely=False):
            context.call_conv.return_user_exc(builder, RuntimeError, ("a kernel failed on one of its threads",))
        return context.get_dummy_value()

    return signature, generate


def _worker(context, module, compiled, called, record, kinds):
    """The function that a thread runs: some of the calls, from the number that the first pointer is."""
    work = ir.Function(module, WORK, name=module.get_unique_name(f"work.{compiled.fndesc.mangled_name}"))
    work.linkage = "internal"
    builder = ir.IRBuilder(work.append_basic_block("entry"))
    pointers, counts, _, data = work.args
    memory = builder.bitcast(data, record.as_pointer())
    given = [builder.load(cgutils.gep_inbounds(builder, memory, 0, i + 1)) for i in range(len(kinds))]
    first = builder.ptrtoint(builder.load(pointers), WORD)
    function = context.declare_function(module, compiled.fndesc)
    with cgutils.for_range(builder, builder.load(counts)) as loop:
        status, _ = context.call_conv.call_function(
            builder, function, called.return_type, called.args, [builder.add(first, loop.index), *given]
        )
        with builder.if_then(status.is_error, likely=False):
            builder.store(FLAG(1), cgutils.gep_inbounds(builder, memory, 0, 0))
    builder.ret_void()
    return work
