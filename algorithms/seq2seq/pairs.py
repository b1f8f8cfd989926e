"""Pairs of sentences as ids, checked and cut; and how pairs of similar length come into one batch.

n pairs of a window, over all members
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq.kernels import rows as kernels
from algoport.algorithms.shared.arrays import const

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sentences of both sides, none of them empty where they are for training."""

    source: Ragged
    target: Ragged
    numbers: Ints | None = None  # (n,) of each its number among the records it was read with
    records: int = 0  # how many those were; the others had an empty side
    cut: int = 0  # pairs of which one side was too long

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Ints) -> Pairs:
        """Some of them."""
        return Pairs(self.source.take(rows), self.target.take(rows))

    def keys(self, seed: int) -> NDArray[np.uint64]:
        """(n,) what each pair's draws come from: a seed, and what it holds."""
        own = np.full(len(self), np.uint64(seed))
        for side in (self.source, self.target):
            kernels.sentence_keys_(const(side.values, np.dtype(np.int32)), const(side.offsets, np.dtype(np.int64)), own)
        return own


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What pairs must keep to."""

    source_words: int
    target_words: int
    source_length: int
    target_length: int


def none() -> Pairs:
    """No pairs."""
    return Pairs(Ragged.empties(0, np.int32), Ragged.empties(0, np.int32))


def check_ids(ids: Ragged, side: str, words: int, records: Sequences) -> None:
    """`UserError` names the first record with an id that is not of the vocabulary."""
    wrong = np.flatnonzero(ids.values >= words)
    if len(wrong):
        number = int(np.searchsorted(ids.offsets, wrong[0], "right")) - 1
        position = int(wrong[0] - ids.offsets[number]) + 1
        raise UserError(
            f"{records.place(number)}: the ids of '{side}' must be below {words}, the size of its vocabulary; at "
            f"position {position} is {ids.values[wrong[0]]}."
        )


def shortened(ids: Ragged, most: int) -> tuple[Ragged, NDArray[np.bool_]]:
    """Sentences of at most so many tokens, and which were longer."""
    longer = ids.lengths > most
    return (Ragged.spans(ids.values, ids.offsets[:-1], np.minimum(ids.lengths, most)) if longer.any() else ids), longer


def read(records: Sequences, limits: Limits) -> Pairs:
    """The pairs of records; those of which one side is empty are left out, long ones are cut and counted."""
    source, target = records.tokens("source"), records.tokens("target")
    check_ids(source, "source", limits.source_words, records)
    check_ids(target, "target", limits.target_words, records)
    source, longer = shortened(source, limits.source_length)
    target, also = shortened(target, limits.target_length)
    some = np.flatnonzero((source.lengths > 0) & (target.lengths > 0))
    if len(some) < len(records):
        source, target = source.take(some), target.take(some)
    return Pairs(source, target, some, len(records), int((longer | also)[some].sum()))


@dataclass(frozen=True, eq=False)
class Buckets:
    """Lengths at which one bucket ends and the next begins, of both sides (Hieber et al. 2017)."""

    source: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    target: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, width: int, ratio: float, longest_source: int, longest_target: int) -> Buckets:
        """For a mean ratio of target to source length: the longer side in steps of `width`, the other in proportion."""
        steps = (max(1, int(width / ratio)), width) if ratio >= 1 else (width, max(1, int(width * ratio)))
        sides = [_ends(step, most) for step, most in zip(steps, (longest_source, longest_target), strict=True)]
        longer = max(map(len, sides))
        source, target = (side + [side[-1]] * (longer - len(side)) for side in sides)
        both = sorted({(max(2, s), max(2, t)) for s, t in zip(source, target, strict=True)})
        return cls(*(np.array(side, np.int64) for side in zip(*both, strict=True)))

    def numbers(self, source: Ints, target: Ints) -> Ints:
        """Of pairs with these lengths the bucket of each: the first that both fit into."""
        last = len(self.source) - 1
        places = np.maximum(
            np.searchsorted(self.source, source, side="left"), np.searchsorted(self.target, target, side="left")
        )
        return np.minimum(places, last)


def _ends(step: int, most: int) -> list[int]:
    return [min(most, step * number) for number in range(1, math.ceil(most / step) + 1)]


def batches(source: Ints, target: Ints, size: int, buckets: Buckets | None, seed: int) -> Iterator[Ints]:
    """Numbers of the pairs of each batch, from the lengths (n,) of all: pairs of one bucket one behind the other, in a
    random order; and the batches in a random order."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(source))
    if buckets is not None:
        order = order[np.argsort(buckets.numbers(source[order], target[order]), kind="stable")]
    firsts = np.arange(0, len(order), size)
    for first in firsts[random.permutation(len(firsts))].tolist():
        yield order[first : first + size]
