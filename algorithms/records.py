"""What a channel or a request holds once it is decoded.    n rows   d features   l labels"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Features: TypeAlias = "NDArray[np.float32] | sparse.csr_array"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Numeric rows, dense or sparse, with what came along.

    Missing values are NaN. A sparse matrix has sorted, unique indices, and what it does not mention is zero.
    """

    features: Features  # (n, d) float32, C-contiguous, or csr_array float32
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    weight: NDArray[np.float32] | None = None  # (n,)
    group: NDArray[np.int64] | None = None  # (n,) which rows are ranked together: the query; -1 where none is told
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

    def dense(self) -> NDArray[np.float32]:
        """The features as an (n, d) float32 array in C order; n * d * 4 bytes where they were sparse."""
        if self.is_sparse:
            return cast("NDArray[np.float32]", np.ascontiguousarray(cast(Any, self.features).toarray(), np.float32))
        return np.ascontiguousarray(self.features, np.float32)

    def __getitem__(self, rows: slice) -> Rows:
        """A range of rows, or every n-th; a view where the features are dense."""
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


def nothing(width: int) -> Rows:
    """No rows of that width."""
    return Rows(features=np.empty((0, width), np.float32))


def joined(parts: Iterable[Rows]) -> Rows:
    """The rows of all parts, one after another; sparse as soon as one part is. There must be one part.

    Where only some parts have labels, the others' are missing (NaN); where only some have weights, the others' are 1,
    and where only some have groups, the others' are -1.
    """
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    return Rows(
        features=_joined_features(parts),
        label=_joined_arrays(parts, [part.label for part in parts], np.nan),
        weight=_joined_arrays(parts, [part.weight for part in parts], 1.0),
        group=_joined_arrays(parts, [part.group for part in parts], -1),
        uid=_joined_lists(parts, [part.uid for part in parts]),
        metadata=_joined_lists(parts, [part.metadata for part in parts]),
        configuration=_joined_lists(parts, [part.configuration for part in parts]),
    )


def _joined_features(parts: Sequence[Rows]) -> Features:
    if any(part.is_sparse for part in parts):
        whole = sparse.vstack([sparse.csr_array(part.features) for part in parts], format="csr")
        return sparse.csr_array(whole)
    return np.concatenate([part.features for part in parts])


def _joined_arrays(parts: Sequence[Rows], arrays: Sequence[NDArray[Any] | None], missing: float) -> NDArray[Any] | None:
    present = [array for array in arrays if array is not None]
    if not present:
        return None
    shape = present[0].shape[1:]
    filled = [
        np.full((len(part), *shape), missing, present[0].dtype) if array is None else array
        for part, array in zip(parts, arrays, strict=True)
    ]
    return np.concatenate(filled)


def _joined_lists(parts: Sequence[Rows], columns: Sequence[Sequence[Any] | None]) -> list[Any] | None:
    if all(column is None for column in columns):
        return None
    whole: list[Any] = []
    for part, column in zip(parts, columns, strict=True):
        whole.extend([None] * len(part) if column is None else column)
    return whole
