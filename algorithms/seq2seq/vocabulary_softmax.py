"""Words told from rows, some rows at a time, so that the softmax over the vocabulary is never there as a whole.

p rows   h numbers of a row   v words
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.kernels import softmax as kernels
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
NUMBERS = 1 << 23  # of the logits that are there at a time, 32 MB: with half of it products take a quarter longer
LEAST = 32  # rows of a part, however large the vocabulary is


@dataclass(frozen=True, eq=False)
class Losses:
    """Of each row."""

    losses: NDArray[np.float64]  # (p,) cross entropy
    right: NDArray[np.bool_]  # (p,) whether no word was likelier than the label


def part_of(v: int) -> int:
    """How many rows are treated at a time."""
    return max(LEAST, NUMBERS // v)


def losses(rows: Array, output: Array, bias: Array, labels: NDArray[np.int64]) -> Losses:
    """Cross entropy of the labels (p,)."""
    own, right = np.empty(len(rows)), np.empty(len(rows), bool)
    size = part_of(len(output))
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        _softmax(rows[part] @ output.T, bias, labels[part], own[part], right[part])
    return Losses(own, right)


def gradients(
    rows: Array,  # in   (p, h)
    output: Array,  # in   (v, h)
    bias: Array,  # in   (v,)
    labels: NDArray[np.int64],  # in   (p,)
    by_output: Array,  # sets (v, h)
    by_bias: Array,  # sets (v,)
) -> tuple[Losses, Array]:
    """The same, and the gradient of their sum by the rows (p, h)."""
    from scipy.linalg.blas import sgemm

    own, right = np.empty(len(rows)), np.empty(len(rows), bool)
    by_rows = np.empty_like(rows)
    by_bias[:] = 0
    size = part_of(len(output))
    if not len(rows):
        by_output[:] = 0
    logits = np.empty((min(size, len(rows)), len(output)), np.float32)
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        slopes = np.matmul(rows[part], output.T, out=logits[: len(rows) - first])
        _softmax(slopes, bias, labels[part], own[part], right[part], by_bias)
        np.matmul(slopes, output, out=by_rows[part])
        # In BLAS's order of numbers a transposed array is itself: by_output.T += rows.T @ slopes.
        sgemm(1.0, rows[part].T, slopes.T, beta=float(first > 0), c=by_output.T, trans_b=True, overwrite_c=True)
    return Losses(own, right), by_rows


def _softmax(
    logits: Array,
    bias: Array,
    labels: NDArray[np.int64],
    own: NDArray[np.float64],
    right: NDArray[np.bool_],
    by_bias: Array | None = None,  # adds (v,)  where it is given, logits become gradients
) -> None:
    slopes, by = by_bias is not None, np.empty(0, np.float32) if by_bias is None else by_bias
    given = logits, const(bias), const(labels, np.dtype(np.int64)), own, right
    kernels.softmax_(team(logits.size), *given, slopes, by)
