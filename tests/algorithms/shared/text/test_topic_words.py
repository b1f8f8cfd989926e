"""Top words, uniqueness and coherence beside plain sums over documents."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.text import topic_words
from algoport.algorithms.shared.text.counts import Counts


@pytest.mark.parametrize("v", [3, 60])
def test_top_words_are_the_most_probable_and_the_first_of_equals(v: int) -> None:
    beta = np.random.default_rng(0).integers(0, 9, (7, v)).astype(np.float32)

    tops = topic_words.strongest(beta, 5)

    for row, numbers in zip(beta, tops, strict=True):
        assert numbers.tolist() == sorted(range(v), key=lambda word: (-row[word], word))[:5]


def test_uniqueness_counts_topics_that_share_a_word() -> None:
    tops = np.array([[0, 1], [1, 2], [3, 4]])

    np.testing.assert_allclose(topic_words.uniqueness(tops), [0.75, 0.75, 1])


def test_coherence_is_the_mean_over_pairs_in_documents() -> None:
    random = np.random.default_rng(0)
    rows = random.poisson(0.5, (60, 8)).astype(np.float32)
    rows[7] = 0
    tops = np.array([[0, 1, 2], [3, 1, 7]])
    coherence = topic_words.Coherence(tops)
    for part in (rows[:25], rows[25:]):
        coherence.add(Counts.of(Rows(features=part)))

    has = rows[rows.any(axis=1)] > 0
    for topic, value in zip(tops, coherence.npmi(), strict=True):
        each = []
        for one, other in itertools.combinations(topic, 2):
            both = (has[:, one] & has[:, other]).mean()
            product = has[:, one].mean() * has[:, other].mean()
            each.append(math.log(both / product) / -math.log(both) if both else -1)
        assert value == pytest.approx(np.mean(each))


def test_words_that_never_come_together_are_least_coherent() -> None:
    coherence = topic_words.Coherence(np.array([[0, 1], [2, 3]]))
    coherence.add(Counts.of(Rows(features=np.array([[1, 0, 2, 2], [0, 1, 0, 0]], np.float32))))

    np.testing.assert_allclose(coherence.npmi(), [-1, 1])
