"""Real pairs of sequences: ratings of films, and titles of Debian's packages with paragraphs that describe them."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import numpy as np

from benchmarks import data, texts

UNKNOWN = 0  # the id of words that are too rare
LEAST = 3  # titles and paragraphs that a word stands in
LONGEST = 200  # tokens of a paragraph

Parts = dict[str, Any]  # by "train", "validation" and "test": (in0, in1, label), lists of token ids and an array


@cache
def ratings() -> Parts:
    """Users, films and ratings, split at random: 72, 8 and 20 % of 100,000."""
    user, film, rating = data.ratings()
    whole = [row[None] for row in user], [row[None] for row in film], rating
    return _split(whole, np.random.default_rng(1).permutation(len(rating)), (0.72, 0.8))


@cache
def titles() -> Parts:
    """Titles and first paragraphs, 1 where both are of one package, and 0 of as many others, whose paragraph is of the
    next package of the same part; 80, 10 and 10 % of the packages."""
    split = []
    for text in texts.debian_texts():
        title, _, rest = text.partition("\n")
        words = [_words(title), _words(rest)[:LONGEST]]
        if all(words):
            split.append(words)
    order = np.random.default_rng(0).permutation(len(split))
    edges = [0, int(0.8 * len(order)), int(0.9 * len(order)), len(order)]
    counts = Counter(word for row in order[: edges[1]] for side in split[row] for word in set(side))
    known = {word: number for number, (word, times) in enumerate(counts.most_common(), 1) if times >= LEAST}
    parts: Parts = {"vocabulary": len(known) + 1}
    for name, first, last in zip(("train", "validation", "test"), edges, edges[1:], strict=False):
        rows = order[first:last]
        left, right = ([_ids(split[row][side], known) for row in rows] for side in (0, 1))
        label = np.repeat(np.array([1, 0], np.float32), len(rows))
        mixed = np.random.default_rng(1).permutation(len(label))
        both = left + left, right + right[1:] + right[:1]
        parts[name] = [both[0][i] for i in mixed], [both[1][i] for i in mixed], label[mixed]
    return parts


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _ids(words: list[str], known: dict[str, int]) -> Any:
    return np.array([known.get(word, UNKNOWN) for word in words])


def _split(whole: Any, order: Any, shares: tuple[float, float]) -> Parts:
    edges = [0, *(int(share * len(order)) for share in shares), len(order)]
    return {
        name: tuple(
            part[order[a:b]] if isinstance(part, np.ndarray) else [part[i] for i in order[a:b]] for part in whole
        )
        for name, a, b in zip(("train", "validation", "test"), edges, edges[1:], strict=False)
    }


def some(part: Any, count: int) -> Any:
    """The first pairs."""
    return tuple(each[:count] for each in part)


def joined(one: Any, other: Any) -> Any:
    """The pairs of both."""
    return tuple(
        np.concatenate(both) if isinstance(both[0], np.ndarray) else [*both[0], *both[1]]
        for both in zip(one, other, strict=True)
    )
