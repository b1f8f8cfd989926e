"""A sketch of many features: a few numbers a row that rule most rows out.    n rows   d features   m directions

The directions are the leading principal components of a sample (Halko, Martinsson and Tropp, Finding Structure with
Randomness, SIAM Review 2011, algorithm 4.4). Whatever they are, answers stay exact; good ones rule out more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.knn import kernels

# Fewer features than this are compared sooner than ruled out; fewer rows, too.
LEAST_FEATURES, LEAST_ROWS = 64, 1000
# With 64 directions twice as many rows of Fashion-MNIST had to be looked at, with 160 the scan took longer.
MOST_DIRECTIONS, STEP = 128, 8
SAMPLE, QUESTIONS = 4096, 32
# A row that is looked at costs as much as some 40 that are ruled out.
WORTH = 0.05


@dataclass(frozen=True, eq=False)
class Sketch:
    """Numbers of all rows; see `algoport.algorithms.knn.kernels.sketch`."""

    offset: NDArray[np.float32]  # (d,)
    reach: float  # square of the longest row less the offset
    basis: NDArray[np.float32]  # (d, m)
    gram: NDArray[np.float64]  # (m, m)
    panels: NDArray[np.uint16]  # (b, m + 2, STORED)
    norms: NDArray[np.float32]  # (b * STORED,)


def sketch(rows: NDArray[np.float32], metric: int, k: int, group: Group) -> Sketch | None:
    """The sketch of the rows, or None where it would rule out too few; an exchange of its directions."""
    n, d = rows.shape
    m = min(MOST_DIRECTIONS, d // 4 // STEP * STEP)
    if d < LEAST_FEATURES or n < LEAST_ROWS or not kernels.longest(rows, np.zeros(d, np.float32)) < 1e30:
        return None
    some = rows[:: -(-n // SAMPLE)]
    offset = some.mean(axis=0, dtype=np.float64).astype(np.float32)
    basis = _directions(some - offset, m)
    worth = np.array([_looked_at(some, offset, basis, metric, k) <= WORTH], np.float64)
    group.broadcast_(offset, basis, worth)
    if not worth[0]:
        return None
    wide = basis.astype(np.float64)
    gram = wide.T @ wide
    panels, norms = kernels.store_sketch(rows, offset, basis, gram, metric)
    return Sketch(offset, kernels.longest(rows, offset), basis, gram, panels, norms)


def _directions(rows: NDArray[np.float32], m: int) -> NDArray[np.float32]:
    """About the m leading principal components (d, m), the greatest first."""
    random = np.random.default_rng(0)
    basis = random.standard_normal((rows.shape[1], m + STEP), np.float32)
    for _ in range(3):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    inner = rows @ basis
    values, vectors = np.linalg.eigh((inner.T @ inner).astype(np.float64))
    order = np.argsort(-values, kind="stable")[:m]
    return np.ascontiguousarray(basis @ vectors[:, order].astype(np.float32), np.float32)


def _looked_at(
    some: NDArray[np.float32], offset: NDArray[np.float32], basis: NDArray[np.float32], metric: int, k: int
) -> float:
    """The share of the sampled rows that a sampled row's neighbors cannot do without; more than of all rows."""
    rows = some - offset
    ask = rows[:: -(-len(rows) // QUESTIONS)]
    if metric == kernels.PRODUCTS:
        ask = some[:: -(-len(rows) // QUESTIONS)]
    parts, own = rows @ basis, ask @ basis
    rest = np.sqrt(np.maximum((rows**2).sum(axis=1) - (parts**2).sum(axis=1), 0))
    left = np.sqrt(np.maximum((ask**2).sum(axis=1) - (own**2).sum(axis=1), 0))
    norms = 0.5 * (rows**2).sum(axis=1) if metric == kernels.SQUARES else np.zeros(len(rows), np.float32)
    scores = norms - ask @ rows.T
    least = norms - own @ parts.T - left[:, None] * rest
    worst = np.partition(scores, min(k, len(rows) - 1), axis=1)[:, min(k, len(rows) - 1)]
    return float((least <= worst[:, None]).mean())
