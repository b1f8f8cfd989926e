"""The smallest job: names that need quotes, each mostly seen at one address, with whole weights."""

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table

HYPERPARAMETERS: dict[str, object] = {"mini_batch_size": 5}
_NAMES = ("alice", "Smith, John", 'the "boss"', "007", "日本", " lead")


def channels() -> dict[str, Table]:
    return {"train": _table(41, 0), "test": _table(9, 1)}


def requests() -> Table:
    return _table(9, 2)


def _table(count: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    who = random.integers(0, len(_NAMES), count)
    where = np.where(random.random(count) < 0.8, who, random.integers(0, 9, count))
    return Table(
        columns=(
            Ragged.texts(_NAMES[number] for number in who),
            Ragged.texts(f"10.0.0.{number}" for number in where),
            random.integers(1, 5, count).astype(np.float32),
        )
    )
