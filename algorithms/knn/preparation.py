"""What becomes of a row before it is compared: it is reduced, scaled, filled up.

n rows   d features   t numbers of a reduced row   p order of the Hadamard matrix
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.knn import kernels
from algoport.algorithms.shared.randomness import draws, seed_of

Rows = NDArray[np.float32]
SIGNS, COLUMNS = 21, 22  # streams of random numbers
BLOCK = 1 << 14  # rows that are reduced at a time


@dataclass(frozen=True)
class Reduction:
    """From d numbers to t, which keeps distances and products nearly; all of it is a function of its seed."""

    kind: str  # sign or fjlt
    seed: int
    input: int  # d
    target: int  # t

    def __call__(self, rows: Rows) -> Rows:
        """The reduced rows (n, t)."""
        out = np.empty((len(rows), self.target), np.float32)
        for first in range(0, len(rows), BLOCK):
            part = np.ascontiguousarray(rows[first : first + BLOCK])
            out[first : first + BLOCK] = self._signs(part) if self.kind == "sign" else self._fjlt(part)
        return out

    def _signs(self, rows: Rows) -> Rows:
        """Random signs (Achlioptas, Database-friendly random projections, JCSS 2003, theorem 1.1)."""
        return rows @ self._matrix

    def _fjlt(self, rows: Rows) -> Rows:
        """Signs, Walsh-Hadamard, and some of the columns (Ailon and Chazelle 2009; Tropp, Improved Analysis of the
        Subsampled Randomized Hadamard Transform, 2011). A row of H D x has the mean square |x|^2."""
        signs, columns = self._mixing
        return kernels.hadamard(rows, signs, columns) * np.float32(1 / np.sqrt(self.target))

    @cached_property
    def _matrix(self) -> Rows:
        """(d, t), of +-1 / sqrt(t)."""
        bits = draws(seed_of(self.seed, SIGNS), np.arange(self.input * self.target, dtype=np.uint64))
        signs = np.where(bits >> np.uint64(63), 1, -1).astype(np.float32) / np.float32(np.sqrt(self.target))
        return np.ascontiguousarray(signs.reshape(self.input, self.target))

    @cached_property
    def _mixing(self) -> tuple[Rows, NDArray[np.int64]]:
        """Signs (p,), and which columns (t,)."""
        order = 1 << (max(self.input, self.target, 1) - 1).bit_length()
        bits = draws(seed_of(self.seed, SIGNS), np.arange(order, dtype=np.uint64))
        signs = np.where(bits >> np.uint64(63), 1, -1).astype(np.float32)
        places = draws(seed_of(self.seed, COLUMNS), np.arange(order, dtype=np.uint64))
        return signs, np.sort(np.argsort(places, kind="stable")[: self.target]).astype(np.int64)


@dataclass(frozen=True)
class Preparation:
    """What rows and queries alike go through."""

    reduction: Reduction | None
    normalize: bool  # to unit length, as angles are compared
    width: int  # of an indexed row; what is beyond its numbers is 0

    def __call__(self, rows: Rows, where: str) -> Rows:
        """The rows (n, width) as they are compared; `UserError` where one has no direction and needs one."""
        if self.reduction is not None:
            rows = self.reduction(rows)
        if self.normalize:
            rows = _unit(rows, where)
        if rows.shape[1] < self.width:
            wide = np.zeros((len(rows), self.width), np.float32)
            wide[:, : rows.shape[1]] = rows
            rows = wide
        return np.ascontiguousarray(rows)


def _unit(rows: Rows, where: str) -> Rows:
    """Rows of length 1, to float32."""
    out = np.empty_like(rows)
    for first in range(0, len(rows), BLOCK):
        part = rows[first : first + BLOCK].astype(np.float64)
        lengths = np.sqrt((part**2).sum(axis=1, keepdims=True))
        if (lengths == 0).any():
            number = first + int(np.flatnonzero(lengths[:, 0] == 0)[0])
            raise UserError(
                f"{where}: a row must have a direction where index_metric is COSINE; row {number}, counted from 0, has "
                "only zeros. Leave it out, or compare by L2."
            )
        out[first : first + BLOCK] = part / lengths
    return out
