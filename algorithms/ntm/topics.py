"""What a topic is told by: its words, how much they are its own, and how near they are to each other.

k topics   v words   n words of a topic that are looked at   d numbers of a word's vector
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHOWN = 20  # words of a topic


@dataclass(frozen=True, eq=False)
class Topics:
    """Topics as their words."""

    words: NDArray[np.int64]  # (k, n) numbers of words, the heaviest first
    weights: NDArray[np.float32]  # (k, n)
    uniqueness: NDArray[np.float64]  # (k,) TU
    coherence: NDArray[np.float64] | None  # (k,) WETC, where there are vectors


def describe(weights: NDArray[np.float32], vectors: NDArray[np.float32] | None, shown: int = SHOWN) -> Topics:
    """The topics of weights (k, v), with vectors (v, d) of the words where there are any. Of equal weights the lower
    number is the first."""
    words = heaviest(weights, shown)
    coherence = None if vectors is None else similarity(words, vectors)
    return Topics(words, np.take_along_axis(weights, words, 1), uniqueness(words), coherence)


def heaviest(weights: NDArray[np.float32], shown: int) -> NDArray[np.int64]:
    """The numbers (k, n) of the words of the largest weights of each topic."""
    n = min(shown, weights.shape[1])
    some = np.sort(np.argpartition(-weights, n - 1, axis=1)[:, :n], axis=1)
    order = np.argsort(-np.take_along_axis(weights, some, 1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(some, order, 1), np.int64)


def uniqueness(words: NDArray[np.int64]) -> NDArray[np.float64]:
    """TU of each topic (k,): the mean over its words of one over how many topics have the word (Nan et al. 2019)."""
    _, places, counts = np.unique(words, return_inverse=True, return_counts=True)
    return np.asarray((1.0 / counts[places.reshape(words.shape)]).mean(axis=1))


def similarity(words: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """WETC of each topic (k,): the mean cosine of the vectors of each two of its words (Ding et al. 2018)."""
    own = vectors[words].astype(np.float64)
    own /= np.maximum(np.linalg.norm(own, axis=2, keepdims=True), 1e-12)
    n = words.shape[1]
    if n < 2:
        return np.ones(len(words))
    sums = own.sum(axis=1)
    pairs = (sums * sums).sum(axis=1) - (own * own).sum(axis=(1, 2))
    return np.asarray(pairs / (n * (n - 1)))
