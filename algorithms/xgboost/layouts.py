"""How binned rows lie in memory, and what a growing tree asks of them.

n rows   d features   s bins a feature has room for   m entries, the rows of a tree   k nodes

Dense: a line of the cache holds a row's codes, or 64 of them, and a copy column by column says which way rows go.
Sparse: a row's codes one after another, numbered over all features, and the same column by column.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.kernels import histograms, partition, sparse

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Entries = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where features are cut. Bin b of feature f holds cuts[b - 1] <= x < cuts[b], counted within the feature."""

    values: Floats  # (total,) rising within a feature; the last of each is beyond all values
    offsets: Longs  # (d + 1,) where those of each feature begin
    minimum: Floats  # (d,) below all values
    missing: NDArray[np.bool_]  # (d,) where some member's row has no value
    sparse: bool = False  # whether rows are better kept sparse; the same at all members

    @cached_property
    def bins(self) -> Longs:
        """(d,) how many bins each feature has."""
        return np.diff(self.offsets)

    @cached_property
    def stride(self) -> int:
        """How many codes a feature has room for in a dense histogram: a power of 2."""
        most = int((self.bins + self.missing).max(initial=1))
        return max(16, 1 << (most - 1).bit_length())

    @cached_property
    def step(self) -> int:
        """From where a feature begins in a dense histogram to where the next one does: a line of the cache more than
        it has room for. Else the same bin of all features is kept in the same few places of the first cache, and
        where one is far more frequent than others, as black is in pictures, a sum took 24 times as long."""
        return self.stride + (8 if self.stride >= 64 else 0)

    def thresholds(self, features: Ints, last: Longs) -> Floats:
        """What values are less than if they are in bin `last` (k,) or before it; -1: no value is."""
        return np.where(last < 0, self.minimum[features], self.values[self.offsets[features] + last])


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """By what some nodes part their rows, an item a node."""

    begins: Longs  # (k,) where the rows of each node begin in the entries
    ends: Longs  # (k,)
    features: Longs  # (k,)
    bins: Longs  # (k,) the last bin that goes left
    also: Longs  # (k,) the code of missing values where they go left, else -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Bins(ABC):
    """The rows of one member as codes: the bin of each value, and after the last bin the code of a missing one."""

    cuts: Cuts
    count: int
    missing: Longs  # (d,) the code of a missing value; -1 where there is none
    starts: Longs  # (d,) where each feature begins in a histogram
    size: int  # of a histogram
    space: dict[str, NDArray[Any]] = field(default_factory=dict)  # where trees are grown; kept from one to the next

    def __len__(self) -> int:
        return self.count

    @property
    def width(self) -> int:
        """How many features."""
        return len(self.starts)

    @abstractmethod
    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, threads: int) -> None:
        """Set the histograms pool[slots] (2, size) to the sums of some nodes' entries."""

    @abstractmethod
    def part(self, entries: Entries, spare: Entries, choice: Choice, lefts: Longs) -> None:
        """Put the entries of each node that go left first. Sets `lefts` (k,): how many those are."""

    @abstractmethod
    def label(self, entries: Entries, choice: Choice, lefts: Longs, leaf: Ints) -> None:
        """Write to each row the number of its leaf: one of `lefts` (k,), or the next."""

    @abstractmethod
    def descend(self, left: Ints, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints) -> None:
        """Set the leaf of each row that has none yet (-1), from the root of a whole tree of depth `steps`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Bins):
    """Codes in rows of fixed length."""

    codes: NDArray[Any]  # (groups, n * row) uint8 or uint16, row by row
    columns: NDArray[Any]  # (d, n) the same, column by column
    per: int  # features of a group, a multiple of 4
    row: int  # codes that a row has room for in a group

    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, threads: int) -> None:
        """By words of four codes, or two."""
        each = 4 // self.codes.itemsize
        words = self.codes.view(np.uint32)
        step = self.cuts.step
        histograms.build(
            words, self.row // each, self.per, step, each == 2, entries, begins, ends, slots, pool, threads
        )

    def part(self, entries: Entries, spare: Entries, choice: Choice, lefts: Longs) -> None:
        """By the columns."""
        c = choice
        partition.split(self.columns, entries, spare, c.begins, c.ends, c.features, c.bins, c.also, False, lefts)

    def label(self, entries: Entries, choice: Choice, lefts: Longs, leaf: Ints) -> None:
        """By the columns."""
        c = choice
        partition.split_last(self.columns, entries, c.begins, c.ends, c.features, c.bins, c.also, False, lefts, leaf)

    def descend(self, left: Ints, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints) -> None:
        """By the columns."""
        partition.descend(self.columns, left, features, bins, also, steps, leaf)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sparse(Bins):
    """Only what is not missing."""

    indptr: Longs  # (n + 1,) where each row begins
    codes: Ints  # (nnz,) bins, numbered over all features, rising within a row
    column_ends: Longs  # (d + 1,) where each column begins
    column_rows: Ints  # (nnz,) rising within a column
    column_codes: Ints  # (nnz,) bins, numbered within the feature

    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, threads: int) -> None:
        """By the rows."""
        sparse.build(self.indptr, self.codes, entries, begins, ends, slots, pool, threads)

    def part(self, entries: Entries, spare: Entries, choice: Choice, lefts: Longs) -> None:
        """By codes that are looked up in the columns."""
        c, row_bins = choice, self._row_bins(entries, choice)
        partition.split(row_bins, entries, spare, c.begins, c.ends, np.zeros_like(c.bins), c.bins, c.also, True, lefts)

    def label(self, entries: Entries, choice: Choice, lefts: Longs, leaf: Ints) -> None:
        """By codes that are looked up in the columns."""
        c, row_bins, first = choice, self._row_bins(entries, choice), np.zeros_like(choice.bins)
        partition.split_last(row_bins, entries, c.begins, c.ends, first, c.bins, c.also, True, lefts, leaf)

    def descend(self, left: Ints, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints) -> None:
        """By the rows."""
        sparse.descend(self.indptr, self.codes, self.starts, self.missing, left, features, bins, also, leaf)

    def _row_bins(self, entries: Entries, choice: Choice) -> Ints:
        """(1, m) for each entry the code of the feature by which its node parts its rows."""
        row_bins = np.empty((1, len(entries)), np.int32)
        sparse.look_up(
            self.column_ends, self.column_rows, self.column_codes, self.missing, entries, choice.begins, choice.ends,
            choice.features, row_bins[0],
        )  # fmt: skip
        return row_bins
