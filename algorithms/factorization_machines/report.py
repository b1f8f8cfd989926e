"""What a job logs of its batches, epochs and test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import losses
from algoport.algorithms.factorization_machines.model import Model
from algoport.algorithms.shared import scoring
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.labels import labels_of

WRITTEN = {"binary_f_beta": "binary_f_1.000"}
SCORED = 1000  # test rows scored at a time, at least


def metrics(is_regression: bool, counts: NDArray[np.float64]) -> dict[str, float]:
    """The metrics of what was counted (losses.COUNTS,)."""
    rows = max(float(counts[losses.ROWS]), 1.0)
    loss = float(counts[losses.LOSS]) / rows
    if is_regression:
        return {"rmse": loss**0.5, "mse": loss, "absolute_loss": float(counts[losses.ABSOLUTE]) / rows}
    true, false, missed = (float(counts[place]) for place in (losses.TRUE, losses.FALSE, losses.MISSED))
    return {
        "binary_classification_accuracy": float(counts[losses.RIGHT]) / rows,
        "binary_classification_cross_entropy": loss,
        "binary_f_beta": 2 * true / (2 * true + false + missed) if true + false + missed else 0.0,
    }


def training(
    reporter: Reporter,
    settings: Hyperparameters,
    counts: NDArray[np.float64],
    *,
    epoch: int | None = None,
    batch: int | None = None,
) -> None:
    """The lines of a batch, of an epoch, or of the last one."""
    values = {f"train:{name}": value for name, value in metrics(settings.is_regression, counts).items()}
    reporter.report(values, epoch=epoch, batch=batch, written=_written(values))


def test(job: contract.Job[Hyperparameters, Any], model: Model, over: Any) -> None:
    """Score the test channel and report it."""
    is_regression = job.hyperparameters.is_regression

    def count(rows: Rows) -> list[float]:
        check_width(rows, model.width, "test")
        labels = labels_of(rows, "test", None if is_regression else 2)
        counts, slopes = np.zeros(losses.COUNTS), np.empty(len(labels), np.float32)
        losses.slopes(model.margins(rows), const(labels), is_regression, counts, slopes)
        return [float(count) for count in counts]

    sums = scoring.sums(job, max(job.batch, SCORED), over, count, losses.COUNTS)
    if sums is None:
        return
    if sums[losses.ROWS] == 0:
        job.reporter.note("Channel 'test' has no rows, and so no metrics.")
        return
    values = metrics(is_regression, np.array(sums))
    for name, value in values.items():
        job.reporter.note(f"#test_score ({job.reporter.host}) : ('{WRITTEN.get(name, name)}', {value})")
    values = {f"test:{name}": value for name, value in values.items()}
    job.reporter.report(values, written=_written(values))


def _written(values: Mapping[str, float]) -> dict[str, str]:
    """How metrics whose names vary stand in the log."""
    short = {name: name.partition(":")[2] for name in values}
    return {name: WRITTEN[own] for name, own in short.items() if own in WRITTEN}
