"""What the processor could do at most: fused multiply-adds in registers, and nothing else."""

from __future__ import annotations

import time

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.distances import LANES

CHAINS = 14  # independent sums: more than latency times units, and they leave registers for the factors
TURNS = 2_000_000


@intrinsic
def _multiply_add(typing, turns):
    """The sum of `CHAINS` vectors after so many multiply-adds each."""

    def generate(context, builder, signature, arguments):
        word, real = ir.IntType(64), ir.FloatType()
        vector = ir.VectorType(real, LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{LANES}f32"
        )
        before, loop = builder.block, builder.append_basic_block("turn")
        after = builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        turn = builder.phi(word)
        turn.add_incoming(word(0), before)
        sums = [builder.phi(vector) for _ in range(CHAINS)]
        factor = ir.Constant(vector, [0.999] * LANES)
        for number, chain in enumerate(sums):
            chain.add_incoming(ir.Constant(vector, [1.0 + number] * LANES), before)
            chain.add_incoming(builder.call(fma, [chain, factor, factor]), loop)
        following = builder.add(turn, word(1))
        turn.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, arguments[0]), loop, after)
        builder.position_at_end(after)
        total = sums[0].incomings[1][0]
        for chain in sums[1:]:
            total = builder.fadd(total, chain.incomings[1][0])
        return builder.extract_element(total, ir.IntType(32)(0))

    return types.float32(types.int64), generate


@numba.njit(parallel=True, nogil=True)
def _burn(threads, turns):
    results = np.zeros(threads, np.float32)
    for thread in numba.prange(threads):
        results[thread] = _multiply_add(turns)
    return results


def peak() -> float:
    """Float32 operations a second of all threads together, a multiply-add being two; the best of five tries."""
    threads = numba.config.NUMBA_NUM_THREADS
    _burn(threads, 1)
    least = np.inf
    for _ in range(5):
        start = time.perf_counter()
        _burn(threads, TURNS)
        least = min(least, time.perf_counter() - start)
    return 2.0 * threads * TURNS * CHAINS * LANES / least
