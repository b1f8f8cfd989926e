"""The smallest job: points around one place, in three features of different spread."""

import numpy as np

from algoport import Rows

HYPERPARAMETERS: dict[str, object] = {"feature_dim": 3, "mini_batch_size": 40}


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    random = np.random.default_rng(0)
    rows = (random.normal(size=(150, 3)) * [1, 2, 5] + [0, 3, -8]).astype(np.float32)
    return {"train": Rows(features=rows[:120]), "test": Rows(features=rows[120:])}
