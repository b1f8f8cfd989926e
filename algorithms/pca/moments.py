"""What the components come from: the scatter of all rows, or a sketch of it.    d features   l directions

Both are sums over rows, so that those of two sets of rows together follow from those of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared import machine

Matrix = NDArray[np.float64]

DIRECTIONS = 1  # a stream of random numbers from the seed
ROUNDING = 1e-6  # of products that were added up in float32, with room


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
    """The scatter's products with random directions W, orthonormal and the same for a seed; l of them.

    From these alone the scatter is estimated, as well as one pass and so little memory allow (Tropp, Yurtsever, Udell
    and Cevher, Fixed-Rank Approximation of a Positive-Semidefinite Matrix from Streaming Data, NIPS 2017).
    """

    count: float
    mean: Matrix  # (d,)
    along: Matrix  # (d, l) W
    products: Matrix  # (l, d) W' times the scatter
    variance: float  # the sum of squared distances of all rows to their mean

    @classmethod
    def of(cls, whole: Matrix, shift: NDArray[np.float32], along: Matrix, spread: float) -> Sketch:
        """From the product (l + 1, d + 1) of rows along W and the rows, shifted and with ones behind; `spread`: the
        sum of squares of the shifted rows."""
        count, sums = float(whole[-1, -1]), whole[-1, :-1]
        each = sums / max(count, 1.0)
        products = whole[:-1, :-1] - np.outer(whole[:-1, -1], each)
        variance = max(spread - float(sums @ each), 0.0)
        return cls(count=count, mean=shift + each, along=along, products=products, variance=variance)

    def joined(self, other: Sketch) -> Sketch:
        """That of both sets of rows, as of a scatter."""
        count = self.count + other.count
        gap = other.mean - self.mean
        share = other.count / max(count, 1.0)
        weight = self.count * share
        return Sketch(
            count=count,
            mean=self.mean + gap * share,
            along=self.along,
            products=self.products + other.products + np.outer(self.along.T @ gap, gap) * weight,
            variance=self.variance + other.variance + float(gap @ gap) * weight,
        )

    def components(self, k: int, *, centered: bool) -> tuple[Matrix, Matrix]:
        """As of a scatter, but estimated (algorithm 3 of the paper): a little of the identity is added before the
        Cholesky factor is taken, which rounding would forbid, and subtracted from the values that come out."""
        products = self.products
        if not centered:
            products = products + self.count * np.outer(self.along.T @ self.mean, self.mean)
        with machine.blas_threads(1):
            little = ROUNDING * float(np.linalg.norm(products)) + np.finfo(np.float64).tiny
            lifted = products.T + little * self.along  # (d, l)
            core = self.along.T @ lifted
            factor = np.linalg.cholesky((core + core.T) / 2)
            vectors, values, _ = np.linalg.svd(np.linalg.solve(factor, lifted.T).T, full_matrices=False)
        values = np.sqrt(np.maximum(values[:k] ** 2 - little, 0))
        return _signed(vectors[:, :k][:, ::-1]), values[::-1]


def directions(d: int, columns: int, seed: int) -> Matrix:
    """Orthonormal random directions (d, l)."""
    drawn = np.random.default_rng([seed, DIRECTIONS]).standard_normal((d, columns))
    with machine.blas_threads(1):
        # Rounded to float32, as the rows are multiplied with them.
        return np.ascontiguousarray(np.linalg.qr(drawn)[0].astype(np.float32).astype(np.float64))


def _strongest(products: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """The k largest eigenvalues in ascending order, and their vectors."""
    d = len(products)
    if 2 * k > d:
        values, vectors = np.linalg.eigh(products)
        return values[d - k :], vectors[:, d - k :]
    from scipy.linalg import eigh

    strongest: tuple[Matrix, Matrix] = eigh(products, subset_by_index=[d - k, d - 1], driver="evr", check_finite=False)
    return strongest


def _signed(vectors: Matrix) -> Matrix:
    """The columns, each turned so that its largest entry is positive: a choice, as their sign means nothing."""
    largest = np.abs(vectors).argmax(axis=0)
    return np.ascontiguousarray(vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0))
