"""The smallest job: people with an age, a trade and a sentence, some of which are missing."""

import numpy as np

from algoport import Table
from algoport.algorithms.contract.ragged import Ragged

HYPERPARAMETERS: dict[str, object] = {
    "numbers": "0,1",
    "categories": "2",
    "texts": "3",
    "hash_features": 8,
    "mini_batch_size": 30,
}
_TRADES = ("baker", "Smith, John", 'the "boss"', "", "日本")
_WORDS = ("red", "green", "Blue", "naïve", "sea")


def channels() -> dict[str, Table]:
    """A training channel."""
    return {"train": _table(100, 0)}


def others() -> list[tuple[dict[str, object], dict[str, Table]]]:
    """Other ways to fill in and to scale."""
    given = {"imputation": "constant", "fill_value": -1, "scaling": "minmax", "missing_category": "frequent"}
    return [({**HYPERPARAMETERS, **given}, channels()), ({"categories": "2", "mini_batch_size": 30}, channels())]


def requests() -> Table:
    """Rows to ask about."""
    return _table(12, 1)


def _table(count: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    ages = [f"{age:.1f}" if random.random() < 0.8 else "" for age in random.normal(40, 10, count)]
    words = (" ".join(random.choice(_WORDS, random.integers(0, 5))) for _ in range(count))
    return Table(
        columns=(
            Ragged.texts(ages),
            Ragged.texts(str(number) for number in random.integers(-5, 5, count)),
            Ragged.texts(random.choice(_TRADES, count).tolist()),
            Ragged.texts(words),
        )
    )
