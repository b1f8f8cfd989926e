"""Lloyd's method, exact: the shortest road from given centers to a local optimum.

n rows   d features   k centers
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.kmeans import kernels


@dataclass(frozen=True)
class Clustering:
    """What Lloyd's method ends with."""

    centers: NDArray[np.float32]  # (k, d)
    msd: float  # weighted mean of the squared distances of the rows to the nearest of `centers`
    passes: int  # assignment passes that moved the centers


def lloyd(
    rows: NDArray[np.float32],
    start: NDArray[np.float32],
    *,
    weights: NDArray[np.float64] | None = None,
    passes: int = 300,
    tol: float = 1e-4,
) -> Clustering:
    """Lloyd's method from `start`: at most `passes` times, every row to its nearest center, every center to their mean.

    Ends early when a pass lowers the loss by less than `tol` of it, or when no center moves. A center with no
    rows stays where it is.
    """
    centers = np.array(start, np.float32, order="C")
    mass = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
    before = np.inf
    done = 0
    while done < passes:
        index, distance = kernels.nearest(rows, centers)
        loss = float(mass @ (distance.astype(np.float64) ** 2))
        sums, counts = np.zeros(centers.shape), np.zeros(len(centers))
        np.add.at(sums, index, rows * mass[:, None])
        np.add.at(counts, index, mass)
        old = centers.copy()
        kernels.move(centers, sums, counts)
        done += 1
        if np.array_equal(old, centers) or before - loss < tol * loss:
            break
        before = loss
    distance = kernels.nearest(rows, centers)[1]
    total = float(mass.sum())
    msd = float(mass @ (distance.astype(np.float64) ** 2)) / total if total else 0.0
    return Clustering(centers=centers, msd=msd, passes=done)
