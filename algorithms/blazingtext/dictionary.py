"""Words and their numbers, in tables that compiled loops read and grow.    v words"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.kernels import words as kernels
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.arrays import const

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Hashes = NDArray[np.uint32]
CLOSE = "</s>"  # the word at a line's end, as fastText has it


class Dictionary:
    """Words by the order in which they first came, with how often each did."""

    def __init__(self, closing: bool = False) -> None:
        self._slots = np.full(1 << 10, -1, np.int32)
        self._hashes, self._counts = np.empty(1 << 9, np.uint32), np.zeros(1 << 9, np.int64)
        self._starts, self._letters = np.zeros((1 << 9) + 1, np.int64), np.empty(1 << 13, np.uint8)
        self._size = self._bytes = 0
        self._closing = -1
        if closing:
            self.add(Ragged.texts([CLOSE]))
            self._counts[0], self._closing = 0, 0

    def __len__(self) -> int:
        return self._size

    def add(self, lines: Ragged, labels: Ragged | None = None) -> Ints:
        """The stream of lines: the number of each word, -2 - the number of each label, and -1 at each line's end.
        `labels`: the numbers of each line's labels."""
        text, offsets = const(lines.values, np.uint8), const(lines.offsets, np.int64)
        marks = Ragged.empties(len(lines), np.int32) if labels is None else labels
        tokens = np.empty(len(text) // 2 + 3 * len(lines) + len(marks.values) + 1, np.int32)
        state = np.array([0, 0, 0, self._size, self._bytes], np.int64)
        numbers, borders = const(marks.values, np.int32), const(marks.offsets, np.int64)
        while not kernels.number_words(
            text, offsets, numbers, borders, self._closing, state, self._slots, self._hashes, self._starts,
            self._letters, self._counts, tokens,
        ):  # fmt: skip
            self._size, self._bytes = int(state[kernels.WORDS]), int(state[kernels.BYTES])
            self._grow(len(text))
        self._size, self._bytes = int(state[kernels.WORDS]), int(state[kernels.BYTES])
        return tokens[: state[kernels.TOKENS]]

    def _grow(self, size: int) -> None:
        """Twice the words, and room for the longest that a text of that size may have."""
        more = 2 * len(self._counts)
        self._hashes, self._counts = (_longer(each, more) for each in (self._hashes, self._counts))
        self._starts = _longer(self._starts, more + 1)
        if self._bytes + min(size, 1 << 28) > len(self._letters):
            self._letters = _longer(self._letters, max(2 * len(self._letters), self._bytes + size))
        self._slots = np.empty(4 * more, np.int32)
        kernels.place_words(self._slots, self._hashes, self._size)

    @property
    def counts(self) -> Longs:
        """(v,) how often each word came."""
        return self._counts[: self._size]

    @property
    def hashes(self) -> Hashes:
        """(v,)"""
        return self._hashes[: self._size]

    @property
    def words(self) -> Ragged:
        """The words' bytes."""
        return Ragged(self._letters[: self._bytes], self._starts[: self._size + 1])


def _longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    whole = np.zeros(size, array.dtype)
    whole[: len(array)] = array
    return whole


class Lookup:
    """Words of a model, to be found by their bytes."""

    def __init__(self, words: Ragged) -> None:
        self._letters, self._starts = const(words.values, np.uint8), const(words.offsets, np.int64)
        hashes = np.empty(len(words), np.uint32)
        kernels.hash_words(self._letters, self._starts, hashes)
        self._hashes = const(hashes, np.uint32)
        slots = np.empty(1 << max(4, (2 * len(words)).bit_length()), np.int32)
        kernels.place_words(slots, self._hashes, len(words))
        self._slots = const(slots, np.int32)

    def find(self, lines: Ragged) -> tuple[Ints, Hashes, Longs, Longs]:
        """The words of lines by their numbers, -1 where they are unknown; their hashes; where each begins; and how many
        there are up to the end of each line, behind a 0."""
        text, offsets = const(lines.values, np.uint8), const(lines.offsets, np.int64)
        room = len(text) // 2 + len(lines) + 1
        words, hashes, places = np.empty(room, np.int32), np.empty(room, np.uint32), np.empty(room, np.int64)
        ends = np.zeros(len(lines) + 1, np.int64)
        count = kernels.find_words(
            text, offsets, self._slots, self._hashes, self._starts, self._letters, words, hashes, places, ends
        )
        return words[:count], hashes[:count], places[:count], ends


class Subwords:
    """Which rows each word of a vocabulary is the mean of: its own, and those of its n-grams of characters."""

    def __init__(self, words: Ragged, least: int, most: int, buckets: int) -> None:
        self.least, self.most, self.buckets = least, most, buckets
        self._words = words

    @cached_property
    def table(self) -> tuple[Longs, Longs]:
        """Where each word's rows begin (v + 1,), and all rows."""
        letters, starts = const(self._words.values, np.uint8), const(self._words.offsets, np.int64)
        offsets, rows = np.zeros(len(self._words) + 1, np.int64), np.empty(0, np.int64)
        for _ in range(2):
            total = kernels.all_subwords(letters, starts, self.least, self.most, self.buckets, offsets, rows)
            if total > len(rows):
                rows = np.empty(total, np.int64)
        return offsets, rows

    def of(self, word: bytes) -> Longs:
        """The rows of a word that is not in the vocabulary."""
        size = len(word) + 2
        rows = np.empty(size * min(self.most, size), np.int64)
        letters = const(np.frombuffer(word, np.uint8), np.uint8)
        count = kernels.subwords(letters, 0, len(word), self.least, self.most, self.buckets, rows)
        return rows[:count] + len(self._words)
