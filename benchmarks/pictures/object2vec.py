"""Digits by vectors that were learned from pairs alone."""

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from benchmarks import data
from benchmarks.pictures import COLORS, fit

SIZE = (7, 3.8)
PAIRS, LEARNED = 6000, 1300


def pairs(dark, digit, random):
    """Pairs of digits as the lists of their dark pixels: 1 where both show the same."""
    first = random.integers(0, LEARNED, PAIRS)
    same = [np.flatnonzero(digit[:LEARNED] == each) for each in range(10)]
    second = [
        int(random.choice(same[digit[i]])) if k % 2 else int(random.integers(LEARNED)) for k, i in enumerate(first)
    ]
    sides = {"in0": [dark[i] for i in first], "in1": [dark[j] for j in second]}
    return Sequences(
        sequences={name: Ragged.of(lists) for name, lists in sides.items()},
        present={name: np.ones(PAIRS, np.bool_) for name in sides},
        label=(digit[first] == digit[second]).astype(np.float32)[:, None],
    )


def draw(figure):
    pixels, digit = data.digits()
    dark = [np.flatnonzero(row > 8).tolist() for row in pixels]
    model = fit(
        "object2vec", {"train": pairs(dark, digit, np.random.default_rng(0))}, enc0_vocab_size=64, enc0_max_seq_len=64,
        enc0_network="pooled_embedding", enc0_token_embedding_dim=64, mlp_dim=64, mlp_activation="relu",
        comparator_list='["hadamard", "abs_diff"]', tied_token_embedding_weight="true", learning_rate=0.003, epochs=30,
    )  # fmt: skip
    vectors = model.vectors(0, Ragged.of(dark[LEARNED:]))
    left, right = figure.subplots(1, 2)
    left.set_title("497 digits left out: their vectors on a plane", fontsize=9)
    centered = vectors - vectors.mean(axis=0)
    plane = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    for each, color in enumerate(COLORS):
        own = plane[digit[LEARNED:] == each]
        left.plot(*own.T, ".", color=color, markersize=4)
        left.annotate(str(each), np.median(own, axis=0), fontsize=14, color=color, weight="bold")
    left.set(xticks=[], yticks=[])
    random = np.random.default_rng(1)
    one, other = random.integers(LEARNED, len(dark), (2, 4000))
    some = Sequences(
        sequences={"in0": Ragged.of([dark[i] for i in one]), "in1": Ragged.of([dark[j] for j in other])},
        present={name: np.ones(len(one), np.bool_) for name in ("in0", "in1")},
    )
    score = model.scores(some)[:, 1]
    bins = np.linspace(0, 1, 41)
    for kind, words in ((False, "of two digits"), (True, "of the same digit")):
        own = score[(digit[one] == digit[other]) == kind]
        right.hist(own, bins, weights=np.full(len(own), 1 / len(own)), alpha=0.7, label=words, color=COLORS[1 - kind])
    right.set(xlabel="score of a pair", ylabel="share of the pairs")
    right.legend(fontsize=8)
