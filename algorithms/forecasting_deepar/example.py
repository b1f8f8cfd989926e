"""The smallest job: waves of several heights and categories, with a feature that is known ahead."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract.records import Objects

from .model import Model

HYPERPARAMETERS: dict[str, object] = {
    "time_freq": "D",
    "context_length": 8,
    "prediction_length": 4,
    "epochs": 2,
    "mini_batch_size": 16,
    "num_cells": 8,
    "embedding_dimension": 3,
    "num_eval_samples": 20,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 60}, {"epochs": 6})]
_HORIZON = 4


def channels() -> dict[str, Objects]:
    """A training channel, whose features reach over the horizon so that it can be forecast too, and a test channel."""
    return {"train": Objects(values=_series(20, 0, ahead=_HORIZON)), "test": Objects(values=_series(4, _HORIZON))}


def others() -> list[tuple[dict[str, object], dict[str, Objects]]]:
    """The other likelihoods and frequencies, without categories and features; one layer, no zoneout."""
    small = {**HYPERPARAMETERS, "cardinality": "ignore", "num_dynamic_feat": "ignore", "epochs": 1}
    rest = (("gaussian", "2H"), ("beta", "M"), ("negative-binomial", "W"), ("deterministic-L1", "15min"))
    jobs = []
    for number, (likelihood, frequency) in enumerate(rest):
        given = {**small, "likelihood": likelihood, "time_freq": frequency, "num_layers": 1 + number % 2}
        size = 0.9 if likelihood == "beta" else 20.0
        values = [_whole(value, size, likelihood == "negative-binomial") for value in _series(12, 0)]
        jobs.append(({**given, "dropout_rate": 0.0 if number % 2 else 0.1}, {"train": Objects(values=values)}))
    return jobs


def is_costly(model: Model) -> bool:
    """Whether a forecast may take long, as it is far: such models are not asked while their files are fuzzed."""
    return model.plan.prediction_length > 1 << 8


def _series(count: int, more: int, ahead: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng(count)
    values = []
    for number in range(count):
        points = 32 + number + more
        at = np.arange(points + ahead)
        holiday = (at % 9 == 0).astype(float)
        height = 10.0 * (1 + number % 3)
        wave = height * (1.2 + np.sin(2 * np.pi * at / 7) + 0.5 * holiday) + random.normal(size=len(at))
        target: list[Any] = [round(float(value), 3) for value in wave[:points]]
        if number % 4 == 1:
            target[5] = "NaN"
        start = f"2024-0{1 + number % 9}-01 00:00:00"
        values.append({"start": start, "target": target, "cat": [number % 3], "dynamic_feat": [holiday.tolist()]})
    return values


def _whole(value: dict[str, Any], size: float, counts: bool) -> dict[str, Any]:
    """A series of targets from 0 to that size, of whole numbers where they are counts."""
    target = [min(max(float(entry) / 60, 0.0), 1.0) * size for entry in value["target"]]
    return {**value, "target": [float(np.round(entry)) if counts else entry for entry in target]}
