"""The kernels in a few lines of NumPy, in float64, with the same random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from algoport.algorithms.shared.randomness import draws, shares

END = -1
GROUP = 6  # output rows that are changed together
TRIES = 8  # draws of a negative sample that differs from all before


def fnv(data: bytes) -> int:
    """fastText's hash of 32 bits."""
    state = 2166136261
    for byte in data:
        state = (state ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 & 0xFFFFFFFF
    return state


def subwords(word: str, least: int, most: int, buckets: int) -> list[int]:
    """The buckets of the n-grams of characters of <word>, but for < and > alone."""
    whole = f"<{word}>"
    grams = [
        whole[i : i + n]
        for i in range(len(whole))
        for n in range(least, most + 1)
        if i + n <= len(whole) and not (n == 1 and i in (0, len(whole) - 1))
    ]
    return [fnv(gram.encode()) % buckets for gram in grams]


def ngrams(hashes: Sequence[int], n: int, buckets: int) -> list[int]:
    """The buckets of word n-grams; fastText takes each hash for a signed number."""
    grams = []
    for i, first in enumerate(hashes):
        state = _signed(first)
        for other in hashes[i + 1 : i + n]:
            state = (state * 116049371 + _signed(other)) & (2**64 - 1)
            grams.append(state % buckets)
    return grams


def _signed(number: int) -> int:
    return (number - 2**32 if number >= 2**31 else number) & (2**64 - 1)


class Stream:
    """Draws by count."""

    def __init__(self, key: Any) -> None:
        self.key, self.place = key, 0

    def bits(self) -> int:
        """The next 64."""
        self.place += 1
        return int(draws(self.key, self.place))

    def share(self) -> float:
        """The next from 0 to 1."""
        return float(shares(np.uint64(self.bits())))


def outcome(table: Any, bits: int) -> int:
    """What an alias table has for 64 bits."""
    entry = (bits & 0xFFFFFFFF) * len(table) >> 32
    return entry if bits >> 32 <= int(table[entry, 0]) else int(table[entry, 1])


class Word2Vec:
    """One stretch of text, word by word; tables are changed in place."""

    def __init__(self, mode: str, tables: tuple[Any, Any], window: int, negatives: int, batch: int, rows: Any) -> None:
        self.mode, self.batch, self.rows = mode, batch, rows
        self.inputs, self.outputs = tables
        self.window, self.negatives = window, negatives

    def learn(self, tokens: Sequence[int], keep: Any, table: Any, rates: tuple[float, float], seed: int) -> None:
        """All sentences, each up to its end."""
        stream = Stream(draws(np.uint64(seed), 0))
        sentence: list[int] = []
        begin = 0
        for place, token in enumerate(tokens):
            if token >= 0 and (keep[token] >= 1 or stream.share() < keep[token]):
                sentence.append(token)
            if token == END:
                if len(sentence) > 1:
                    self._sentence(sentence, table, rates[0] - rates[1] * begin, stream)
                sentence, begin = [], place + 1

    def _targets(self, word: int, table: Any, stream: Stream) -> list[int]:
        targets = [word]
        for _ in range(self.negatives):
            for _ in range(TRIES):
                other = outcome(table, stream.bits())
                if other not in targets:
                    targets.append(other)
                    break
        return targets

    def _sentence(self, sentence: list[int], table: Any, rate: float, stream: Stream) -> None:
        ahead = self._targets(sentence[0], table, stream) if self.mode == "batch_skipgram" else []
        for i, word in enumerate(sentence):
            targets = ahead
            if self.mode == "batch_skipgram" and i + 1 < len(sentence):
                ahead = self._targets(sentence[i + 1], table, stream)
            radius = 1 + int(stream.share() * self.window)
            context = [j for j in range(max(0, i - radius), min(len(sentence), i + radius + 1)) if j != i]
            others = [sentence[j] for j in context]
            if self.mode == "batch_skipgram":
                while others:
                    part, others = others[: self.batch], others[self.batch :]
                    self._step(part, targets, rate)
                    if len(part) == self.batch:
                        targets = self._targets(word, table, stream)
            elif self.mode == "cbow":
                self._mean([row for each in others for row in self.rows[each]], [word], table, rate, stream)
            else:
                self._mean(self.rows[word], others, table, rate, stream)

    def _mean(self, rows: list[int], words: list[int], table: Any, rate: float, stream: Stream) -> None:
        hidden = self.inputs[rows].mean(axis=0)
        before = hidden.copy()
        for word in words:
            targets = self._targets(word, table, stream)
            scores = self.outputs[targets] @ hidden
            label = np.arange(len(targets)) == 0
            update([hidden], self.outputs, targets, ((label - 1 / (1 + np.exp(-scores))) * rate)[None])
        np.add.at(self.inputs, rows, hidden - before)

    def _step(self, rows: list[int], targets: list[int], rate: float) -> None:
        scores = self.inputs[rows] @ self.outputs[targets].T
        label = np.arange(len(targets)) == 0
        update([self.inputs[row] for row in rows], self.outputs, targets, (label - 1 / (1 + np.exp(-scores))) * rate)


def update(inputs: Sequence[Any], outputs: Any, targets: Sequence[int], errors: Any) -> None:
    """Both sides of a step, by errors (a, b), in groups of output rows: a group sees what the one before it has changed
    of the input rows, and of a row that is there twice the second sees what the first has changed."""
    for first in range(0, len(targets), GROUP):
        own = list(targets[first : first + GROUP])
        before, change = outputs[own], np.zeros((len(own), outputs.shape[1]))
        for row, error in zip(inputs, errors[:, first : first + GROUP], strict=True):
            change += np.outer(error, row)
            row[:] = row + error @ before
        outputs[own] += change


def classify(lines: Sequence[tuple[list[int], list[int], int]], tables: Any, rates: Any, key: Any) -> None:
    """Learns lines, each its rows, its labels and where it began."""
    inputs, outputs = tables
    for rows, labels, begin in lines:
        label = labels[int(float(shares(draws(key, begin))) * len(labels))]
        hidden = inputs[rows].mean(axis=0)
        scores = np.exp(outputs @ hidden - (outputs @ hidden).max())
        error = (np.arange(len(outputs)) == label) - scores / scores.sum()
        error *= rates[0] - rates[1] * begin
        change = error @ outputs
        outputs += np.outer(error, hidden)
        np.add.at(inputs, rows, change / len(rows))
