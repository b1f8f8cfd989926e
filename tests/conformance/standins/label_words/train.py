"""From lines with labels to the words of each label.    k labels   b cells"""

from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines

from .model import Model, words


def fit(job: Any) -> Model:
    settings = job.hyperparameters
    counts = np.zeros((len(settings.labels), settings.buckets))
    if job.start is not None:
        counts += job.start.counts
    epoch = step = 0
    seen = np.zeros(2)  # lines and words of the epoch
    saved = job.checkpoints.latest()
    if saved is not None:
        counts, seen, (epoch, step) = saved[0]["counts"].copy(), saved[0]["seen"].copy(), saved[1]["at"]
    while epoch < settings.epochs:
        batches = job.channels["train"].batches(job.batch, start=step * job.batch, shuffle=job.seed + epoch)
        for batch in job.in_step(batches, Lines(text=Ragged.empties(0, np.uint8))):
            own = counted(batch, settings)
            more = np.array([len(batch), own.sum()])
            job.group.sum_(own, more)
            counts, seen, step = counts + own, seen + more, step + 1
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save({"counts": counts, "seen": seen}, {"at": [epoch, step]})
        if job.stopping():
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:words": seen[1] / max(seen[0], 1)}, epoch=epoch)
        job.reporter.progress(epoch, settings.epochs)
        seen = np.zeros(2)
        job.checkpoints.save({"counts": counts, "seen": seen}, {"at": [epoch, 0]})
    if not counts.any():
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no labeled words.")
    model = Model(tuple(settings.labels), counts)
    validate(job, model)
    return model


def counted(batch: Lines, settings: Any) -> Any:
    """(k, b) the words of each label."""
    counts = np.zeros((len(settings.labels), settings.buckets))
    for number, (text, labels) in enumerate(zip(batch.text.encoded(), batch.labels(), strict=True)):
        for label in labels:
            if label not in settings.labels:
                raise UserError(f"{batch.place(number)}: has the label '{label[:60]}', which labels does not list.")
            counts[settings.labels.index(label)] += words(text, settings.buckets)
    return counts


def validate(job: Any, model: Model) -> None:
    if "validation" not in job.channels:
        return
    right = count = 0.0
    for batch in job.channels["validation"].batches(job.batch):
        for answer, labels in zip(model.predict(batch)["label"], batch.labels(), strict=True):
            right += answer[0].removeprefix("__label__") in labels
            count += 1
    right, count = total(job.group, right, count)
    job.reporter.report({"validation:accuracy": right / max(count, 1)})
