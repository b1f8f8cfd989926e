"""The smallest job, two classes on four features; and further ones that reach the other losses and boosters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Rows

CHOICES: list[dict[str, object]] = [
    {"contributions": "shapley"},
    {"contributions": "approximate"},
    {"leaves": True},
]
HYPERPARAMETERS: dict[str, object] = {
    "num_round": 6,
    "max_depth": 3,
    "objective": "binary:logistic",
    "eval_metric": [
        "error", "auc", "aucpr", "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision",
        "precision_macro", "precision_micro", "recall", "recall_macro", "recall_micro", "mae", "mse", "rmse", "r2",
        "logloss",
    ],
}  # fmt: skip
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"num_round": 300}, {"num_round": 40}), ({"num_round": 60, "_kfold": 3}, {"num_round": 12})]


def channels() -> dict[str, Rows]:
    """Rows of which some belong to class 1: those on one side of a curve, and a few others."""
    random = np.random.default_rng(0)
    features = random.normal(size=(160, 4)).astype(np.float32)
    noise = random.normal(size=160) / 4
    return _parts(features, (features[:, 0] + features[:, 1] ** 2 + noise > 1).astype(np.float32))


def others() -> list[tuple[dict[str, object], dict[str, Rows]]]:
    """A job of each loss, of each booster and of each way to grow trees."""
    rows = channels()
    features = np.concatenate([part.dense() for part in rows.values()])
    sums = np.abs(features[:, 0]) + np.abs(features[:, 1])
    counts = np.floor(2 * sums)
    losses: list[tuple[dict[str, object], NDArray[np.float32]]] = [
        ({"objective": "reg:squarederror", "eval_metric": "rmse,rmsle,mape,mphe"}, sums + 1),
        ({"objective": "reg:pseudohubererror"}, sums),
        ({"objective": "reg:absoluteerror", "subsample": 0.7}, sums),
        ({"objective": "reg:quantileerror", "quantile_alpha": "[0.2,0.8]"}, sums),
        ({"objective": "reg:gamma", "eval_metric": "gamma-deviance,gamma-nloglik"}, sums + 1),
        ({"objective": "reg:tweedie", "eval_metric": "tweedie-nloglik"}, counts),
        ({"objective": "count:poisson"}, counts),
        ({"objective": "multi:softprob", "num_class": 3, "eval_metric": "merror,mlogloss,f1"}, np.minimum(counts, 2)),
        ({"objective": "survival:cox"}, np.where(features[:, 2] > 1, -1 - sums, 1 + sums)),
        (
            {"objective": "survival:aft", "eval_metric": "aft-nloglik,interval-regression-accuracy"},
            np.where(features[:, 2] > 1, -1 - sums, 1 + sums),
        ),
        ({"objective": "rank:ndcg", "eval_metric": "ndcg"}, np.minimum(counts, 3)),
        ({"objective": "rank:map", "eval_metric": "map"}, np.minimum(counts, 1)),
    ]
    short: dict[str, object] = {"num_round": 2, "max_depth": 2}
    jobs = [({**short, **given}, _parts(features, label)) for given, label in losses]
    holes = np.where(features > 1, np.float32(np.nan), features)
    missing = {
        name: replace(part, features=holes[:120] if name == "train" else holes[120:]) for name, part in rows.items()
    }
    boosters: list[dict[str, object]] = [
        {"booster": "dart", "rate_drop": 0.5},
        {"booster": "gblinear"},
        {"tree_method": "exact"},
        {"tree_method": "approx"},
        {"grow_policy": "lossguide", "max_leaves": 4, "colsample_bynode": 0.5},
        {"sampling_method": "gradient_based", "subsample": 0.5, "monotone_constraints": "(1,0,0,-1)"},
        {"_kfold": 2},
    ]
    jobs += [({**short, "objective": "binary:logistic", **given}, missing) for given in boosters]
    thin = {name: replace(part, features=sparse.csr_array(part.features)) for name, part in rows.items()}
    jobs += [({**short, "objective": "binary:logistic", "booster": own}, thin) for own in ("gbtree", "gblinear")]
    # Rows that stay sparse, as little is there.
    few = {name: replace(part, features=_thinned(part.dense())) for name, part in rows.items()}
    jobs += [({**short, "objective": "binary:logistic", "subsample": 0.7}, few)]
    # Features of more values than bins, or than the library's sketch takes at once; and codes of two bytes.
    jobs += [({**short, "objective": "binary:logistic", **given}, _fine(n)) for n, given in FINE]
    # Of many trees, and of many rows, answers are found in other ways.
    many = {
        name: replace(part, features=np.tile(part.dense(), (30, 1)), label=np.tile(np.asarray(part.label), (30, 1)))
        for name, part in rows.items()
    }
    jobs += [({**short, "objective": "binary:logistic", "num_round": 8}, rows)]
    jobs += [({**short, "objective": "binary:logistic", "num_round": 6}, many)]
    return jobs


FINE: list[tuple[int, dict[str, object]]] = [
    (600, {}),
    (600, {"tree_method": "exact", "subsample": 0.5}),
    (6000, {"subsample": 0.5}),
    (6000, {"max_bin": 512, "subsample": 0.5}),
]


def _thinned(features: NDArray[np.float32]) -> sparse.csr_array:
    """A tenth of the values."""
    return sparse.csr_array(np.where(np.random.default_rng(2).random(features.shape) < 0.1, features, np.float32(0)))


def _fine(n: int) -> dict[str, Rows]:
    """Rows of features that have a value of its own in each."""
    features = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32)
    return _parts(features, (features[:, 0] > 0).astype(np.float32))


def _parts(features: NDArray[np.float32], label: NDArray[np.float32]) -> dict[str, Rows]:
    """Three quarters to train on, the others to measure."""
    label = np.ascontiguousarray(label, np.float32)[:, None]
    cut = len(features) * 3 // 4
    return {
        "train": Rows(features=features[:cut], label=label[:cut]),
        "validation": Rows(features=features[cut:], label=label[cut:]),
    }
