"""What a channel or a request holds once it is decoded.    n records   d features   l labels

There are records of several kinds: `Rows` of numbers, `Objects` as JSON has them, `Images`. What carries them needs
only what all have in common, `Records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Features: TypeAlias = "NDArray[np.float32] | sparse.csr_array"


class Records(Protocol):
    """What records of all kinds have in common."""

    @property
    def uid(self) -> Sequence[str | None] | None:
        """(n,) names that answers echo."""

    @property
    def metadata(self) -> Sequence[str | None] | None:
        """(n,) JSON texts that answers echo."""

    @property
    def configuration(self) -> Sequence[object] | None:
        """(n,) options that came with each record, parsed JSON or None."""

    @property
    def width(self) -> int:
        """How many features a record has; 0 where that means nothing."""

    @property
    def nbytes(self) -> int:
        """About how many bytes the records take."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Self:
        """A range of records, or every n-th."""

    def take(self, order: NDArray[np.int64]) -> Self:
        """The records numbered by `order`, in that order, in memory of their own."""

    def followed(self, others: Sequence[Self]) -> Self:
        """These records and those of others behind them."""


R = TypeVar("R", bound=Records)


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
            features=_joined_features(parts),
            label=_joined_arrays(parts, [part.label for part in parts], np.nan),
            weight=_joined_arrays(parts, [part.weight for part in parts], 1.0),
            group=_joined_arrays(parts, [part.group for part in parts], -1),
            uid=_joined_lists(parts, [part.uid for part in parts]),
            metadata=_joined_lists(parts, [part.metadata for part in parts]),
            configuration=_joined_lists(parts, [part.configuration for part in parts]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Objects:
    """JSON objects, one a record; from Parquet, a column is a key, and a list of numbers an array."""

    values: Sequence[Mapping[str, Any]]
    places: Sequence[str] | None = None  # (n,) where each stood, for faults: "train/part-0.json, line 7"
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    nbytes: int = 0  # about; that of the text they were read from, of which they take several times as many
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.values)

    def place(self, number: int) -> str:
        """Where a record stood, in front of a fault."""
        return self.places[number] if self.places is not None else f"record {number + 1}"

    def __getitem__(self, rows: slice) -> Objects:
        """A range of records, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Objects:
        """The records numbered by `order`, in that order."""
        return Objects(
            values=[self.values[i] for i in order],
            places=None if self.places is None else [self.places[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
            nbytes=self.nbytes * len(order) // max(1, len(self)),
        )

    def followed(self, others: Sequence[Objects]) -> Objects:
        """These objects and those of others behind them."""
        parts = [self, *others]
        return Objects(
            values=[value for part in parts for value in part.values],
            places=_joined_lists(parts, [part.places for part in parts]),
            configuration=_joined_lists(parts, [part.configuration for part in parts]),
            nbytes=sum(part.nbytes for part in parts),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Pictures as they are sent and stored, JPEG or PNG, with what is known of each. Nothing is decoded yet."""

    encoded: Sequence[bytes]  # (n,) whole files
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    places: Sequence[str] | None = None  # (n,) where each stood, for faults: "train/part-0.rec, record 7"
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return sum(map(len, self.encoded))

    def place(self, number: int) -> str:
        """Where a picture stood, in front of a fault."""
        return self.places[number] if self.places is not None else f"image {number + 1}"

    def __getitem__(self, rows: slice) -> Images:
        """A range of pictures, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Images:
        """The pictures numbered by `order`, in that order."""
        return Images(
            encoded=[self.encoded[i] for i in order],
            label=None if self.label is None else self.label[order],
            places=None if self.places is None else [self.places[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Images]) -> Images:
        """These pictures and those of others behind them."""
        parts = [self, *others]
        return Images(
            encoded=[each for part in parts for each in part.encoded],
            label=_joined_arrays(parts, [part.label for part in parts], np.nan),
            places=_joined_lists(parts, [part.places for part in parts]),
            configuration=_joined_lists(parts, [part.configuration for part in parts]),
        )


def nothing(width: int) -> Rows:
    """No rows of that width."""
    return Rows(features=np.empty((0, width), np.float32))


# No records of a kind, by the words of `Channel.kind`; `width` counts for rows only.
NONE: Mapping[str, Callable[[int], Any]] = {
    "rows": nothing,
    "objects": lambda width: Objects(values=[]),
    "images": lambda width: Images(encoded=[]),
}


def joined(parts: Iterable[R]) -> R:
    """The records of all parts, one after another; there must be one part.

    Where only some parts have labels, the others' are missing (NaN); where only some have weights, the others' are 1,
    and where only some have groups, the others' are -1.
    """
    first, *others = parts
    return first.followed(others) if others else first


def _joined_features(parts: Sequence[Rows]) -> Features:
    if any(part.is_sparse for part in parts):
        whole = sparse.vstack([sparse.csr_array(part.features) for part in parts], format="csr")
        return sparse.csr_array(whole)
    return np.concatenate([part.features for part in parts])


def _joined_arrays(
    parts: Sequence[Records], arrays: Sequence[NDArray[Any] | None], missing: float
) -> NDArray[Any] | None:
    present = [array for array in arrays if array is not None]
    if not present:
        return None
    shape = present[0].shape[1:]
    filled = [
        np.full((len(part), *shape), missing, present[0].dtype) if array is None else array
        for part, array in zip(parts, arrays, strict=True)
    ]
    return np.concatenate(filled)


def _joined_lists(parts: Sequence[Records], columns: Sequence[Sequence[Any] | None]) -> list[Any] | None:
    if all(column is None for column in columns):
        return None
    whole: list[Any] = []
    for part, column in zip(parts, columns, strict=True):
        whole.extend([None] * len(part) if column is None else column)
    return whole
