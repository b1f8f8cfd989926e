"""Real translations: titles and paragraphs of Debian's packages, English and German or French, as pieces of words.

Titles are paired by package; paragraphs where both descriptions have as many. Sentences that were left as they are in
English are no pairs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq.vocabulary import SPECIAL, UNK, Vocabulary
from algoport.algorithms.shared.text.pieces import Pieces, learn
from benchmarks import texts

RULES = 8000  # of byte-pair encoding, a side
LONGEST = 100  # pieces of a side; longer pairs are left out
SHARES = (0.9, 0.95)  # of the pairs: to train on, and up to where to validate
TOKEN = r"\w+|[^\w\s]"

Text = tuple[str, str]


class Corpus:
    """Pairs of ids by part, and what they mean."""

    def __init__(self, pairs: Sequence[Text]) -> None:
        order = np.random.default_rng(0).permutation(len(pairs))
        edges = [0, *(int(share * len(order)) for share in SHARES), len(order)]
        words = [[re.findall(TOKEN, side.lower()) for side in pairs[row]] for row in order]
        rules, self.vocabularies = [], []
        for side in (0, 1):
            counts = Counter(word for pair in words[: edges[1]] for word in pair[side])
            own = Pieces(learn(counts, RULES))
            pieces: Counter[str] = Counter()
            for word, times in counts.items():
                for piece in own.split(word):
                    pieces[piece] += times
            rules.append(own)
            self.vocabularies.append(Vocabulary([*SPECIAL, *(piece for piece, _ in pieces.most_common())]))
        self.parts: dict[str, Any] = {}
        for part, first, last in zip(("train", "validation", "test"), edges, edges[1:], strict=False):
            split = [
                [own.split(" ".join(side)) for own, side in zip(rules, pair, strict=True)] for pair in words[first:last]
            ]
            self.parts[part] = [pair for pair in split if all(0 < len(side) <= LONGEST for side in pair)]

    def records(self, part: str, count: int | None = None) -> Sequences:
        """The first pairs of a part, as a channel has them."""
        some = self.parts[part][:count]
        sides = {}
        for place, name in enumerate(("source", "target")):
            numbers = self.vocabularies[place].numbers
            sides[name] = Ragged.of([[numbers.get(piece, UNK) for piece in pair[place]] for pair in some])
        present = {name: np.ones(len(some), np.bool_) for name in sides}
        return Sequences(sequences=sides, present=present)

    def words(self, ids: Sequence[int]) -> list[str]:
        """The words of a target of ids."""
        return whole(self.vocabularies[1].tokens[token] for token in ids)

    def references(self, part: str, count: int | None = None) -> list[list[str]]:
        """The words of the targets of a part."""
        return [whole(pair[1]) for pair in self.parts[part][:count]]


def whole(pieces: Any) -> list[str]:
    """Words of their pieces."""
    return " ".join(pieces).replace("@@ ", "").split()


@cache
def titles(language: str = "de") -> Corpus:
    """Titles alone."""
    return Corpus(_parallel(language)[0])


@cache
def descriptions(language: str = "de") -> Corpus:
    """Titles and paragraphs."""
    some, more = _parallel(language)
    return Corpus(some + more)


@cache
def _parallel(language: str) -> tuple[list[Text], list[Text]]:
    """English and other titles, and paragraphs."""
    english, other = texts.debian_translations("en"), texts.debian_translations(language)
    both = [key for key in other if key in english]
    names = {(english[key][0], other[key][0]) for key in both}
    paragraphs = {
        pair
        for key in both
        if len(english[key][1]) == len(other[key][1])
        for pair in zip(english[key][1], other[key][1], strict=True)
    }
    return sorted(pair for pair in names if pair[0] != pair[1]), sorted(p for p in paragraphs if p[0] != p[1])
