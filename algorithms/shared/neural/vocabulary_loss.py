"""The cross entropy of a softmax over a vocabulary, and its gradients.    n rows   k numbers of a hidden row   v words

Of a row with counts x (or one word, a count of 1): -sum over the words of x log softmax(h W + b). What torch does with
arrays of n × v numbers, five to seven of them, is done here tile by tile in the cache (`kernels.vocabulary`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.neural.kernels import vocabulary as kernels
from algoport.algorithms.shared.neural.kernels.vocabulary import SPANS, TILE
from algoport.algorithms.shared.neural.kernels.word_panels import blocks
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]


def tiles(v: int) -> int:
    """How many tiles so many words take."""
    return -(-v // TILE)


def tiled(weights: Array) -> Array:
    """Weights (k, v), or a bias (v,), tile by tile: (m, k, t) or (m, t), zero behind the last word."""
    *outer, v = weights.shape
    m = tiles(v)
    padded = np.zeros((*outer, m * TILE), np.float32)
    padded[..., :v] = weights
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*outer, m, TILE), -2, 0))


def untiled(weights: Array, v: int) -> Array:
    """What `tiled` was given."""
    return np.ascontiguousarray(np.moveaxis(weights, 0, -2).reshape(*weights.shape[1:-1], -1)[..., :v])


@dataclass(frozen=True, eq=False)
class Targets:
    """The words of each row with their counts, as SciPy's csr_array has them, ascending in a row."""

    indptr: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int32]  # (z,)
    values: Array  # (z,)
    masses: Array  # (n,) sum of a row's values

    @classmethod
    def of(cls, indptr: Any, indices: Any, values: Any) -> Targets:
        """From the arrays of a csr_array."""
        own = const(indptr, np.dtype(np.int64)), const(indices, np.dtype(np.int32)), const(values)
        sums = np.zeros(len(own[0]) - 1)
        whole = np.flatnonzero(np.diff(own[0]))
        if len(whole):
            sums[whole] = np.add.reduceat(own[2].astype(np.float64), own[0][whole])
        return cls(*own, const(sums.astype(np.float32)))


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of the sum of the losses of all rows."""

    losses: NDArray[np.float64]  # (n,)
    by_hidden: Array  # (n, k)


def losses(hidden: Array, weights: Array, bias: Array, v: int, targets: Targets) -> NDArray[np.float64]:
    """The loss of each row (n,). `hidden` (n, k); `weights` and `bias` as `tiled` gives them."""
    n = len(hidden)
    log_sums, matches = np.empty(n), np.empty(n)
    given = const(weights), const(bias)
    workers = team(n * weights.size)
    kernels.log_sums_(workers, const(blocks(hidden)[0]), *given, v, log_sums)
    kernels.matches_(workers, const(hidden), *given, targets.indptr, targets.indices, targets.values, matches)
    return np.asarray(targets.masses * log_sums - matches)


def gradients(
    hidden: Array,  # in   (n, k)
    weights: Array,  # in   (m, k, t)
    bias: Array,  # in   (m, t)
    v: int,
    targets: Targets,
    by_weights: Array,  # sets (m, k, t)
    by_bias: Array,  # sets (m, t)
) -> Gradients:
    """Losses and gradients. Scratch memory: 32 n k numbers, whatever v is."""
    n, k = hidden.shape
    log_sums, matches = np.empty(n), np.empty((min(SPANS, len(weights)), n))
    whole, turned = (const(each) for each in blocks(hidden))
    given = const(weights), const(bias)
    workers = team(n * weights.size)
    kernels.log_sums_(workers, whole, *given, v, log_sums)
    by_hidden = np.empty((len(matches), *whole.shape), np.float32)
    kernels.gradients_(
        workers,
        whole,
        turned,
        *given,
        v,
        targets.indptr,
        targets.indices,
        targets.values,
        targets.masses,
        const(log_sums, np.dtype(np.float64)),
        matches,
        by_hidden,
        by_weights,
        by_bias,
    )
    rows = by_hidden.sum(axis=0).reshape(-1, whole.shape[2])[:n, :k]
    return Gradients(targets.masses * log_sums - matches.sum(axis=0), np.ascontiguousarray(rows))
