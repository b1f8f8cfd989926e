"""Models that the library has trained, one of each family, for the tests to compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost

Model = tuple[xgboost.Booster, xgboost.DMatrix, np.ndarray]

LABELS = {
    "reg:squarederror": "real",
    "reg:squaredlogerror": "positive",
    "reg:pseudohubererror": "real",
    "reg:absoluteerror": "real",
    "reg:quantileerror": "real",
    "reg:logistic": "share",
    "reg:gamma": "positive",
    "reg:tweedie": "positive",
    "binary:logistic": "two",
    "binary:logitraw": "two",
    "binary:hinge": "two",
    "count:poisson": "count",
    "multi:softmax": "three",
    "multi:softprob": "three",
    "rank:pairwise": "ranks",
    "rank:ndcg": "ranks",
    "rank:map": "two",
    "survival:cox": "real",
    "survival:aft": "positive",
}


def rows(n: int = 300, d: int = 6, missing: float = 0.1, seed: int = 0) -> np.ndarray:
    """Rows (n, d) with some values missing, and many that are equal."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, d)).astype(np.float32)
    values[:, d // 2 :] = np.round(values[:, d // 2 :] * 2)
    values[random.random((n, d)) < missing] = np.nan
    return values


def model(
    objective: str = "binary:logistic", rounds: int = 6, data: np.ndarray | None = None, **settings: Any
) -> Model:
    """A booster, its matrix and the rows in it."""
    values = rows() if data is None else data
    random = np.random.default_rng(1)
    n = len(values)
    score = np.nan_to_num(values[:, 0]) + np.nan_to_num(values[:, 1] * values[:, -1]) + random.normal(size=n) / 4
    kind = LABELS[objective]
    label = {
        "real": score,
        "positive": np.exp(score / 2),
        "share": 1 / (1 + np.exp(-score)),
        "two": score > 0,
        "count": random.poisson(np.exp(np.minimum(score, 3))),
        "three": np.digitize(score, [-0.5, 0.5]),
        "ranks": np.digitize(score, [-1, 0, 1]),
    }[kind].astype(np.float32)
    matrix = xgboost.DMatrix(values, label)
    if objective.startswith("rank:"):
        matrix.set_group([10] * (n // 10))
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", label)
        matrix.set_float_info("label_upper_bound", label * 2)
    if objective.startswith("multi:"):
        settings["num_class"] = 3
    if objective == "reg:quantileerror":
        settings["quantile_alpha"] = [0.1, 0.5, 0.9]
    given = {"objective": objective, "max_depth": 4, "nthread": 1, "seed": 3, "verbosity": 0, **settings}
    return xgboost.train(given, matrix, rounds), matrix, values
