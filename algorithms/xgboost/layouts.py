"""How binned rows lie in memory, and what a growing tree asks of them.

n rows   d features   s bins a feature has room for   m entries, the rows of a tree   k nodes

Dense: a line of the cache holds a row's codes, or 64 of them, and a copy feature by feature says which way rows go.
Features of few bins share a column of the former, as a row is added to histograms once a column.
Sparse: a row's codes one after another, numbered over all features, and the same column by column.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.threads import Team
from algoport.algorithms.xgboost.kernels import histograms, partition, sparse
from algoport.algorithms.xgboost.kernels.histograms import STEP

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
        """How many codes any feature may have: a power of 2."""
        most = int(self.rooms.max(initial=1))
        return max(16, 1 << (most - 1).bit_length())

    @cached_property
    def rooms(self) -> Longs:
        """(d,) how many codes each feature has: its bins, and one for missing values where there are some."""
        return self.bins + self.missing

    def thresholds(self, features: Ints, last: Longs) -> Floats:
        """What values are less than if they are in bin `last` (k,) or before it; -1: no value is."""
        return np.where(last < 0, self.minimum[features], self.values[self.offsets[features] + last])


def choice(*, begins: Longs, ends: Longs, features: Longs, bins: Longs, also: Longs) -> Longs:
    """(5, k) by what k nodes part their rows: where the rows of each begin in the entries and where they end, the
    feature, the last bin that goes left, and the code of missing values where they go left, else -1."""
    return np.stack([begins, ends, features, bins, also]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Columns:
    """Which features share a column: their codes are its digits, the first one's the lowest, and of the most values."""

    order: Longs  # (d,) features, column by column
    firsts: Longs  # (c + 1,) where those of each column begin
    place: Longs  # (d,) the column of each feature
    times: Longs  # (d,) how often a feature's code counts in it

    @classmethod
    def of(cls, rooms: Longs, most: int) -> Columns:
        """For features of so many codes each, so that no column has more than `most`."""
        members: list[list[int]] = []
        open_, full = -1, 0  # the column that features of few codes join, and its codes
        for f in np.argsort(rooms, kind="stable").tolist():
            if open_ >= 0 and full * int(rooms[f]) <= most:
                full *= int(rooms[f])
                members[open_].insert(0, f)
            else:
                open_, full = len(members), int(rooms[f])
                members.append([f])
        members.sort()
        times, place = np.ones(len(rooms), np.int64), np.zeros(len(rooms), np.int64)
        for column, own in enumerate(members):
            place[own] = column
            times[own] = np.cumprod([1, *rooms[own[:-1]].tolist()])
        order = np.array([f for own in members for f in own], np.int64)
        return cls(order, np.cumsum([0, *map(len, members)], dtype=np.int64), place, times)


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

    @property
    @abstractmethod
    def codes_in_all(self) -> int:
        """How many codes a histogram of all rows is summed over."""

    @abstractmethod
    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, team: Team) -> None:
        """Set the histograms pool[slots] (2, size) to the sums of some nodes' entries."""

    @abstractmethod
    def part(self, entries: Entries, spare: Entries, choice: Longs, lefts: Longs, team: Team) -> None:
        """Put the entries of each node that go left first. `choice` (5, k); sets `lefts` (k,): how many those are."""

    @abstractmethod
    def label(self, entries: Entries, choice: Longs, lefts: Longs, leaf: Ints, team: Team) -> None:
        """Write to each row the number of its leaf: one of `lefts` (k,), or the next."""

    @abstractmethod
    def descend(
        self, left: Longs, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints, team: Team
    ) -> None:
        """Set the leaf of each row that has none yet (-1), from the root of a whole tree of depth `steps`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Bins):
    """Codes in rows of fixed length."""

    codes: NDArray[Any]  # (groups, n * row) uint8 or uint16, row by row: of columns, which several features may share
    columns: NDArray[Any]  # (d, n) the same, feature by feature
    shared: Columns
    per: int  # columns of a group, a multiple of 4
    row: int  # codes that a row has room for in a group

    @property
    def codes_in_all(self) -> int:
        """A code a row and column."""
        return self.count * (len(self.shared.firsts) - 1)

    @cached_property
    def _arguments(self) -> tuple[Any, ...]:
        each = 4 // self.codes.itemsize
        step = STEP if each == 4 else self.cuts.stride + 8
        s = self.shared
        words = self.codes.view(np.uint32)
        return words, self.row // each, self.per, step, each == 2, s.firsts, s.order, self.cuts.rooms, self.starts

    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, team: Team) -> None:
        """By words of four codes, or two."""
        arguments: tuple[Any, ...] = (*self._arguments, entries, begins, ends, slots, pool)
        histograms.build(team, *arguments)

    def part(self, entries: Entries, spare: Entries, choice: Longs, lefts: Longs, team: Team) -> None:
        """By the columns."""
        partition.split(team, self.columns, entries, spare, choice, False, lefts)

    def label(self, entries: Entries, choice: Longs, lefts: Longs, leaf: Ints, team: Team) -> None:
        """By the columns."""
        partition.split_last(team, self.columns, entries, choice, False, lefts, leaf)

    def descend(
        self, left: Longs, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints, team: Team
    ) -> None:
        """By the columns."""
        partition.descend(team, self.columns, left, features, bins, also, steps, leaf)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sparse(Bins):
    """Only what is not missing."""

    indptr: Longs  # (n + 1,) where each row begins
    codes: Ints  # (nnz,) bins, numbered over all features, rising within a row
    column_ends: Longs  # (d + 1,) where each column begins
    column_rows: Ints  # (nnz,) rising within a column
    column_codes: Ints  # (nnz,) bins, numbered within the feature

    @property
    def codes_in_all(self) -> int:
        """A code a value that is there."""
        return len(self.codes)

    def sum_up(self, entries: Entries, begins: Longs, ends: Longs, slots: Longs, pool: Longs, team: Team) -> None:
        """By the rows."""
        sparse.build(team, self.indptr, self.codes, entries, begins, ends, slots, pool)

    def part(self, entries: Entries, spare: Entries, choice: Longs, lefts: Longs, team: Team) -> None:
        """By codes that are looked up in the columns."""
        row_bins, first = self._row_bins(entries, choice, team)
        partition.split(team, row_bins, entries, spare, first, True, lefts)

    def label(self, entries: Entries, choice: Longs, lefts: Longs, leaf: Ints, team: Team) -> None:
        """By codes that are looked up in the columns."""
        row_bins, first = self._row_bins(entries, choice, team)
        partition.split_last(team, row_bins, entries, first, True, lefts, leaf)

    def descend(
        self, left: Longs, features: Longs, bins: Longs, also: Longs, steps: int, leaf: Ints, team: Team
    ) -> None:
        """By the rows."""
        sparse.descend(team, self.indptr, self.codes, self.starts, self.missing, left, features, bins, also, leaf)

    def _row_bins(self, entries: Entries, choice: Longs, team: Team) -> tuple[Ints, Longs]:
        """(1, m) for each entry the code of the feature by which its node parts its rows; and the choice by it."""
        row_bins = np.empty((1, len(entries)), np.int32)
        columns = self.column_ends, self.column_rows, self.column_codes
        sparse.look_up(team, *columns, self.missing, entries, choice, row_bins[0])
        first = choice.copy()
        first[2] = 0
        return row_bins, first
