"""Where records come from: one channel as a member of a job sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.algorithm import Distribution
from algoport.algorithms.contract.group import Alone, Group
from algoport.algorithms.contract.records import Records, Rows

R = TypeVar("R", bound=Records)
R_co = TypeVar("R_co", bound=Records, covariant=True)


class Source(Protocol[R_co]):
    """One channel as this member sees it.

    `rows` in `batches` counts the records of all members together, so that the size of a batch does not depend
    on how many members there are. Of replicated data, record i of a batch belongs to member i mod n; of sharded
    data, a member brings its n-th of the batch from what it has.
    """

    @property
    def rows(self) -> int | None:
        """How many records this member sees in a pass; None where it is not known before reading."""

    @property
    def width(self) -> int | None:
        """How many features a row has; None where it is not known before reading."""

    @property
    def sharded(self) -> bool:
        """True where each member has records of its own, False where all see the same and share them out."""

    def head(self, rows: int) -> R_co:
        """This member's share of the first batch of that size; the next pass sees it again."""

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[R_co]:
        """A new pass, batch by batch. `start`: records to leave out, a multiple of `rows`, as an interrupted
        pass has used them. `shuffle`: the seed of an order of this pass's own, else the order of the files."""

    def all(self) -> R_co:
        """This member's share of all records, decoded once and kept."""


class Memory(Generic[R]):
    """The source made of records that are there. A matrix is taken as rows. For tests, examples and notebooks.

    Holds the whole data at every member where `distribution` is FullyReplicated, else this member's part of it.
    """

    def __init__(
        self,
        rows: R | NDArray[Any],
        *,
        group: Group | None = None,
        distribution: Distribution = "FullyReplicated",
    ) -> None:
        if isinstance(rows, np.ndarray):
            rows = cast(R, Rows(features=np.ascontiguousarray(rows, np.float32)))
        self._rows: R = rows
        self._group = group or Alone()
        self.sharded = distribution == "ShardedByS3Key"

    @property
    def rows(self) -> int | None:
        """How many records this member sees in a pass."""
        return len(self.all())

    @property
    def width(self) -> int | None:
        """How many features a row has."""
        return self._rows.width

    def head(self, rows: int) -> R:
        """This member's share of the first batch."""
        return next(self.batches(rows), self._rows[:0])

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[R]:
        """A pass, batch by batch."""
        data = self._rows
        if shuffle is not None:
            data = data.take(np.random.default_rng(shuffle).permutation(len(data)))
        rank, size = self._group.rank, self._group.size
        if self.sharded:
            share, skip = share_of_batch(rows, rank, size), records_used(start, rows, rank, size)
            for first in range(skip, len(data), max(share, 1)):
                yield data[first : first + share]
        else:
            for first in range(start, len(data), rows):
                yield data[first : first + rows][rank::size]

    def all(self) -> R:
        """This member's share of all records."""
        return self._rows if self.sharded else self._rows[self._group.rank :: self._group.size]


def share_of_batch(rows: int, rank: int, size: int) -> int:
    """How many of a batch's records a member brings from sharded data; at least one, for a member that brought
    none would never come to the end of what it has."""
    return max(1, rows // size + (rank < rows % size))


def records_used(start: int, rows: int, rank: int, size: int) -> int:
    """How many of its own records a member has used after the batches that `start` counts, `rows` each."""
    return start // rows * share_of_batch(rows, rank, size)
