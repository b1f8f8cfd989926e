"""Jobs of boosted trees for tests, and the same training by the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xgboost

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.train import fit


@dataclass
class Reports:
    """What a job has said."""

    notes: list[str] = field(default_factory=list)
    figures: dict[int, dict[str, float]] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)


def job(rows: dict[str, Rows], given: dict[str, Any], reports: Reports | None = None, **more: Any) -> Job:
    reports = reports or Reports()

    def report(values: dict[str, float], epoch: int = -1, **_: Any) -> None:
        reports.figures[epoch] = dict(values)

    sources = {name: Memory(part) for name, part in rows.items()}
    settings = Hyperparameters.read({"num_round": 5, **given})
    return Job(
        hyperparameters=settings,
        channels=sources,
        reporter=Reporter(report=report, note=reports.notes.append, keep=reports.files.__setitem__),
        **more,
    )


def trained(rows: dict[str, Rows], given: dict[str, Any], reports: Reports | None = None, **more: Any) -> Model:
    return fit(job(rows, given, reports, **more))


def matrix(rows: Rows) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows.features, label=None if rows.label is None else rows.label[:, 0], weight=rows.weight)


def answers(booster: xgboost.Booster, rows: Rows) -> Any:
    """What the library's booster answers."""
    return booster.predict(matrix(rows))


def by_library(
    rows: dict[str, Rows], given: dict[str, Any], **how: Any
) -> tuple[xgboost.Booster, dict[str, dict[str, list[float]]]]:
    settings = {"num_round": 5, **given}
    number = settings.pop("num_round")
    matrices = {name: matrix(part) for name, part in rows.items()}
    results: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        settings, matrices["train"], number, evals=[(own, name) for name, own in matrices.items()],
        evals_result=results, verbose_eval=False, **how,
    )  # fmt: skip
    return booster, results


def table(n: int = 600, d: int = 5, *, classes: int = 2, missing: float = 0.1, seed: int = 0) -> dict[str, Rows]:
    """Rows whose label follows from their features but for some noise; values are rounded, so that ties are common."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, d)).astype(np.float32).round(2)
    score = features[:, 0] + features[:, 1] ** 2 + random.normal(size=n) / 3
    label = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else score
    features[random.random(features.shape) < missing] = np.nan
    label = np.asarray(label, np.float32)[:, None]
    cut = n * 3 // 4
    return {
        "train": Rows(features=features[:cut], label=label[:cut]),
        "validation": Rows(features=features[cut:], label=label[cut:]),
    }
