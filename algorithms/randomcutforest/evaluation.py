"""The metrics of the test channel, whose labels say which points are anomalies.    n rows   w windows"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group, interleaved, total
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.randomcutforest.hyperparameters import Hyperparameters
from algoport.algorithms.randomcutforest.model import Model
from algoport.algorithms.randomcutforest.series import Shingles, checked_readings
from algoport.algorithms.shared import scoring

Scores = NDArray[np.float32]
Labels = NDArray[np.bool_]


def score(job: contract.Job[Hyperparameters, Model], model: Model) -> None:
    """Report how well the scores of the test points tell which are anomalies: 5 bytes a point of memory."""
    settings = job.hyperparameters
    shingles = Shingles(settings.shingle_size, settings.feature_dim)

    def labeled_scores(batch: Rows) -> tuple[Scores, Labels]:
        rows, anomalous = _test_rows(batch, settings.feature_dim)
        if settings.shingle_size > 1:
            rows, anomalous = _windows(shingles, rows, anomalous, job.group)
        return model.scores(rows), anomalous

    over = job.grace(scoring.GRACE)
    parts = scoring.scores(job, job.batch, over, labeled_scores, empty=nothing(settings.feature_dim))
    if parts is None:
        return
    scores = np.concatenate([np.empty(0, np.float32), *(own for own, _ in parts)])
    labels = np.concatenate([np.empty(0, np.bool_), *(own for _, own in parts)])
    job.reporter.report(_metrics(scores, labels, settings.eval_metrics, job.group))


def _test_rows(batch: Rows, d: int) -> tuple[NDArray[np.float32], Labels]:
    """Rows of the test channel, and whether each is an anomaly."""
    if not len(batch):
        return np.empty((0, d), np.float32), np.empty(0, np.bool_)
    rows, label = checked_readings(batch, d, "test"), batch.label
    if label is None or label.shape[1] != 1 or not np.isin(label, (0, 1)).all():
        wrong = "there is none" if label is None else f"one is {label[~np.isin(label, (0, 1)).all(axis=1)][0].tolist()}"
        raise UserError(f"Channel 'test': the label of a row must be 1 for an anomaly and 0 for others; {wrong}.")
    return rows, label[:, 0] == 1


def _windows(
    shingles: Shingles, rows: NDArray[np.float32], anomalous: Labels, group: Group
) -> tuple[NDArray[np.float32], Labels]:
    """This member's share of the windows that end with the rows of all members, which are one series, and the labels
    of their last readings; an exchange of the rows."""
    whole = shingles.add(interleaved(group.gather(rows)))
    labels = interleaved(group.gather(anomalous))
    share = slice(group.rank, None, group.size)
    return whole[share], labels[len(labels) - len(whole) :][share]


def _metrics(scores: Scores, anomalous: Labels, asked: Sequence[str], group: Group) -> dict[str, float]:
    """How well a score more than three standard deviations above the mean tells an anomaly; three exchanges."""
    wide = scores.astype(np.float64)
    count, sum_ = total(group, len(wide), wide.sum())
    mean = sum_ / max(count, 1)
    (squares,) = total(group, ((wide - mean) ** 2).sum())
    flagged = wide > mean + 3 * (squares / max(count, 1)) ** 0.5
    hits, alarms, anomalies, right = total(
        group, (flagged & anomalous).sum(), flagged.sum(), anomalous.sum(), (flagged == anomalous).sum()
    )
    if not count:
        return {}
    metrics = {}
    if "accuracy" in asked:
        metrics["test:accuracy"] = right / count
    if "precision_recall_fscore" in asked:
        metrics["test:precision"] = hits / max(alarms, 1)
        metrics["test:recall"] = hits / max(anomalies, 1)
        metrics["test:f1"] = 2 * hits / max(alarms + anomalies, 1)
    return metrics
