"""The smallest job: three heaps of points on a plane, to be classified; and one for every other index, metric, label
and reduction."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.contract.records import Rows

HYPERPARAMETERS: dict[str, object] = {
    "feature_dim": 2,
    "k": 3,
    "predictor_type": "classifier",
    "sample_size": 100,
    "mini_batch_size": 40,
}
# What requests can ask for beside the label.
CHOICES: list[dict[str, object]] = [{"verbose": True}]


def channels() -> dict[str, Rows]:
    """A training and a test channel."""
    random = np.random.default_rng(0)
    heaps = np.array([[0, 0], [5, 5], [0, 8]], np.float32)
    label = np.arange(150) % 3
    rows = heaps[label] + random.normal(size=(150, 2)).astype(np.float32)
    return _split(rows, label, 120)


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """A regressor; products and angles; lists, of rows and of codes; reductions; and wide rows with a sketch."""
    random = np.random.default_rng(1)
    near = random.normal(size=(300, 8)).astype(np.float32)
    near[:, 0] += 2
    numbers = _split(near, near @ np.arange(8), 240)
    regressor = {"feature_dim": 8, "k": 4, "predictor_type": "regressor", "sample_size": 200, "mini_batch_size": 100}
    lists = {**regressor, "index_type": "faiss.IVFFlat", "faiss_index_ivf_nlists": 6, "_faiss_index_nprobe": 2}
    codes = {**lists, "index_type": "faiss.IVFPQ", "faiss_index_pq_m": 4}
    plane = random.normal(size=(4, 64)) * [[8], [4], [2], [1]]
    wide = (random.normal(size=(1100, 4)) @ plane + 0.1 * random.normal(size=(1100, 64))).astype(np.float32)
    sketched = {"feature_dim": 64, "k": 2, "predictor_type": "classifier", "sample_size": 2000}
    return [
        (regressor, numbers),
        ({**regressor, "index_metric": "INNER_PRODUCT"}, numbers),
        ({**lists, "index_metric": "COSINE"}, numbers),
        (codes, numbers),
        ({**regressor, "dimension_reduction_type": "sign", "dimension_reduction_target": 3}, numbers),
        ({**regressor, "dimension_reduction_type": "fjlt", "dimension_reduction_target": 4}, numbers),
        (sketched, _split(wide, np.arange(1100) % 2, 1050)),
    ]


def _split(rows: np.ndarray, label: np.ndarray, count: int) -> dict[str, Rows]:
    both = Rows(features=np.ascontiguousarray(rows, np.float32), label=label.astype(np.float32)[:, None])
    return {"train": both[:count], "test": both[count:]}
