"""From who was seen where to the weight of each pair.    b cells"""

from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.kinds import find
from algoport.algorithms.contract.records.table import Table

from .model import Model, cells


def fit(job: Any) -> Model:
    settings = job.hyperparameters
    weights = np.zeros((settings.buckets, settings.buckets))
    if job.start is not None:
        weights += job.start.weights
    epoch = step = 0
    seen = np.zeros(2)  # rows and weight of the epoch
    saved = job.checkpoints.latest()
    if saved is not None:
        weights, seen, (epoch, step) = saved[0]["weights"].copy(), saved[0]["seen"].copy(), saved[1]["at"]
    while epoch < settings.epochs:
        batches = job.channels["train"].batches(job.batch, start=step * job.batch, shuffle=job.seed + epoch)
        for batch in job.in_step(batches, find("table").empty(3)):
            own = summed(batch, settings.buckets)
            more = np.array([len(batch), own.sum()])
            job.group.sum_(own, more)
            weights, seen, step = weights + own, seen + more, step + 1
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save({"weights": weights, "seen": seen}, {"at": [epoch, step]})
        if job.stopping():
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:weight": seen[1] / max(seen[0], 1)}, epoch=epoch)
        job.reporter.progress(epoch, settings.epochs)
        seen = np.zeros(2)
        job.checkpoints.save({"weights": weights, "seen": seen}, {"at": [epoch, 0]})
    if not weights.any():
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    model = Model(weights)
    score(job, model)
    return model


def summed(batch: Table, count: int) -> Any:
    """(b, b) the weights of the batch."""
    sums, weights = np.zeros((count, count)), batch.numbers(2)
    for number in np.flatnonzero(~(weights >= 0)):
        raise UserError(f"{batch.place(int(number))}: weight must be at least 0; it is {weights[number]}.")
    np.add.at(sums, (cells(batch.texts(0), count), cells(batch.texts(1), count)), weights)
    return sums


def score(job: Any, model: Model) -> None:
    if "test" not in job.channels:
        return
    scores = model.predict(job.channels["test"].all())["score"]
    summed_scores, count = total(job.group, float(scores.sum()), len(scores))
    job.reporter.report({"test:score": summed_scores / max(count, 1)})
