"""A sample of the rows that stream by.    n rows   d features   m members

Priority sampling (Duffield, Lund and Thorup, J. ACM 54(6), 2007): a row of weight w gets the priority w / u, with u
uniform on (0, 1), and the rows of highest priority are kept. Here u depends on nothing but the seed and the row's
number, so that the sample is the same however the rows are shared out, and is merged by keeping the highest again.
All rows weigh the same, and the sample is uniform, unless older ones fade with a half-life.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.randomness import draws, inner_shares

Arrays = dict[str, NDArray[Any]]


# Places beyond the capacity, by which part of it: the sample is cut down to its size only when these are full, as that
# takes a look at all priorities.
SPARE = 8


class Sample:
    """At most `capacity` rows, and little more than capacity * d * 4 bytes."""

    def __init__(self, capacity: int, d: int, seed: int, half_life: int = 0) -> None:
        self.capacity = capacity
        self.seen = 0  # rows of all members together
        self._seed = seed
        self._half_life = half_life
        self._size = 0  # rows that are there, some of them only until the sample is cut down
        self._least = -math.inf  # no row of a lower priority can belong to the sample
        room = capacity + max(capacity // SPARE, 1)
        self._rows = np.empty((room, d), np.float32)  # pages that are not written to cost nothing
        self._keys = np.empty(room, np.float64)
        self._numbers = np.empty(room, np.int64)

    def add(self, rows: NDArray[np.float32], group: Group) -> None:
        """Let this member's (n, d) rows of a batch stream by; an exchange of one number a member."""
        counts = np.concatenate(group.gather(np.array([len(rows)], np.int64)))
        numbers = self.seen + positions(counts, group.rank)
        self.seen += int(counts.sum())
        keys = self._priorities(numbers)
        waiting = np.arange(len(rows)) if self._least == -math.inf else np.flatnonzero(keys > self._least)
        while len(waiting):
            some = waiting[: len(self._keys) - self._size]
            place, run = slice(self._size, self._size + len(some)), _run(some)
            self._rows[place], self._keys[place], self._numbers[place] = rows[run], keys[run], numbers[run]
            self._size += len(some)
            waiting = waiting[len(some) :]
            if self._size == len(self._keys):
                self._cut_down()
                waiting = waiting[keys[waiting] > self._least]

    def merged(self, group: Group) -> Arrays:
        """The sample of all members together, in the order of the rows' numbers; an exchange of the sample."""
        self._cut_down()
        keys = self._keys[: self._size]
        everyone = np.concatenate(group.gather(keys))
        least = -math.inf
        if len(everyone) > self.capacity:
            least = np.partition(everyone, len(everyone) - self.capacity)[len(everyone) - self.capacity]
        mine = np.flatnonzero(keys >= least)
        mine = mine[np.argsort(self._numbers[mine], kind="stable")]
        arrays: Arrays = {"rows": _take(self._rows, mine), "keys": keys[mine], "numbers": self._numbers[mine]}
        gathered = {name: group.gather(array) for name, array in arrays.items()}
        if len(gathered["keys"]) == 1:
            return {name: array for name, (array,) in gathered.items()}
        whole = {name: np.concatenate(arrays) for name, arrays in gathered.items()}
        order = np.argsort(whole["numbers"], kind="stable")
        return {name: array[order] for name, array in whole.items()}

    def estimate(self, merged: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Rows (r, d), and how much each stands for (r,), relative to the others.

        Where rows fade, a kept one stands for max(w, t), where t is the highest priority of those not kept; the
        lowest one that was kept is given up to know t. Where all rows were kept, each stands for itself.
        """
        rows, logs = merged["rows"], self._log_weights(merged["numbers"])
        if self._half_life and self.seen > len(rows):
            lowest = int(np.argmin(merged["keys"]))
            logs = np.delete(np.maximum(logs, merged["keys"][lowest]), lowest)
            rows = np.delete(rows, lowest, axis=0)
        shares = np.exp(logs - logs.max(initial=-math.inf)).astype(np.float64)
        return rows, shares

    def snapshot(self, group: Group) -> Arrays:
        """The sample of all members by other names, for a checkpoint; an exchange of the sample."""
        return {f"sample.{name}": array for name, array in self.merged(group).items()}

    def reload(self, snapshot: Mapping[str, NDArray[Any]], seen: int, group: Group) -> None:
        """Take this member's share of what `snapshot` returned."""
        self.restore({name: snapshot[f"sample.{name}"] for name in ("rows", "keys", "numbers")}, seen, group)

    def restore(self, merged: Arrays, seen: int, group: Group) -> None:
        """Take this member's share of what `merged` returned."""
        share = slice(group.rank, None, group.size)
        self.seen, self._least = seen, -math.inf
        self._size = len(merged["keys"][share])
        self._rows[: self._size] = merged["rows"][share]
        self._keys[: self._size] = merged["keys"][share]
        self._numbers[: self._size] = merged["numbers"][share]

    def _cut_down(self) -> None:
        """Drop the rows that are beyond the capacity, those of lowest priority, and put others into their places."""
        excess = self._size - self.capacity
        if excess <= 0:
            return
        order = np.argpartition(self._keys[: self._size], excess)
        self._least, dropped = float(self._keys[order[excess]]), order[:excess]
        stays = np.ones(excess, np.bool_)
        stays[dropped[dropped >= self.capacity] - self.capacity] = False
        places, moved = dropped[dropped < self.capacity], self.capacity + np.flatnonzero(stays)
        for array in (self._rows, self._keys, self._numbers):
            array[places] = array[moved]
        self._size = self.capacity

    def _priorities(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Logarithms, as the weights of a long stream are beyond any float."""
        return self._log_weights(numbers) - np.log(uniforms(self._seed, numbers))

    def _log_weights(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """A row weighs twice as much as the one a half-life before it."""
        if not self._half_life:
            return np.zeros(len(numbers))
        return numbers.astype(np.float64) * (math.log(2) / self._half_life)


def _take(rows: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows in that order; as they lie, and not copied, where that is their order."""
    if len(order) and order[0] == 0 and order[-1] == len(order) - 1 and (np.diff(order) == 1).all():
        return rows[: len(order)]
    return rows[order]


def _run(order: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Ascending places; as a slice, which is quicker to copy, where they follow each other."""
    return slice(order[0], order[-1] + 1) if order[-1] - order[0] == len(order) - 1 else order


def positions(counts: NDArray[np.int64], rank: int) -> NDArray[np.int64]:
    """Where the rows of a member stand in a batch of which member j brings counts[j], in turns."""
    mine = np.arange(counts[rank], dtype=np.int64)
    before = np.zeros_like(mine)
    for other, count in enumerate(counts):
        before += np.minimum(count, mine + (other < rank))
    return before


def uniforms(seed: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number strictly between 0 and 1 for each of `numbers`."""
    # Seeds that are near each other, made far.
    key = np.random.SeedSequence(abs(seed)).generate_state(1, np.uint64)[0]
    return inner_shares(draws(key, numbers))
