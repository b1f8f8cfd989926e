"""Words told from rows by products of 8-bit codes, where the processor has instructions for them.

v words   h numbers of a row   k words that are wanted of a row
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.kernels import screening as kernels
from algoport.algorithms.seq2seq.kernels.codes import BLOCK, FULL, HALF, WIDTH
from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
MOST = 1 << 15  # numbers of a row whose sums of products an int32 surely holds
_MARGIN = np.float32(1.001)  # for rounding of lengths themselves
_FLAG = {16: "avx512_vnni", 8: "avx_vnni"}.get(LANES)


def is_available() -> bool:
    """Whether codes are faster than float32 here: on x86-64, by instructions for vectors of at least eight lanes."""
    return _FLAG is not None


def most_code() -> int:
    """The largest code of a row: less where the processor has no instruction for four products at once."""
    return FULL if _FLAG in compiled.flags() else HALF


@dataclass(frozen=True, eq=False)
class Screen:
    """An output layer in codes, a byte a number, beside its weights in float32."""

    output: Array  # (v, h)
    bias: Array  # (v,)
    panels: NDArray[np.int32]  # (p, q, WIDTH) four codes each
    scales: Array  # (p * WIDTH,)
    shifts: Array  # (p * WIDTH,)
    lengths: Array  # (p * WIDTH / BLOCK,) the largest length of the weights of a block's words
    rests: Array  # (p * WIDTH / BLOCK,) of what codes leave out of them, and rounding of the rest
    base: np.float32
    most_code: int  # of a row

    @classmethod
    def of(cls, output: Array, bias: Array) -> Self | None:
        """For an output layer; None where it is not one that codes can stand for."""
        v, h = output.shape
        padded = -(-v // BLOCK) * BLOCK
        if h > MOST:
            return None
        panels = np.empty((padded // WIDTH, -(-h // 4), WIDTH), np.int32)
        scales, shifts, lengths, rests = (np.empty(padded, np.float32) for _ in range(4))
        given = const(output), const(bias)
        kernels.pack_words_(team(output.size), *given, panels, scales, shifts, lengths, rests)
        if not np.isfinite(lengths).all() or not np.isfinite(bias).all():
            return None
        # Sums of h + 16 roundings (Higham, Accuracy and Stability, section 3.1) of either logit, and as much again.
        rounding = np.float32((h + 16) * 2.0**-22)
        longest, missed = (each.reshape(-1, BLOCK).max(axis=1) for each in (lengths, rests))
        return cls(
            *given,
            panels=const(panels, np.dtype(np.int32)),
            scales=const(scales),
            shifts=const(shifts),
            lengths=const(longest * _MARGIN),
            rests=const(missed * _MARGIN + rounding * longest),
            base=np.float32(np.abs(bias).max(initial=0) * 2.0**-21),
            most_code=most_code(),
        )

    def best_(self, rows: Array, picks: Ints, values: Array, words: Ints, log_sums: NDArray[np.float64]) -> Ints:
        """Set the k likeliest words of some rows (m,) of all (n, h), their logits and the logarithm of the sum of all
        exponentials; those rows for which that is left to others, as too many words may be among their best."""
        is_open = np.zeros(len(picks), np.bool_)
        kernels.best_(
            team(len(picks) * self.output.size),
            const(rows),
            const(picks, np.dtype(np.int64)),
            self.output,
            self.bias,
            self.panels,
            self.scales,
            self.shifts,
            self.lengths,
            self.rests,
            self.base,
            self.most_code,
            values,
            words,
            log_sums,
            is_open,
        )
        return np.asarray(picks[is_open])
