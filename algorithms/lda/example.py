"""The smallest job: documents of words from two of three topics each."""

import numpy as np

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.text.requests import word

HYPERPARAMETERS: dict[str, object] = {"num_topics": 3, "feature_dim": 12, "mini_batch_size": 300}
CHOICES: list[dict[str, object]] = [{"top_words": 2}]


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    random = np.random.default_rng(0)
    topics = np.full((3, 12), 0.01)
    for number, topic in enumerate(topics):
        topic[4 * number : 4 * number + 4] = [0.3, 0.25, 0.2, 0.17]
    topics /= topics.sum(axis=1, keepdims=True)
    mixtures = random.dirichlet([0.3, 0.3, 0.3], 380)
    rows = np.array([random.multinomial(80, mixture @ topics) for mixture in mixtures]).astype(np.float32)
    return {"train": Rows(features=rows[:300]), "test": Rows(features=rows[300:])}


def files() -> dict[str, dict[str, bytes]]:
    """The words of the columns."""
    return {"auxiliary": {"vocab.txt": "".join(f"{word(column)}\n" for column in range(12)).encode()}}


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """The method without what refines it, on sparse documents."""
    from scipy import sparse

    rows = channels()["train"].dense()
    thin = Rows(features=sparse.csr_array(rows))
    return [({**HYPERPARAMETERS, "refine": False}, {"train": thin})]
