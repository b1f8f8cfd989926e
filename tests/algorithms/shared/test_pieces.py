"""Byte-pair encoding: rules from a plain count of all pairs at each step, and texts that come back whole."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

from algoport.algorithms.shared.text.pieces import END, Pair, Pieces, join, learn


def _plain(counts: dict[str, int], merges: int) -> list[Pair]:
    words = {word: [*word[:-1], word[-1] + END] for word in counts}
    rules: list[Pair] = []
    for _ in range(merges):
        totals: Counter[Pair] = Counter()
        for word, pieces in words.items():
            for pair in pairwise(pieces):
                totals[pair] += counts[word]
        best = min(totals, key=lambda pair: (-totals[pair], pair), default=None)
        if best is None or totals[best] < 2:
            break
        rules.append(best)
        for pieces in words.values():
            at = 0
            while at + 1 < len(pieces):
                if (pieces[at], pieces[at + 1]) == best:
                    pieces[at : at + 2] = ["".join(best)]
                at += 1
    return rules


def test_rules_are_those_of_a_plain_count() -> None:
    random = np.random.default_rng(0)
    words = {"".join(random.choice(list("abcd"), random.integers(1, 9))) for _ in range(80)}
    counts = {word: int(random.integers(1, 20)) for word in sorted(words)}

    assert learn(counts, 40) == _plain(counts, 40)


def test_texts_come_back_whole() -> None:
    text = "the lowest of the newest lower ones"
    pieces = Pieces(learn(Counter(text.split()), 5))

    split = pieces.split(text)

    assert len(split) > len(text.split())
    assert join(" ".join(split)) == text
