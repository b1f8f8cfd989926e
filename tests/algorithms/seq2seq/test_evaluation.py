"""BLEU beside sacreBLEU where it is installed, and beside the formula."""

import math
from collections import Counter

import numpy as np
import pytest

from algoport.algorithms.seq2seq import evaluation


def of_formula(hypotheses, references):
    """Papineni et al. 2002 with .01 for no match of an order."""
    logs, mine, theirs = [], sum(map(len, hypotheses)), sum(map(len, references))
    for n in range(1, 5):
        right = every = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            left = Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
            for i in range(len(hypothesis) - n + 1):
                gram = tuple(hypothesis[i : i + n])
                every += 1
                if left[gram] > 0:
                    left[gram] -= 1
                    right += 1
        if every:
            logs.append(math.log((right or 0.01) / every))
    return math.exp(min(0.0, 1 - theirs / mine)) * math.exp(sum(logs) / len(logs))


def corpus(seed, words=6, noise=0.3):
    """References, and hypotheses that are them with words changed and the end cut."""
    random = np.random.default_rng(seed)
    references = [random.integers(4, 4 + words, random.integers(5, 15)).tolist() for _ in range(30)]
    hypotheses = [
        [token if random.random() > noise else int(random.integers(4, 4 + words)) for token in own][
            : len(own) - int(random.integers(0, 2))
        ]
        for own in references
    ]
    return hypotheses, references


def bleu(hypotheses, references):
    return evaluation.bleu(sum(evaluation.counts(*both) for both in zip(hypotheses, references, strict=True)))


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.6])
def test_bleu_is_that_of_the_formula(noise):
    both = corpus(1, noise=noise)

    assert bleu(*both) == pytest.approx(of_formula(*both), rel=1e-12)


def test_an_order_without_a_match_counts_as_a_hundredth():
    hypotheses, references = [[4, 5, 9, 7, 8]], [[4, 5, 6, 7, 8]]

    # Four of five words and two of four pairs are right, and no longer row.
    want = (4 / 5 * 2 / 4 * 0.01 / 3 * 0.01 / 2) ** 0.25
    assert bleu(hypotheses, references) == pytest.approx(want)
    assert bleu(hypotheses, references) == pytest.approx(of_formula(hypotheses, references))


def test_nothing_right_is_nothing_and_all_right_is_one():
    assert bleu([[4, 5]], [[6, 7]]) == 0.0
    assert bleu([[]], [[6, 7]]) == 0.0
    assert bleu([[4, 5, 6, 7]], [[4, 5, 6, 7]]) == 1.0


def test_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    for seed, noise in [(0, 0.3), (1, 0.8)]:
        hypotheses, references = corpus(seed, words=30, noise=noise)
        texts = [[" ".join(map(str, each)) for each in side] for side in (hypotheses, references)]
        own = sacrebleu.corpus_bleu(texts[0], [texts[1]], smooth_method="floor", smooth_value=0.01, tokenize="none")
        assert 100 * bleu(hypotheses, references) == pytest.approx(own.score)
