"""Training pairs in batches of similar length, from a stream of which some thousands are there at a time.

Which pairs make a batch follows from the lengths of all members' pairs, which they exchange: it makes no difference who
has which. Nothing of the stream is kept, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group, interleaved, total
from algoport.algorithms.seq2seq.pairs import Buckets, Pairs, batches, none

Ints = NDArray[np.int64]
BATCHES = 256  # of a window


@dataclass(frozen=True, eq=False)
class Window:
    """Some thousands of pairs, over all members."""

    own: Pairs  # this member's
    owners: Ints  # (n,) the member of each
    places: Ints  # (n,) and its place among that member's
    source: Ints  # (n,) source tokens
    target: Ints  # (n,) target tokens
    skipped: int  # records with an empty side
    cut: int

    @classmethod
    def gather(cls, own: Pairs, group: Group) -> Window:
        """The exchange."""
        lengths = np.zeros((own.records, 4), np.int64)
        if own.numbers is not None:
            columns = (own.source.lengths, own.target.lengths, np.full(len(own), group.rank), np.arange(len(own)))
            lengths[own.numbers] = np.stack(columns, axis=1)
        every = interleaved(group.gather(lengths))
        some = every[every[:, 0] > 0]
        cut = int(total(group, own.cut)[0])
        return cls(own, some[:, 2], some[:, 3], some[:, 0], some[:, 1], len(every) - len(some), cut)

    def figures(self) -> NDArray[np.float64]:
        """Sums over its pairs, in the order of `Ratios`."""
        ratios = self.target / self.source
        return np.array([len(ratios), ratios.sum(), (ratios * ratios).sum(), self.skipped, self.cut])

    def batches(self, size: int, buckets: Buckets | None, seed: int, rank: int) -> Iterator[Pairs]:
        """This member's part of each batch."""
        for chosen in batches(self.source, self.target, size, buckets, seed):
            yield self.own.take(self.places[chosen[self.owners[chosen] == rank]])


def windows(source: Iterator[Any], read: Callable[[Any], Pairs], group: Group) -> Iterator[Window]:
    """The windows of a pass, as many at every member."""
    while True:
        records = next(source, None)
        if not total(group, records is not None)[0]:
            return
        yield Window.gather(none() if records is None else read(records), group)
