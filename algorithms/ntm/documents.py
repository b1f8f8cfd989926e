"""Rows as documents: which words each has, and how often.    n documents   v words   z entries"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.ntm import kernels
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.neural.vocabulary_loss import Targets
from algoport.algorithms.shared.text.counts import check_entries


@dataclass(frozen=True, eq=False)
class Documents:
    """Some documents, each of which has words."""

    words: Targets
    empty: int = 0  # documents without words, which were left out
    fractional: bool = False  # whether some count is no whole number

    def __len__(self) -> int:
        return len(self.words.masses)

    @property
    def entries(self) -> tuple[Any, Any, Any]:
        """Where each document's begin, words, and counts."""
        return self.words.indptr, self.words.indices, self.words.values

    def keys(self) -> NDArray[np.uint64]:
        """A number (n,) of what each holds."""
        return kernels.hashes(*self.entries)


def read(rows: Rows, feature_dim: int, channel: str) -> Documents:
    """The rows of a channel that have words. `UserError` where a count is negative or no number, or a row has another
    width."""
    check_width(rows, feature_dim, channel)
    matrix = _matrix(rows)
    values = matrix.data
    check_entries(matrix.indptr, matrix.indices, values, f"Channel '{channel}': ")
    whole = np.flatnonzero(np.diff(matrix.indptr))
    words = Targets.of(*_rows(matrix, whole))
    fractional = bool(len(values) and (values != np.floor(values)).any())
    return Documents(words, len(rows) - len(whole), fractional)


def take(documents: Documents, chosen: NDArray[np.bool_]) -> Documents:
    """Some of them."""
    if chosen.all():
        return documents
    matrix = _csr(*documents.entries)
    return Documents(Targets.of(*_rows(matrix, np.flatnonzero(chosen))), documents.empty, documents.fractional)


def csr(rows: Rows) -> tuple[Any, Any, Any]:
    """All rows of a request, also those without words, as (indptr, indices, values); `UserError` where a count is
    negative or no number."""
    matrix = _matrix(rows)
    check_entries(matrix.indptr, matrix.indices, matrix.data, "", 0)
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def _matrix(rows: Rows) -> Any:
    """The rows as csr_array without explicit zeros."""
    matrix = cast(Any, sparse.csr_array(rows.features))
    if rows.is_sparse and len(matrix.data) and not matrix.data.all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix


def _csr(indptr: Any, indices: Any, values: Any) -> Any:
    width = int(indices.max(initial=0)) + 1
    return sparse.csr_array((values, indices, indptr), shape=(len(indptr) - 1, width))


def _rows(matrix: Any, chosen: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    own = matrix if len(chosen) == matrix.shape[0] else matrix[chosen]
    return own.indptr, own.indices, own.data


def none(feature_dim: int) -> Documents:
    """No documents, for a member that has no more."""
    return read(Rows(features=np.empty((0, feature_dim), np.float32)), feature_dim, "train")
