"""The smallest job: two heaps of points on a plane, with a few far out that the test channel knows of."""

import numpy as np

from algoport.algorithms.contract.records import Rows

HYPERPARAMETERS: dict[str, object] = {
    "feature_dim": 2,
    "num_trees": 50,
    "num_samples_per_tree": 6,
    "mini_batch_size": 100,
}
# What requests can ask for beside the plain score.
CHOICES: list[dict[str, object]] = [{"attribution": "directions"}]


def channels() -> dict[str, Rows]:
    """A training channel, and a labeled test channel; some points come twice."""
    random = np.random.default_rng(0)
    heaps = np.array([[0, 0], [8, 8]], np.float32)
    rows = heaps[np.arange(500) % 2] + random.normal(size=(500, 2)).astype(np.float32)
    rows[300:340] = np.round(rows[300:340])
    anomalous = np.arange(500) % 25 == 0
    rows[anomalous] += np.float32(20)
    label = anomalous.astype(np.float32)[:, None]
    return {"train": Rows(features=rows[:400]), "test": Rows(features=rows[400:], label=label[400:])}


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """Shingles of three readings."""
    given = {**HYPERPARAMETERS, "shingle_size": 3}
    return [(given, channels())]
