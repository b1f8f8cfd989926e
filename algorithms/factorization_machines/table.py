"""The features that were seen, each with its record: weights, factors and what Adam remembers of them.

e entries of a batch   u features that they touch   c features seen   k factors
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import PlatformError
from algoport.algorithms.factorization_machines import kernels
from algoport.algorithms.factorization_machines.batch import INDEX
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import HEAD, SEEN, WEIGHT, index, initial
from algoport.algorithms.factorization_machines.regions import Region
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.threads import team

NARROW = 1 << 16  # features up to which each has a place of its own in the index
FIRST = 1 << 10  # records that there is room for at the start
SPARE = 1 << 26  # bytes that are left to others when the table grows
LINEAR, FACTORS, BIAS = 1, 2, 3  # streams of random numbers from the seed


@dataclass(frozen=True, eq=False)
class Touched:
    """The entries of a batch, as `index.sort` leaves them."""

    records: NDArray[np.int32]  # (u,)
    numbers: NDArray[np.int32]  # (e,) which of u each entry has; -1: an entry of 0
    begins: NDArray[np.int64]  # (u + 1,)
    rows: NDArray[np.int32]  # (e,)
    factors: NDArray[np.float32]  # (e,)


class Table:
    """Records by feature. Grows with the features seen, and with nothing else."""

    def __init__(self, settings: Hyperparameters, seed: int) -> None:
        self.k, self.part = settings.num_factors, kernels.padded(settings.num_factors)
        self._features = settings.feature_dim
        self._direct = settings.feature_dim <= NARROW
        self._region = Region(kernels.width(self.k))
        self._known = np.empty(0, np.int32)
        self._counts = np.zeros(2, np.int64)
        self._batch = 0
        none = (("constant", 0.0) if not settings.use_linear else settings.start("linear"), settings.start("factors"))
        self._seeds = np.array([seed_of(seed, LINEAR), seed_of(seed, FACTORS)], np.uint64)
        self._methods = np.array([initial.METHODS[method] for method, _ in none], np.int64)
        self._sizes = np.array([size for _, size in none])
        self._index = _empty(settings.feature_dim if self._direct else 2 * FIRST)
        self._reserve(min(FIRST, self._features))

    @property
    def count(self) -> int:
        """Features seen: c."""
        count: int = self._counts[1].item()
        return count

    @property
    def records(self) -> NDArray[np.float32]:
        """(room, width), of which c are in use."""
        return self._region.records

    @property
    def known(self) -> NDArray[np.int32]:
        """The feature (c,) of each record."""
        return self._known[: self.count]

    @property
    def nbytes(self) -> int:
        """Bytes of the records in use, and of the index."""
        return int(self.count * self.records.shape[1] * 4 + self._index.nbytes + self._known.nbytes)

    def touch(self, bounds: NDArray[np.int32], features: NDArray[np.int32], values: NDArray[np.float32]) -> Touched:
        """Sort the entries of a batch by feature; features that were never seen begin here."""
        e, before = len(features), self.count
        numbers, touched, rows = np.empty(e, np.int32), np.empty(e + 1, np.int32), np.empty(e, np.int32)
        begins, factors = np.empty(e + 2, np.int64), np.empty(e, np.float32)
        bounds, features, values = const(bounds, INDEX), const(features, INDEX), const(values)
        while not self._touched(bounds, features, values, numbers, touched, begins, rows, factors):
            self._grow()
        self._begin(before)
        u = self._counts[0].item()
        return Touched(touched[:u], numbers, begins[: u + 1], rows, factors)

    def _touched(self, bounds: NDArray[np.int32], *arrays: NDArray[Any]) -> bool:
        """Whether there was room. Another number of a batch each time: a new index knows nothing of the last."""
        self._batch += 1
        features, values, *sets = arrays
        own = np.int32(self._batch), self._index, self._direct, self._known, self._counts
        room: bool = index.touch(bounds, features, values, *own, *sets)
        return room

    def add_all(self) -> None:
        """Have a record for each feature, in their order."""
        self.enter(np.arange(self._features, dtype=np.int32))
        self._begin(0)

    def enter(self, known: NDArray[np.int32]) -> None:
        """Have records of zeros for these features, and no others."""
        self._reserve(len(known))
        self._known[: len(known)] = known
        self._counts[1] = len(known)
        self._rebuild(max(len(self._index), FIRST))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a checkpoint."""
        return {"known": self.known, "records": self.records[: self.count]}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """What `arrays` had."""
        self.enter(np.asarray(arrays["known"], np.int32))
        self.records[: self.count] = arrays["records"]

    def seen(self) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """The features that some batch has touched, ascending, with their linear weights and factors (., k)."""
        known, records = self.known, self.records[: self.count]
        touched = np.flatnonzero(records[:, SEEN] != 0)
        order = touched[np.argsort(known[touched], kind="stable")]
        return known[order], records[order, WEIGHT], records[order, HEAD : HEAD + self.k]

    def start_from(
        self, features: NDArray[np.int32], weights: NDArray[np.float32], factors: NDArray[np.float32]
    ) -> None:
        """Have the features of a model, with nothing that Adam remembers."""
        self.enter(features)
        records = self.records[: len(features)]
        records[:, WEIGHT], records[:, SEEN], records[:, HEAD : HEAD + self.k] = weights, 1, factors

    def _begin(self, first: int) -> None:
        """Draw what the records from that one on start with."""
        known = self._known[first : self.count]
        if len(known):
            initial.begin(
                team(len(known) * self.k), known, first, self.records, self.k, self._seeds, self._methods, self._sizes
            )

    def _grow(self) -> None:
        """Room for twice as many features."""
        self._reserve(min(2 * self.count, self._features))
        if not self._direct:
            self._rebuild(2 * len(self._index))

    def _reserve(self, room: int) -> None:
        if room <= len(self._known):
            return
        free, needed = machine.memory_free(), (room - self.count) // 8 * self.records.shape[1] * 4
        if free is not None and needed > max(free - SPARE, 0):
            raise PlatformError(
                f"num_factors: the {self.count:,} features seen so far, at {self.records.shape[1] * 4} bytes each, and "
                f"those to come must fit into memory, of which {free:,} bytes are free; lower num_factors, or use a "
                "machine with more memory."
            )
        self._region.grow(room)
        self._known = np.concatenate([self._known[: self.count], np.empty(room - self.count, np.int32)])

    def _rebuild(self, places: int) -> None:
        """An index of at least so many places for the features there are."""
        if self._direct:
            places = self._features
        else:
            while index.LOAD * places <= self.count:
                places *= 2
        self._index = _empty(places)
        index.fill(self.known, self._index, self._direct)


def _empty(places: int) -> NDArray[np.int32]:
    array = np.zeros((places, 4), np.int32)
    array[:, 0] = index.EMPTY
    return array
