"""From the components of the tensor to topics and their prior, and what refines them.

v words   k topics   w numbers of a row, k and zeros behind them
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.lda.decomposition import Components
from algoport.algorithms.lda.kernels import infer
from algoport.algorithms.lda.moments import Matrix
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.sparse_products import add_transposed, padded
from algoport.algorithms.shared.text.counts import Counts

STEPS = 8  # of expectation maximization of a document in a pass: 3 and 5 lost .001 to .004 a word at equal passes
ETA = 0.05  # added to how often a topic has each word: .2 lost .015 a word on two of three sets, .1 won on the third
# The share of all words' frequencies that is mixed into each topic, so that no word is impossible that there is. Topics
# that are refined get as much as was negative in them and was cut off, up to the second: .3 in all topics kept those of
# clean documents a tenth from what they are, and .1 lost .01 a word of noisy ones.
MIXED, MOST_MIXED = 0.02, 0.3
SPREAD = 5.0  # how many times the even prior one of a topic may be, or which part of it


@dataclass(frozen=True, eq=False)
class Topics:
    """Topics and their prior."""

    prior: NDArray[np.float32]  # (k,)
    words: NDArray[np.float32]  # (k, v) rows that sum to 1


def unwhitened(components: Components, back: Matrix, alpha0: float) -> tuple[Matrix, Matrix]:
    """The prior (c,) and the topics (c, v) that the components stand for; entries may be negative.

    With b = back v, whose entries sum to m, b / m is the topic, and the weight of its third power 2 alpha /
    (alpha0 (alpha0 + 1) (alpha0 + 2)) times |W' topic|³, which is m⁻³ (Anandkumar et al. 2014, theorem 3.5). Where the
    components are orthogonal this is the usual formula; it also holds where there are more topics than directions.
    """
    rows = (back @ components.columns).T
    mass = rows.sum(axis=1)
    prior = components.weights * mass**3 * (alpha0 * (alpha0 + 1) * (alpha0 + 2) / 2)
    return prior, rows * np.where(mass < 0, -1.0, 1.0)[:, None]


def chosen(prior: Matrix, rows: Matrix, k: int, alpha0: float, mean: Matrix, refined: bool) -> Topics:
    """The k topics of the largest prior, which then sums to alpha0; what is negative counts as 0. `refined`: whether
    they are a start only.

    Their order is that of their projections on a fixed direction of words: which restart found them, and in which
    order, hangs on the last digits, and so on the number of hosts.
    """
    best = np.argsort(-prior, kind="stable")[:k]
    words = np.maximum(rows[best], 0)
    frequencies = mean / mean.sum() if mean.sum() > 0 else np.full(len(mean), 1 / len(mean))
    sums = words.sum(axis=1, keepdims=True)
    words = np.where(sums > 0, words / np.where(sums > 0, sums, 1.0), frequencies)
    whole = np.abs(rows[best]).sum(axis=1, keepdims=True)
    lost = -np.minimum(rows[best], 0).sum(axis=1, keepdims=True) / np.maximum(whole, 1e-300)
    mixed = np.clip(lost, MIXED, MOST_MIXED if refined else MIXED)
    order = np.argsort(words @ np.random.default_rng(0).standard_normal(len(mean)), kind="stable")
    words = (1 - mixed[order]) * words[order] + mixed[order] * frequencies
    words = np.ascontiguousarray(words / words.sum(axis=1, keepdims=True), np.float32)
    return Topics(bounded(prior[best][order], alpha0), words)


def bounded(prior: Matrix, alpha0: float) -> NDArray[np.float32]:
    """A prior that sums to alpha0, none of it far from even."""
    even = alpha0 / len(prior)
    near = np.clip(prior, even / SPREAD, even * SPREAD)
    return np.asarray(near * (alpha0 / near.sum()), np.float32)


def by_word(topics: Topics) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The topics word by word (v, w), and the prior (w,), as kernels take them."""
    k, v = topics.words.shape
    rows, prior = np.zeros((v, padded(k)), np.float32), np.zeros(padded(k), np.float32)
    rows[:, :k], prior[:k] = topics.words.T, topics.prior
    return const(rows), const(prior)


def add_expected(
    sums: NDArray[np.float64],  # adds (v, w)
    rows: NDArray[np.float32],  # (v, w)
    prior: NDArray[np.float32],
    k: int,
    counts: Counts,
) -> None:
    """The E-step of a pass: how often each word is expected of each topic, but for the factor of the topics
    themselves, which is the same for all documents."""
    mixtures, ratios = infer(*counts.arrays, rows, prior, k, STEPS)
    ones = const(np.ones(len(counts), np.float32))
    add_transposed(*counts.by_word, const(ratios), ones, const(mixtures), sums)


def maximized(sums: NDArray[np.float64], topics: Topics, before: Matrix | None) -> tuple[Topics, Matrix]:
    """The M-step: topics as often as they are expected to have each word, with `before` (k, v) of earlier documents;
    and how many words each topic has."""
    expected = sums[:, : len(topics.words)].T * topics.words
    if before is not None:
        expected = expected + before
    sizes = expected.sum(axis=1)
    words = expected + ETA
    return Topics(topics.prior, np.asarray(words / words.sum(axis=1, keepdims=True), np.float32)), sizes
