"""The rows of some steps, of all members together.    n rows   m rows of a member   e entries"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import Group, interleaved
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.arrays import const

INDEX = np.dtype(np.int32)


@dataclass(frozen=True, eq=False)
class Batch:
    """Sparse rows in the order of the records, the same at every member. Its arrays are read-only."""

    bounds: NDArray[np.int32]  # (n + 1,) where the entries of each row begin
    features: NDArray[np.int32]  # (e,)
    values: NDArray[np.float32]  # (e,)
    labels: NDArray[np.float32]  # (n,)
    owners: NDArray[np.int64] | None  # (n,) whose row each is; None where all are this member's

    def __getitem__(self, rows: slice) -> Batch:
        """Some of the rows, from one to another."""
        bounds = self.bounds[rows.start : rows.stop + 1]
        first, last = bounds[0], bounds[-1]
        return Batch(
            const(bounds - first, INDEX),
            self.features[first:last],
            self.values[first:last],
            self.labels[rows],
            None if self.owners is None else self.owners[rows],
        )

    def rows(self, rank: int) -> NDArray[np.int64]:
        """Those of a member (m,)."""
        return np.arange(len(self.labels)) if self.owners is None else np.flatnonzero(self.owners == rank)

    def of_all(self, parts: list[NDArray[Any]]) -> NDArray[Any]:
        """One array for all rows from those that members have for their own."""
        if self.owners is None:
            return parts[0]
        whole = np.concatenate(parts)
        out = np.empty_like(whole)
        out[np.argsort(self.owners, kind="stable")] = whole
        return out


def entries(rows: Rows) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Bounds, features and values of rows, of dense ones those that are not 0."""
    features: Any = rows.features
    if not rows.is_sparse:
        row, column = np.nonzero(features)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))])
        return bounds.astype(np.int32), column.astype(np.int32), np.asarray(features[row, column], np.float32)
    first, last = int(features.indptr[0]), int(features.indptr[-1])
    return (
        np.asarray(features.indptr - first, np.int32),
        np.asarray(features.indices[first:last], np.int32),
        np.asarray(features.data[first:last], np.float32),
    )


def gathered(group: Group, rows: Rows, labels: NDArray[np.float32]) -> Batch:
    """The rows of all members; one exchange, of what is not 0 in them."""
    bounds, features, values = entries(rows)
    n, e = len(labels), len(features)
    message = np.empty(1 + 2 * n + 2 * e, np.int32)
    message[0] = n
    np.subtract(bounds[1:], bounds[:-1], out=message[1 : n + 1])
    message[n + 1 : 2 * n + 1] = labels.view(np.int32)
    message[2 * n + 1 : 2 * n + 1 + e] = features
    message[2 * n + 1 + e :] = values.view(np.int32)
    messages = group.gather(message)
    if len(messages) == 1:
        return Batch(const(bounds, INDEX), const(features, INDEX), const(values), const(labels), None)
    parts = [_unpacked(each) for each in messages]
    numbers = np.cumsum([0, *(len(part[1]) for part in parts)])
    order = interleaved([np.arange(first, last) for first, last in pairwise(numbers)])
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ends = np.concatenate([[0], np.cumsum(whole[0])])
    matrix = sparse.csr_array((whole[3], np.arange(ends[-1]), ends), shape=(len(order), max(int(ends[-1]), 1)))[order]
    return Batch(
        const(matrix.indptr, INDEX),
        const(whole[2][matrix.indices], INDEX),
        const(matrix.data),
        const(whole[1][order]),
        np.searchsorted(numbers, order, "right") - 1,
    )


def _unpacked(message: NDArray[np.int32]) -> tuple[NDArray[Any], ...]:
    """Lengths and labels of rows, features and values of entries."""
    n = int(message[0])
    e = (len(message) - 1 - 2 * n) // 2
    lengths, labels, features, values = np.split(message[1:], [n, 2 * n, 2 * n + e])
    return lengths, labels.view(np.float32), features, values.view(np.float32)
