"""Which words and labels are learned, in which order, and what a model to start from knows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.dictionary import Dictionary, Lookup
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged, joined_ragged

_SHOWN = 5  # words that a message names


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """n texts by falling counts."""

    texts: Ragged  # (n,)
    counts: NDArray[np.int64]  # (n,)
    numbers: NDArray[np.int32]  # (u,) of each that the corpus has its place here, -1 where it has none
    earlier: NDArray[np.int64]  # (n,) of each its row in the model to start from, -1 where it has none

    def __len__(self) -> int:
        return len(self.counts)


def choose(dictionary: Dictionary, least: int, start: tuple[Ragged, NDArray[np.int64]] | None) -> Vocabulary:
    """Those of the corpus that come so often, and all of the model to start from, whose counts are added.

    Equal counts stay in the order in which they first came; of the model's they come first.
    """
    words, counts = dictionary.words, dictionary.counts
    old = (Ragged.empties(0, np.uint8), np.empty(0, np.int64)) if start is None else start
    known = np.full(len(dictionary), -1, np.int64)
    if len(old[0]):
        looked = numbers_of(Lookup(old[0]), words)
        known[:] = looked
    fresh = np.flatnonzero((known < 0) & (counts >= least))
    sums = np.concatenate([old[1], counts[fresh]])
    again = known >= 0
    np.add.at(sums, known[again], counts[again])
    order = np.argsort(-sums, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    numbers = np.full(len(dictionary), -1, np.int32)
    numbers[again] = place[known[again]]
    numbers[fresh] = place[len(old[1]) + np.arange(len(fresh))]
    texts = joined_ragged([old[0], words.take(fresh)]).take(order)
    return Vocabulary(
        texts=texts, counts=sums[order], numbers=numbers, earlier=np.where(order < len(old[1]), order, -1)
    )


def check_frequent(words: Vocabulary, dictionary: Dictionary, least: int, closing: bool) -> None:
    """`UserError` where no word comes as often as it must."""
    closes = closing and bool(words.numbers[0] >= 0)
    if len(words) > closes or (closing and not len(dictionary) > 1):
        return
    counts = dictionary.counts[int(closing) :]
    best = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = ", ".join(
        f"{text.decode(errors='replace')[:40]!r} ({counts[number]})"
        for number, text in zip(best.tolist(), dictionary.words.take(best + int(closing)).encoded(), strict=True)
    )
    raise UserError(
        f"min_count: must be at most the count of some word; it is {least}, and of the {len(counts):,} words of "
        f"channel 'train' the most frequent are {shown or 'none'}."
    )


def numbers_of(lookup: Lookup, words: Ragged) -> NDArray[np.int64]:
    """The number of each word, -1 where it is unknown."""
    numbers, _, _, ends = lookup.find(words)
    out = np.full(len(words), -1, np.int64)
    single = np.flatnonzero(np.diff(ends) == 1)
    out[single] = numbers[ends[single]]
    return out
