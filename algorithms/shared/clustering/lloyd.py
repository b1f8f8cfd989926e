"""Lloyd's method, exact: from given centers to a local optimum.

n rows   d features   k centers   p parts that rows are summed in
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.clustering import kernels
from algoport.algorithms.shared.clustering.kernels import lloyd as inner

Rows = NDArray[np.float32]
Numbers = NDArray[np.float64]

# Parts that rows are summed in, one for so many numbers: enough for many threads, few enough for their sums to stay in
# the cache. With 64 parts 10 passes over Fashion-MNIST took 117 ms, with 16 they take 90.
LEAST_PARTS, MOST_PARTS, PART_NUMBERS, PART_BYTES = 16, 64, 1 << 22, 1 << 28
# Bounds pay where they leave less than this share of the rows to be searched, less six k-ths: to measure the distance
# to one center costs about as much as to search six. With k = 10 they have to spare nearly all.
WORTH = 0.8


@dataclass(frozen=True)
class Clustering:
    """What Lloyd's method ends with."""

    centers: Rows  # (k, d)
    # Weighted mean of the squared distances of the rows to the centers of the clusters that the last pass put them
    # in, at the place where that pass left these centers. It is the mean over the nearest centers once no row
    # changes its cluster, and a trifle above it before.
    msd: float
    passes: int  # assignments of all rows, each followed by a move of the centers


class State(NamedTuple):
    """What a pass leaves to the next one."""

    labels: NDArray[np.int32]  # (n,) -1 before the first pass
    upper: NDArray[np.float32]  # (n,) at least the distance to the own center
    lower: NDArray[np.float32]  # (n,) at most that to any other
    moved: NDArray[np.float32]  # (k,) at least how far each center has gone since

    def part(self, rows: slice) -> State:
        """The same, of some rows."""
        return State(self.labels[rows], self.upper[rows], self.lower[rows], self.moved)


def lloyd(
    rows: Rows,
    start: Rows,
    *,
    weights: Numbers | None = None,
    passes: int = 300,
    tol: float = 1e-4,
    over: Callable[[], bool] = lambda: False,
) -> Clustering:
    """At most `passes` times, every row goes to its nearest center (ties to the lower index) and every center to the
    mean of its rows, weighted if `weights` are given; a center without rows stays where it is.

    Ends early when a pass finds the loss lower than the one before did by less than `tol` of it, when no row changes
    its cluster, or after a pass when `over` says so. With `tol` 0 the loss is not looked at. The result does not
    depend on the number of threads.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    centers = np.array(start, np.float32, order="C")
    mass = np.empty(0) if weights is None else np.asarray(weights, np.float64)
    n, k = len(rows), len(centers)
    state = State(np.full(n, -1, np.int32), np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(k, np.float32))
    sums, counts = np.zeros(centers.shape), np.zeros(k)
    bounds = _Bounds(k)
    loss = _Loss(rows, mass, centers) if tol > 0 else None
    done = 0
    while done < passes:
        searched, changed = _assign(rows, mass, centers, bounds.mode, state, sums, counts)
        bounds.learn(searched / max(n, 1))
        done += 1
        enough = loss is not None and loss.settled(centers, sums, counts, tol)
        inner.step(centers, sums, counts, state.moved)
        if changed == 0 or enough or over():
            break
    total = float(mass.sum()) if weights is not None else float(n)
    msd = inner.spread(rows, mass, state.labels, centers) / total if done and total > 0 else 0.0
    return Clustering(centers=centers, msd=msd, passes=done)


def _assign(
    rows: Rows, mass: Numbers, centers: Rows, mode: int, state: State, sums: Numbers, counts: Numbers
) -> tuple[int, int]:
    """A pass over all rows. Adds to `sums` and `counts` what came, less what went; how many were searched, changed."""
    parts = max(LEAST_PARTS, min(MOST_PARTS, rows.size // PART_NUMBERS))
    parts = max(1, min(parts, PART_BYTES // sums.nbytes, len(rows) // kernels.BLOCK + 1))
    part_sums, part_counts = np.empty((parts, *sums.shape)), np.empty((parts, len(counts)))
    searched = changed = 0
    for span in kernels.spans(len(rows), centers.size):
        some = inner.revise(rows[span], mass[span], centers, mode, state.part(span), part_sums, part_counts)
        inner.gather(sums, counts, part_sums, part_counts)
        searched, changed = searched + some[0], changed + some[1]
    return searched, changed


class _Bounds:
    """When to keep bounds of the distances: not in the first pass, after which centers leap, and not for a while
    where they spare little; each time that they do, twice as long. With few centers the first wait is longer."""

    def __init__(self, k: int) -> None:
        self.mode = inner.PLAIN
        self._worth = WORTH - 6 / k
        self._without = self._wait = max(1, 100 // k)

    def learn(self, searched: float) -> None:
        """Choose the mode of the next pass, `searched` being the share of the rows that this one searched."""
        if self.mode == inner.PLAIN:
            self._without -= 1
            self.mode = inner.PLAIN if self._without > 0 else inner.FIND
        elif self.mode == inner.FIND or searched <= self._worth:
            self.mode = inner.USE
        else:
            self.mode, self._without, self._wait = inner.PLAIN, self._wait, self._wait * 2


class _Loss:
    """The loss of each pass, from what is summed anyhow: sum w|x|^2 - sum_j (2 c_j.S_j - n_j |c_j|^2).

    Everything is measured from a point amid the centers, so that data far from the origin lose no digits.
    """

    def __init__(self, rows: Rows, mass: Numbers, centers: Rows) -> None:
        self._origin = centers.mean(axis=0, dtype=np.float64).astype(np.float32)
        zeros = np.zeros(len(rows), np.int32)
        self._square = inner.spread(rows, mass, zeros, self._origin[None])
        self._before = np.inf

    def settled(self, centers: Rows, sums: Numbers, counts: Numbers, tol: float) -> bool:
        """True where the loss of this assignment is lower than the last one's by less than `tol` of it."""
        near = centers.astype(np.float64) - self._origin
        inner = 2 * (near * (sums - counts[:, None] * self._origin)).sum()
        loss = max(0.0, self._square - inner + float(counts @ (near**2).sum(axis=1)))
        settled = self._before - loss < tol * self._before if np.isfinite(self._before) else False
        self._before = loss
        return bool(settled)
