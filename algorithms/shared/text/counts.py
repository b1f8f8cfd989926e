"""Documents as counts of words: sparse rows, checked.    n documents   v words of the vocabulary   z entries"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.linalg import sparse_products

MOST = 1e9  # of one word in a document; beyond that, products of counts leave float32


@dataclass(frozen=True, eq=False)
class Counts:
    """Documents as SciPy's csr_array has rows; arrays are read-only, as kernels take them."""

    indptr: NDArray[np.int64]  # (n + 1,)
    words: NDArray[np.int32]  # (z,)
    values: NDArray[np.float32]  # (z,) how often the document has the word
    width: int  # v

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Of rows; dense ones are made sparse."""
        features: Any = rows.features if rows.is_sparse else sparse.csr_array(rows.dense())
        return cls(
            const(features.indptr, np.dtype(np.int64)),
            const(features.indices, np.dtype(np.int32)),
            const(features.data),
            rows.width,
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Where each document's entries begin, words and counts: how kernels begin."""
        return self.indptr, self.words, self.values

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """(n,) how many words each document has."""
        edges = np.concatenate([[0.0], np.cumsum(self.values, dtype=np.float64)])
        return np.asarray(np.diff(edges[self.indptr]))

    @cached_property
    def by_word(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """The entries word by word: where each begins (v + 1,), the document and the place of each (z,)."""
        starts = np.empty(self.width + 1, np.int64)
        documents, places = np.empty(len(self.words), np.int32), np.empty(len(self.words), np.int64)
        sparse_products.by_column(self.indptr, self.words, starts, documents, places)
        return const(starts, starts.dtype), const(documents, documents.dtype), const(places, places.dtype)

    def sums(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(v,) over the documents, each times its weight."""
        each = self.values * np.repeat(weights, np.diff(self.indptr))
        return np.asarray(np.bincount(self.words, each, self.width))


@dataclass
class Reading:
    """Reads the documents of a channel and counts what is odd about them."""

    channel: str
    feature_dim: int
    documents: int = 0  # of this member
    empty: int = 0  # that have no words
    short: int = 0  # that have words, but fewer than three
    fractional: int = field(default=0)  # with a count that is not a whole number

    def counts(self, batch: Rows) -> Counts:
        """The counts of a batch; `UserError` names the first document with what is no count."""
        check_width(batch, self.feature_dim, self.channel)
        counts = Counts.of(batch)
        check(counts, f"Channel '{self.channel}': ", self.documents)
        lengths = counts.lengths
        self.documents += len(counts)
        self.empty += int((lengths == 0).sum())
        self.short += int(((lengths > 0) & (lengths < 3)).sum())
        uneven = np.flatnonzero(counts.values != np.floor(counts.values))
        if len(uneven):
            self.fractional += len(np.unique(np.searchsorted(counts.indptr, uneven, "right")))
        return counts


def check(counts: Counts, where: str, first: int | None = 0) -> None:
    """`check_entries` of these documents."""
    check_entries(counts.indptr, counts.words, counts.values, where, first)


def check_entries(
    indptr: NDArray[Any], words: NDArray[Any], values: NDArray[Any], where: str, first: int | None = None
) -> None:
    """`UserError` names a count that is negative, no number or beyond `MOST`, and its document, counted from `first`
    on, where that is known."""
    if not len(values) or (values.min() >= 0 and values.max() <= MOST):  # of NaN neither holds
        return
    entry = int(np.flatnonzero(~((values >= 0) & (values <= MOST)))[0])
    number = "" if first is None else f" {first + int(np.searchsorted(indptr, entry, 'right'))}"
    raise UserError(
        f"{where}a document must have each word from 0 to {MOST:.0f} times; {'one' if first is None else 'document'}"
        f"{number} has word {int(words[entry])}, counted from 0, {values[entry]:g} times. Features are counts of "
        "words; without a label in the first column, the content type is text/csv;label_size=0."
    )
