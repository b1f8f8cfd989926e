"""The metrics of the test channel.    n rows"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.group import total
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.knn.hyperparameters import Hyperparameters
from algoport.algorithms.knn.model import Model
from algoport.algorithms.knn.sampling import checked
from algoport.algorithms.shared import scoring

Labels = NDArray[np.float32]


def score(job: contract.Job[Hyperparameters, Model], model: Model) -> None:
    """Report how well the labels of the test rows are predicted: 8 bytes a row of memory."""
    settings, note = job.hyperparameters, job.reporter.note
    classes = settings.predictor_type == "classifier"

    def answers(batch: Rows) -> tuple[Labels, Labels]:
        rows, labels = checked(batch, settings.feature_dim, classes, "test")
        note("Searching index...")
        start = time.monotonic()
        predictions = model.labels_of(rows, "Channel 'test'")
        note(f"...Done searching index in {round(time.monotonic() - start)} second(s)")
        return predictions, labels

    parts = scoring.scores(job, job.batch, job.grace(scoring.GRACE), answers)
    if parts is None:
        return
    empty = np.empty(0, np.float32)
    predictions, labels = (np.concatenate([empty, *(part[which] for part in parts)]) for which in (0, 1))
    if not classes:
        errors = ((predictions.astype(np.float64) - labels) ** 2).sum()
        square, count = total(job.group, float(errors), float(len(labels)))
        metrics = {"mse": square / count} if count else {}
    else:
        predictions, labels = (np.concatenate(job.group.gather(each)) for each in (predictions, labels))
        metrics = class_metrics(predictions, labels) if len(labels) else {}
    for name, value in metrics.items():
        note(f"#test_score ({job.reporter.host}) : ('{name}', {value})")
    job.reporter.report({f"test:{name}": value for name, value in metrics.items()})


def class_metrics(predictions: Labels, labels: Labels) -> dict[str, float]:
    """Accuracy, and the mean F1 of the classes that are there or predicted; one without a hit has 0."""
    classes, numbers = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    own, chosen = numbers[: len(labels)], numbers[len(labels) :]
    hits = np.bincount(own[own == chosen], minlength=len(classes))
    both = np.bincount(own, minlength=len(classes)) + np.bincount(chosen, minlength=len(classes))
    return {"accuracy": float((own == chosen).mean()), "macro_f_1.000": float((2 * hits / both).mean())}
