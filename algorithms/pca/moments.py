"""What the components are found from: the scatter of all rows, or a sketch of them.    d features   l rows of a sketch

Both are sums over rows, so that those of two sets of rows together are found from those of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms import machine

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scatter:
    """The exact one: sums of outer products of centered rows."""

    count: float  # rows
    mean: Matrix  # (d,)
    products: Matrix  # (d, d)

    @classmethod
    def of(cls, whole: Matrix, shift: NDArray[np.float32]) -> Scatter:
        """From the product (d + 1, d + 1) of rows that were shifted, with a column of ones behind."""
        count, sums = float(whole[-1, -1]), whole[:-1, -1]
        each = sums / max(count, 1.0)
        return cls(count=count, mean=shift + each, products=whole[:-1, :-1] - np.outer(sums, each))

    def joined(self, other: Scatter) -> Scatter:
        """That of both sets of rows (Chan, Golub and LeVeque, The American Statistician 37(3), 1983, eq. 2.1)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        share = other.count / max(count, 1.0)
        products = self.products + other.products + np.outer(gap, gap) * (self.count * share)
        return Scatter(count=count, mean=self.mean + gap * share, products=products)

    def components(self, k: int, *, centered: bool) -> tuple[Matrix, Matrix]:
        """(d, k) directions of largest variance, the strongest last, and their singular values (k,)."""
        products = self.products if centered else self.products + self.count * np.outer(self.mean, self.mean)
        with machine.blas_threads(1):  # for the same bits on any machine; it takes 36 ms for 50 of 784
            values, vectors = _strongest(products, k)
        return _signed(vectors), np.sqrt(np.maximum(values, 0))

    @property
    def variance(self) -> float:
        """The sum of squared distances of all rows to their mean."""
        return float(np.trace(self.products))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """The random one: signed sums of rows, of which there are but l (Halko, Martinsson and Tropp, SIAM Review 2011)."""

    count: float
    mean: Matrix  # (d,)
    signs: Matrix  # (l,) sum of the signs
    rows: Matrix  # (l, d) signed sums of centered rows, as they would be with this mean

    @classmethod
    def of(cls, whole: Matrix, shift: NDArray[np.float32]) -> Sketch:
        """From the product (l + 1, d + 1) of signs, with ones behind, and shifted rows, with ones behind."""
        count, sums, signs = float(whole[-1, -1]), whole[-1, :-1], whole[:-1, -1]
        each = sums / max(count, 1.0)
        rows = whole[:-1, :-1] - np.outer(signs, each)
        return cls(count=count, mean=shift + each, signs=signs, rows=rows)

    def joined(self, other: Sketch) -> Sketch:
        """That of both sets of rows, whose signs were drawn independently."""
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / max(count, 1.0))
        rows = (
            self.rows + np.outer(self.signs, self.mean - mean) + other.rows + np.outer(other.signs, other.mean - mean)
        )
        return Sketch(count=count, mean=mean, signs=self.signs + other.signs, rows=rows)

    def components(self, k: int, *, centered: bool) -> tuple[Matrix, Matrix]:
        """As of a scatter, but estimated: those of the sketch, whose expected scatter is that of the rows."""
        rows = self.rows if centered else self.rows + np.outer(self.signs, self.mean)
        with machine.blas_threads(1):
            _, values, vectors = np.linalg.svd(rows / np.sqrt(len(rows)), full_matrices=False)
        return _signed(vectors[:k][::-1].T), values[:k][::-1]

    @property
    def variance(self) -> float:
        """An estimate of the sum of squared distances of all rows to their mean."""
        return float((self.rows**2).sum()) / len(self.rows)


def _strongest(products: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """The k largest eigenvalues in ascending order, and their vectors."""
    d = len(products)
    if 2 * k > d:
        values, vectors = np.linalg.eigh(products)
        return values[d - k :], vectors[:, d - k :]
    from scipy.linalg import eigh

    found: tuple[Matrix, Matrix] = eigh(products, subset_by_index=[d - k, d - 1], driver="evr", check_finite=False)
    return found


def _signed(vectors: Matrix) -> Matrix:
    """The columns, each turned so that its largest entry is positive: a choice, as their sign means nothing."""
    largest = np.abs(vectors).argmax(axis=0)
    return np.ascontiguousarray(vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0))
