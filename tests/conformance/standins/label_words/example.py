"""The smallest job: lines of two subjects, with a label each and now and then with both."""

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines

HYPERPARAMETERS: dict[str, object] = {"mini_batch_size": 5}
_WORDS = {"sport": ["Tor", "Ball", "läuft", "goal"], "news": ["Wahl", "election", "日本", "says"]}


def channels() -> dict[str, Lines]:
    return {"train": _lines(37, 0), "validation": _lines(9, 1)}


def requests() -> Lines:
    return Lines(text=_lines(9, 2).text)


def _lines(count: int, seed: int) -> Lines:
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(count):
        own = ["sport", "news"] if number % 7 == 6 else [list(_WORDS)[number % 2]]
        some = [word for name in own for word in random.choice(_WORDS[name], 3).tolist()]
        texts.append(" ".join([*some, "the"]))
        labels.append(" ".join(own))
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(labels))
