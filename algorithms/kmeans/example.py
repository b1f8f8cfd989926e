"""The smallest job: three heaps of points on a plane, a few of them far out."""

import numpy as np

from algoport.algorithms.contract.records import Rows

HYPERPARAMETERS: dict[str, object] = {
    "k": 3,
    "feature_dim": 2,
    "mini_batch_size": 40,
    "epochs": 2,
    "eval_metrics": ["msd", "ssd"],
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 1500}, {"epochs": 80})]


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    random = np.random.default_rng(0)
    heaps = np.array([[0, 0], [5, 5], [0, 8]], np.float32)
    rows = heaps[np.arange(150) % 3] + random.normal(size=(150, 2)).astype(np.float32)
    return {"train": Rows(features=rows[:120]), "test": Rows(features=rows[120:])}
