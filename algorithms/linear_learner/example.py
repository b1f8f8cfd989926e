"""The smallest job: two heaps of points that overlap, to be classified; and one for every other kind of label, loss,
optimizer and row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows

HYPERPARAMETERS: dict[str, object] = {
    "predictor_type": "binary_classifier",
    "epochs": 4,
    "mini_batch_size": 50,
    "num_models": 6,
    "num_point_for_scaler": 200,
    "feature_dim": 4,
    "unbias_data": True,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 300, "early_stopping_patience": 300}, {"epochs": 30})]
SIZE = 360


def channels() -> dict[str, Rows]:
    """A training, a validation and a test channel."""
    return _split(_heaps(2))


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """Every loss; every optimizer and criterion; sparse rows; without a validation channel, and with weights."""
    numbers, classes, two = _split(_numbers()), _split(_heaps(4)), channels()
    short = {"epochs": 1, "mini_batch_size": 100}
    regression = {**short, "predictor_type": "regressor"}
    binary = {**short, "predictor_type": "binary_classifier"}
    multiclass = {**short, "predictor_type": "multiclass_classifier", "num_classes": 4}
    jobs: list[tuple[dict[str, object], dict[str, Rows]]] = [
        (regression, numbers),
        ({**regression, "loss": "absolute_loss", "optimizer": "sgd"}, _sparse(numbers)),
        ({**regression, "loss": "eps_insensitive_squared_loss", "num_models": 1}, numbers),
        ({**regression, "loss": "eps_insensitive_absolute_loss", "optimizer": "rmsprop"}, numbers),
        ({**regression, "loss": "quantile_loss"}, _unvalidated(numbers)),
        ({**regression, "loss": "huber_loss"}, numbers),
        ({**binary, "loss": "hinge_loss", "positive_example_weight_mult": "auto"}, two),
        ({**binary, "num_models": 1}, _sparse(_unvalidated(two))),
        (multiclass, classes),
        ({**multiclass, "balance_multiclass_weights": True}, _sparse(_unvalidated(classes))),
    ]
    jobs.append(({**multiclass, "num_classes": 40, "num_models": 32, "mini_batch_size": 1000}, _split(_wide())))
    many = _wide()  # rows enough for thresholds to be counted
    jobs.append((binary, {"train": replace(many, label=np.asarray(many.label) % 2)}))
    for criterion in ("f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function"):
        jobs.append(({**binary, "binary_classifier_model_selection_criteria": criterion}, _unvalidated(two)))
    return jobs


def _heaps(classes: int) -> Rows:
    """Heaps on a plane, with a third feature that says nothing and a fourth that is constant."""
    random = np.random.default_rng(0)
    middles = np.array([[0, 0], [3, 2], [-3, 3], [3, -3]], np.float32)
    label = np.arange(SIZE) % classes
    plane = middles[label] + random.normal(size=(SIZE, 2))
    rows = np.column_stack([plane, random.normal(5, 2, SIZE), np.full(SIZE, 2.0)])
    return _rows(rows, label)


def _wide() -> Rows:
    """Enough of everything for the kernels to take several threads."""
    random = np.random.default_rng(2)
    return _rows(random.normal(size=(1500, 60)), random.integers(0, 40, 1500))


def _numbers() -> Rows:
    """Three features, and a number that is their sum but for some noise."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(SIZE, 3)) * (1, 10, 0.1) + (0, 50, 0)
    return _rows(rows, rows @ np.array([3, 0.5, 20]) + random.normal(size=SIZE))


def _rows(features: NDArray[np.float64], label: NDArray[np.generic]) -> Rows:
    return Rows(features=np.ascontiguousarray(features, np.float32), label=label.astype(np.float32)[:, None])


def _split(rows: Rows) -> dict[str, Rows]:
    third = len(rows) // 6
    return {
        "train": rows[: -2 * third],
        "validation": rows[-2 * third : -third],
        "test": rows[-third:],
    }


def _unvalidated(parts: dict[str, Rows]) -> dict[str, Rows]:
    return {name: rows for name, rows in parts.items() if name != "validation"}


def _sparse(parts: dict[str, Rows]) -> dict[str, Rows]:
    return {name: replace(rows, features=sparse.csr_array(rows.dense())) for name, rows in parts.items()}
