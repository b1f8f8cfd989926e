"""Confusion matrices of classes of pixels, and what follows from them.    k classes"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]  # (k, k): true class by predicted class


def confusion(true: NDArray[np.uint8], predicted: NDArray[np.uint8], k: int) -> Table:
    """How many pixels of each true class were taken for each class; pixels whose true class is not below k count for
    nothing. Predictions are below k."""
    pairs = np.bincount((true.ravel().astype(np.int32) << 8) + predicted.ravel(), minlength=1 << 16)
    table: Table = pairs.reshape(256, 256)[:k, :k].astype(np.float64)
    return table


def pixel_accuracy(table: Table) -> float:
    """The share of pixels that are classified rightly; 0 of none."""
    return float(np.diag(table).sum() / max(table.sum(), 1.0))


def intersection_over_union(table: Table) -> NDArray[np.float64]:
    """Of each class (k,), the Jaccard index of its true and its predicted pixels; 0 where there are neither."""
    right = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - right
    shares: NDArray[np.float64] = np.divide(right, union, out=np.zeros(len(table)), where=union > 0)
    return shares


def mean_iou(table: Table) -> float:
    """The mean over all classes, those that never occur with 0."""
    return float(intersection_over_union(table).mean())
