"""The smallest job: points that lie near a plane in space."""

import numpy as np

from algoport.algorithms.contract.records import Rows

HYPERPARAMETERS: dict[str, object] = {"num_components": 2, "feature_dim": 5, "mini_batch_size": 16}


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    random = np.random.default_rng(0)
    plane = random.normal(size=(2, 5)) * [[3.0], [1.5]]
    rows = random.normal(size=(150, 2)) @ plane + 0.1 * random.normal(size=(150, 5)) + [1, 2, 3, 4, 5]
    return {"train": Rows(features=rows[:120].astype(np.float32)), "test": Rows(features=rows[120:].astype(np.float32))}


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """A sketch of wide rows, and sparse ones."""
    from scipy import sparse

    random = np.random.default_rng(1)
    wide = Rows(features=random.normal(size=(60, 40)).astype(np.float32))
    thin = Rows(features=sparse.csr_array(sparse.random(60, 80, 0.02, "csr", np.float32, random)))
    return [
        (
            {"num_components": 2, "feature_dim": 40, "mini_batch_size": 16, "algorithm_mode": "randomized"},
            {"train": wide},
        ),
        ({"num_components": 2, "feature_dim": 80, "mini_batch_size": 16}, {"train": thin}),
    ]
