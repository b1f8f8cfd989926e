"""Byte-pair encoding: rare words as pieces that are frequent (Sennrich, Haddow and Birch 2016).

A word is its letters, the last of which is marked; the pair of neighboring pieces that is most frequent is merged,
again and again. In text a piece that its word goes on behind ends in `@@`, as subword-nmt writes it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

CONTINUED = "@@"  # ends a piece behind which its word goes on
END = "</w>"  # ends the last piece of a word, within rules
Pair = tuple[str, str]


def learn(counts: Mapping[str, int], merges: int) -> list[Pair]:
    """At most so many rules, the first learned first, from how often each word stands in a text. Of pairs that are
    equally frequent the one is merged that comes first in the order of its letters; pairs that occur once are left."""
    words = [_letters(word) for word in counts]
    times = list(counts.values())
    totals: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, pieces in enumerate(words):
        for pair in pairwise(pieces):
            totals[pair] += times[number]
            where[pair].add(number)
    heap = [(-count, pair) for pair, count in totals.items()]
    heapq.heapify(heap)
    rules: list[Pair] = []
    while heap and len(rules) < merges:
        count, pair = heapq.heappop(heap)
        if totals[pair] != -count:
            continue  # it has changed since, and stands in the heap again
        if -count < 2:
            break
        rules.append(pair)
        changed: set[Pair] = set()
        for number in where.pop(pair):
            changed |= _replace(words, number, pair, times[number], totals, where)
        del totals[pair]
        for other in changed - {pair}:
            if totals[other] > 0:
                heapq.heappush(heap, (-totals[other], other))
    return rules


def _letters(word: str) -> tuple[str, ...]:
    return (*word[:-1], word[-1] + END) if word else ()


def _merged(pieces: Sequence[str], pair: Pair) -> tuple[str, ...]:
    out: list[str] = []
    at = 0
    while at < len(pieces):
        if at + 1 < len(pieces) and (pieces[at], pieces[at + 1]) == pair:
            out.append(pieces[at] + pieces[at + 1])
            at += 2
        else:
            out.append(pieces[at])
            at += 1
    return tuple(out)


def _replace(
    words: list[tuple[str, ...]],
    number: int,
    pair: Pair,
    times: int,
    totals: Counter[Pair],
    where: defaultdict[Pair, set[int]],
) -> set[Pair]:
    """Merge a pair in a word; the pairs whose number that changes, which alone need a new place in the heap."""
    before, after = words[number], _merged(words[number], pair)
    words[number] = after
    changes: dict[Pair, int] = {}
    for other in pairwise(before):
        changes[other] = changes.get(other, 0) - 1
    gone = set(changes)
    for other in pairwise(after):
        changes[other] = changes.get(other, 0) + 1
        gone.discard(other)
        if changes[other] > 0:
            where[other].add(number)
    for other in gone - {pair}:
        where[other].discard(number)
    different = {other for other, change in changes.items() if change}
    for other in different:
        totals[other] += times * changes[other]
    return different


class Pieces:
    """Splits words by rules."""

    def __init__(self, rules: Sequence[Pair]) -> None:
        self.rules = [(first, second) for first, second in rules]
        self._ranks = {pair: rank for rank, pair in enumerate(self.rules)}
        self._split = lru_cache(1 << 16)(self._split_word)

    def split(self, text: str) -> list[str]:
        """The pieces of all words of a text, which have blanks between them."""
        return [piece for word in text.split() for piece in self._split(word)]

    def _split_word(self, word: str) -> tuple[str, ...]:
        pieces = _letters(word)
        while len(pieces) > 1:
            pairs = pairwise(pieces)
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            pieces = _merged(pieces, best)
        whole = [piece.removesuffix(END) for piece in pieces]
        return (*(piece + CONTINUED for piece in whole[:-1]), whole[-1])


def join(text: str) -> str:
    """Words from the pieces of a text."""
    return text.replace(f"{CONTINUED} ", "").removesuffix(CONTINUED)
