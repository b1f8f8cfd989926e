"""From pictures with boxes to the mean box of each class.    k classes"""

from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.records.boxes import Boxes

from .model import Model


def fit(job: Any) -> Model:
    settings = job.hyperparameters
    sums = np.zeros((settings.num_classes, 5))  # objects, and the sum of each corner
    if job.start is not None:
        sums += job.start.sums
    epoch = step = 0
    counts = np.zeros(2)  # pictures and objects of the epoch
    saved = job.checkpoints.latest()
    if saved is not None:
        sums, counts, (epoch, step) = saved[0]["sums"].copy(), saved[0]["counts"].copy(), saved[1]["at"]
    while epoch < settings.epochs:
        batches = job.channels["train"].batches(job.batch, start=step * job.batch, shuffle=job.seed + epoch)
        for batch in job.in_step(batches, Boxes(encoded=[])):
            own = summed(batch, settings.num_classes)
            seen = np.array([len(batch), own[:, 0].sum()])
            job.group.sum_(own, seen)
            sums, counts, step = sums + own, counts + seen, step + 1
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save({"sums": sums, "counts": counts}, {"at": [epoch, step]})
        if job.stopping():
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:objects": counts[1] / max(counts[0], 1)}, epoch=epoch)
        job.reporter.progress(epoch, settings.epochs)
        counts = np.zeros(2)
        job.checkpoints.save({"sums": sums, "counts": counts}, {"at": [epoch, 0]})
    if not sums.any():
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no objects.")
    model = Model(sums=sums)
    validate(job, model)
    return model


def summed(batch: Any, classes: int) -> Any:
    """Objects and sums of corners (k, 5), but of those that are difficult to see."""
    sums = np.zeros((classes, 5))
    for number in range(len(batch)):
        objects = batch.objects[number]
        objects = objects[~batch.difficult(number)].astype(np.float64)
        if len(objects) and objects[:, 0].max() >= classes:
            raise UserError(f"{batch.place(number)}: must have classes below {classes}.")
        np.add.at(sums, objects[:, 0].astype(np.int64), np.column_stack([np.ones(len(objects)), objects[:, 1:5]]))
    return sums


def validate(job: Any, model: Model) -> None:
    if "validation" not in job.channels:
        return
    means, distance, count = model.means, 0.0, 0.0
    for batch in job.channels["validation"].batches(job.batch):
        for objects in batch.objects or ():
            distance += np.abs(objects[:, 1:5] - means[objects[:, 0].astype(np.int64)]).sum()
            count += 4 * len(objects)
    distance, count = total(job.group, distance, count)
    job.reporter.report({"validation:distance": distance / max(count, 1)})
