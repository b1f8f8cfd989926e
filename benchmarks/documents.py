"""Documents as counts of words of a vocabulary of a given size, and how topics are judged by them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks import texts


@cache
def reuters() -> Any:
    """395 news by 4,258 words."""
    return _with_words(texts.reuters())


@cache
def bbc() -> Any:
    """Every second of 2,225 news of five subjects, by the 2,000 most frequent words."""
    return frequent(texts.bbc()[::2], 2000)


@cache
def descriptions() -> Any:
    """Descriptions of Debian's packages, some 60,000, by their 10,000 most frequent words."""
    return frequent(texts.debian(), 10_000)


def frequent(counts: Any, v: int) -> Any:
    """The columns of the v most frequent words, in their order; documents that have one of them."""
    totals = np.asarray(counts.sum(axis=0)).ravel()
    chosen = np.sort(np.argsort(-totals, kind="stable")[:v])
    return _with_words(sparse.csr_array(counts[:, chosen]))


def _with_words(counts: Any) -> Any:
    own = sparse.csr_array(counts[np.flatnonzero(np.diff(counts.indptr))])
    own.sort_indices()
    return own


def coherence(counts: Any, topics: Any, shown: int = 10) -> float:
    """NPMI (Bouma 2009): the mean over topics (k, v) and each two of a topic's heaviest words, by the documents that
    have both; -1 of words that are never together."""
    words = np.argsort(-topics, axis=1, kind="stable")[:, :shown]
    n, numbers = counts.shape[0], np.unique(words)
    there = (counts[:, numbers] > 0).astype(np.float64)
    both = np.asarray((there.T @ there).todense())
    place = {int(word): number for number, word in enumerate(numbers)}
    values = []
    for own in words:
        for i, one in enumerate(own):
            for other in own[:i]:
                a, b = place[int(one)], place[int(other)]
                joint = both[a, b] / n
                chance = both[a, a] / n * both[b, b] / n
                values.append(-1.0 if joint == 0 else 1.0 if joint == 1 else np.log(joint / chance) / -np.log(joint))
    return float(np.mean(values))


def uniqueness(topics: Any, shown: int = 20) -> float:
    """TU: the mean over topics (k, v) and their heaviest words of one over how many topics have the word there."""
    words = np.argsort(-topics, axis=1, kind="stable")[:, :shown]
    counts = np.bincount(words.ravel())
    return float((1 / counts[words]).mean())
