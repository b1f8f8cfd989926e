"""Rows of numbers, dense or sparse, with label, weight and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.joining import concatenate_arrays, concatenate_lists
from algoport.algorithms.contract.kinds import Kind

# Rows that are shuffled at a time where they are sparse, and their width says nothing of their size.
SPARSE_WINDOW = 1 << 18

Features: TypeAlias = "NDArray[np.float32] | sparse.csr_array"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Numeric rows, dense or sparse, with what came along.

    Missing values are NaN. A sparse matrix has sorted, unique indices, and what it does not mention is zero.
    """

    features: Features  # (n, d) float32, C-contiguous, or csr_array float32
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    weight: NDArray[np.float32] | None = None  # (n,)
    group: NDArray[np.int64] | None = None  # (n,) which rows are ranked together: the query; -1 where none is given
    uid: Sequence[str | None] | None = None  # (n,) of protobuf records; echoed by answers
    metadata: Sequence[str | None] | None = None  # (n,) JSON texts of protobuf records; echoed by answers
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def width(self) -> int:
        """Number of features of a row."""
        return int(self.features.shape[1])

    @property
    def is_sparse(self) -> bool:
        """True where `features` is a csr_array."""
        return bool(sparse.issparse(self.features))

    @property
    def nbytes(self) -> int:
        """Bytes that the numbers of these rows take."""
        features: Any = self.features
        count = int(features.data.nbytes)
        if self.is_sparse:
            count += int(features.indices.nbytes + features.indptr.nbytes)
        return count + sum(column.nbytes for column in (self.label, self.weight) if column is not None)

    def dense(self) -> NDArray[np.float32]:
        """The features as an (n, d) float32 array in C order; n * d * 4 bytes where they were sparse."""
        if self.is_sparse:
            return cast("NDArray[np.float32]", np.ascontiguousarray(cast(Any, self.features).toarray(), np.float32))
        return np.ascontiguousarray(self.features, np.float32)

    def __getitem__(self, rows: slice) -> Rows:
        """A range of rows, or every n-th; a view where the features are dense."""
        if rows.indices(len(self)) == (0, len(self), 1):
            return self  # a member that is alone takes every row of each batch
        return replace(
            self,
            features=self.features[rows],
            label=None if self.label is None else self.label[rows],
            weight=None if self.weight is None else self.weight[rows],
            group=None if self.group is None else self.group[rows],
            uid=None if self.uid is None else self.uid[rows],
            metadata=None if self.metadata is None else self.metadata[rows],
            configuration=None if self.configuration is None else self.configuration[rows],
        )

    def take(self, order: NDArray[np.int64]) -> Rows:
        """The rows numbered by `order`, in that order."""
        return replace(
            self,
            features=self.features[order],
            label=None if self.label is None else self.label[order],
            weight=None if self.weight is None else self.weight[order],
            group=None if self.group is None else self.group[order],
            uid=None if self.uid is None else [self.uid[i] for i in order],
            metadata=None if self.metadata is None else [self.metadata[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Rows]) -> Rows:
        """These rows and those of others behind them; sparse as soon as one part is."""
        parts = [self, *others]
        return Rows(
            features=_concatenate_features(parts),
            label=concatenate_arrays(parts, [part.label for part in parts], np.nan),
            weight=concatenate_arrays(parts, [part.weight for part in parts], 1.0),
            group=concatenate_arrays(parts, [part.group for part in parts], -1),
            uid=concatenate_lists(parts, [part.uid for part in parts]),
            metadata=concatenate_lists(parts, [part.metadata for part in parts]),
            configuration=concatenate_lists(parts, [part.configuration for part in parts]),
        )


def nothing(width: int) -> Rows:
    """No rows of that width."""
    return Rows(features=np.empty((0, width), np.float32))


def _concatenate_features(parts: Sequence[Rows]) -> Features:
    if any(part.is_sparse for part in parts):
        whole = sparse.vstack([sparse.csr_array(part.features) for part in parts], format="csr")
        return sparse.csr_array(whole)
    return np.concatenate([part.features for part in parts])


def _incomplete(rows: Rows) -> tuple[int, int, float] | None:
    """Row, column and value of the first feature that is not finite. Sparse rows stay so: they may be of any width."""
    features: Any = rows.features
    values = features.data if rows.is_sparse else features
    # One sum speaks for all: it is finite where they are, but for an overflow now and then.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.add.reduce(np.asarray(values), axis=None)):
            return None
    if not rows.is_sparse:
        places = np.argwhere(~np.isfinite(features))
        return (int(places[0][0]), int(places[0][1]), float(features[tuple(places[0])])) if len(places) else None
    entries = np.flatnonzero(~np.isfinite(features.data))
    if not len(entries):
        return None
    row = int(np.searchsorted(features.indptr, entries[0], "right")) - 1
    own = entries[entries < features.indptr[row + 1]]
    first = own[np.argmin(features.indices[own])]
    return row, int(features.indices[first]), float(features.data[first])


def _window(rows: Rows, size: int) -> int:
    return SPARSE_WINDOW if rows.is_sparse else max(1, size // (4 * max(1, rows.width)))


def _spread(rows: object) -> int:
    # An algorithm's own form of requests may bring other records than rows.
    return 4 * rows.width if isinstance(rows, Rows) and rows.is_sparse else 0


def _generate(random: np.random.Generator) -> Rows:
    """Dense or sparse, with none to two labels, and with weights where there is one; of the dense, some lack values."""
    n, width, labels = random.integers(1, 30), random.integers(1, 9), random.integers(0, 3)
    features = (random.normal(size=(n, width)) * 10.0 ** random.integers(-30, 30, (n, width))).astype(np.float32)
    features[random.random((n, width)) < 0.3] = 0
    thin = random.random() < 0.4
    if not thin and random.random() < 0.3:
        features[random.random((n, width)) < 0.1] = np.nan
    return Rows(
        features=sparse.csr_array(features) if thin else features,
        label=random.integers(-3, 4, (n, labels)).astype(np.float32) if labels else None,
    )


def _sample(width: int) -> Rows:
    return Rows(features=np.zeros((1, width), np.float32))


KIND = Kind(
    name="rows",
    noun="rows",
    columns="features",
    labels_lead=True,
    empty=nothing,
    formats=("csv", "recordio", "json", "jsonlines", "libsvm", "parquet", "npy", "npz"),
    generate=_generate,
    schema={
        "type": "object",
        "required": ["features"],
        "properties": {"features": {"type": "array", "items": {"type": ["number", "null"]}}},
    },
    incomplete=_incomplete,
    common_width=lambda rows: 0 if rows.is_sparse else rows.width,
    window=_window,
    spread=_spread,
    sample=_sample,
)
