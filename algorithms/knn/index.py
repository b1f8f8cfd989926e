"""Where the neighbors of a query are sought: among all rows, or in a few lists.

n rows   d features   l lists   m codes of a row   q queries   k neighbors
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.knn import kernels
from algoport.algorithms.knn.sketch import Sketch

Rows = NDArray[np.float32]
Answer = tuple[NDArray[np.float64], NDArray[np.int64]]
# Numbers of a coded row's table.
ENTRIES = 256


class Index(Protocol):
    """The rows, in a form that can be searched."""

    @property
    def metric(self) -> int:
        """What is compared: SQUARES or PRODUCTS."""

    @property
    def width(self) -> int:
        """How many features a row has."""

    @property
    def size(self) -> int:
        """How many rows there are."""

    def search(self, queries: Rows, k: int) -> Answer:
        """Distances (q, k), squared, or products with their sign turned, the best first; numbers of the rows (q, k)."""

    def as_sampled(self) -> Rows | None:
        """The rows (n, d) in the order of their numbers; None where only codes are there."""


def offset_of(rows: Rows, metric: int) -> Rows:
    """A point near the middle of the rows, coarse, so that whole numbers stay whole; zeros for products."""
    if metric == kernels.PRODUCTS or not len(rows):
        return np.zeros(rows.shape[1], np.float32)
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    unit = 2.0 ** np.ceil(np.log2(np.maximum(high - low, 2.0**-120)))
    middle = np.where(high > low, unit * np.rint((low + high) / 2 / unit), low)
    return np.asarray(middle, np.float32)


@dataclass(frozen=True, eq=False)
class Flat:
    """All rows, each of which may be looked at."""

    rows: Rows  # (n, d)
    metric: int
    offset: Rows  # (d,)
    reach: float
    sketch: Sketch | None = None

    @classmethod
    def of(cls, rows: Rows, metric: int, sketch: Sketch | None = None) -> Flat:
        """The index of these rows."""
        offset = offset_of(rows, metric)
        return cls(rows, metric, offset, kernels.longest(rows, offset), sketch)

    @property
    def width(self) -> int:
        """How many features a row has."""
        return int(self.rows.shape[1])

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def as_sampled(self) -> Rows:
        """The rows in the order of their numbers."""
        return np.asarray(self.rows)

    def search(self, queries: Rows, k: int) -> Answer:
        """The k nearest of all rows."""
        own = self.sketch
        if own is None or k > len(self.rows) // 8:
            return kernels.all_rows(self.rows, self.offset, self.reach, queries, k, self.metric)
        return kernels.sketched(self.rows, own.offset, own.reach, own.basis, own.gram, own.panels, own.norms, queries,
                                k, self.metric)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Inverted:
    """Rows in lists around centers, as they are or as codes; a query looks at the lists of the nearest centers."""

    coarse: Flat  # the centers (l, d)
    begins: NDArray[np.int64]  # (l + 1,) list j holds the rows from begins[j] to begins[j + 1]
    ids: NDArray[np.int64]  # (n,) their numbers
    rows: Rows  # (n, d) in the order of the lists; (0, d) where there are codes
    codes: NDArray[np.uint8]  # (n, m); (0, 0) where there are rows
    books: Rows  # (m, 256, d / m)
    probes: int  # lists that a query looks at
    offset: Rows
    reach: float
    flipped: Rows  # (m, d / m, 256) the books, for tables
    terms: Rows  # (n,) what each coded row has of its own in the square of a distance

    @classmethod
    def of(
        cls,
        centers: Rows,
        begins: NDArray[np.int64],
        ids: NDArray[np.int64],
        rows: Rows,
        codes: NDArray[np.uint8],
        books: Rows,
        metric: int,
        probes: int,
        terms: Rows | None = None,
    ) -> Inverted:
        """The index of rows or codes that are in order."""
        coarse = Flat.of(centers, metric)
        offset = offset_of(centers, metric)
        if len(books):
            # No row is farther than the farthest center and the longest entry of each part together.
            parts = (books.astype(np.float64) ** 2).sum(axis=2).max(axis=1).sum()
            reach = float((np.sqrt(kernels.longest(centers, offset)) + np.sqrt(parts)) ** 2 * (1 + 1e-6))
        else:
            reach = kernels.longest(rows, offset)
        if terms is None:
            coded = len(books) and metric == kernels.SQUARES
            terms = kernels.code_terms(codes, books, centers, begins, offset) if coded else np.empty(0, np.float32)
        flipped = np.ascontiguousarray(books.transpose(0, 2, 1))
        return cls(coarse, begins, ids, rows, codes, books, probes, offset, reach, flipped, terms)

    @property
    def metric(self) -> int:
        """What is compared."""
        return self.coarse.metric

    @property
    def width(self) -> int:
        """How many features a row has."""
        return self.coarse.width

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.ids)

    def as_sampled(self) -> Rows | None:
        """The rows in the order of their numbers; None where only codes are there."""
        return None if len(self.books) else np.asarray(self.rows)[np.argsort(self.ids, kind="stable")]

    def search(self, queries: Rows, k: int) -> Answer:
        """The k nearest in the lists of the nearest centers; in all lists where these hold fewer."""
        lists = len(self.coarse.rows)
        distances, numbers = self._search(queries, k, min(self.probes, lists))
        short = numbers[:, -1] == kernels.FAR
        if short.any() and self.probes < lists:
            distances[short], numbers[short] = self._search(np.ascontiguousarray(queries[short]), k, lists)
        return distances, numbers

    def _search(self, queries: Rows, k: int, probes: int) -> Answer:
        _, nearest = self.coarse.search(queries, probes)
        if len(self.terms):
            return kernels.in_codes(self.codes, self.books, self.flipped, self.terms, self.coarse.rows, self.begins,
                                    self.ids, self.offset, self.reach, queries, nearest, k)  # fmt: skip
        return kernels.in_lists(self.rows, self.codes, self.books, self.coarse.rows, self.begins, self.ids, self.offset,
                                self.reach, queries, nearest, k, self.metric)  # fmt: skip
