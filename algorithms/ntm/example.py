"""The smallest job: documents of three subjects, each of which has words of its own, and now and then another's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.text.requests import word

HYPERPARAMETERS: dict[str, object] = {
    "feature_dim": 24,
    "num_topics": 3,
    "epochs": 3,
    "mini_batch_size": 32,
    "optimizer": "adam",
    "learning_rate": 0.01,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 400, "num_patience_epochs": 401}, {"epochs": 60, "num_patience_epochs": 61})]
SUBJECTS, WORDS = 3, 8
CHOICES: list[dict[str, object]] = [{"top_words": 2}]


def channels() -> dict[str, Rows]:
    """A training, a validation and a test channel."""
    return {"train": _documents(90, 0), "validation": _documents(24, 1), "test": _documents(24, 2)}


def files() -> dict[str, dict[str, bytes]]:
    """The words, and a vector of most of them."""
    names = [word(column) for column in range(SUBJECTS * WORDS)]
    random = np.random.default_rng(3)
    middles = random.normal(size=(SUBJECTS, 5))
    lines = [
        f"{name} " + " ".join(f"{value:.4f}" for value in middles[place // WORDS] + 0.3 * random.normal(size=5))
        for place, name in enumerate(names[:-1])
    ]
    return {"auxiliary": {"vocab.txt": "\n".join(names).encode(), "glove.txt": "\n".join(lines).encode()}}


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """Normalization, every activation and optimizer, sparse documents, a share of them, and a pull to zero."""
    short: dict[str, object] = {**HYPERPARAMETERS, "epochs": 2}
    some = {name: Rows(features=sparse.csr_array(rows.dense())) for name, rows in channels().items()}
    return [
        ({**short, "batch_norm": True, "dropout": 0.4, "optimizer": "adadelta", "sub_sample": 0.5}, channels()),
        ({**short, "encoder_layers": "7", "encoder_layers_activation": "tanh", "optimizer": "rmsprop"}, some),
        (
            {**short, "encoder_layers_activation": "relu", "optimizer": "sgd", "weight_decay": 0.01},
            {"train": some["train"]},
        ),
        ({**short, "optimizer": "adagrad", "clip_gradient": 0.5}, {"train": some["train"]}),
    ]


def _documents(count: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(SUBJECTS, 0.2), count)
    words: NDArray[np.float64] = np.repeat(shares, WORDS, axis=1) / WORDS
    lengths = random.integers(5, 40, count)
    counts = [random.multinomial(length, own / own.sum()) for length, own in zip(lengths, words, strict=True)]
    return Rows(features=np.array(counts, np.float32))
