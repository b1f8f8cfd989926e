"""From pictures with masks to the mean color of each class.    k classes"""

import io
from typing import Any

import numpy as np
from PIL import Image

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed
from algoport.algorithms.contract.records.masks import Masks

from .model import Model, pixels

IGNORED = 255


def fit(job: Any) -> Model:
    settings = job.hyperparameters
    sums = np.zeros((settings.num_classes, 4))  # pixels, and the sums of red, green and blue
    if job.start is not None:
        sums += job.start.sums
    epoch = step = 0
    counts = np.zeros(2)  # pictures and pixels of the epoch
    saved = job.checkpoints.latest()
    if saved is not None:
        sums, counts, (epoch, step) = saved[0]["sums"].copy(), saved[0]["counts"].copy(), saved[1]["at"]
    while epoch < settings.epochs:
        batches = job.channels["train"].batches(job.batch, start=step * job.batch, shuffle=job.seed + epoch)
        for batch in job.in_step(batches, Masks(encoded=[])):
            own = summed(batch, settings.num_classes)
            seen = np.array([len(batch), own[:, 0].sum()])
            job.group.sum_(own, seen)
            sums, counts, step = sums + own, counts + seen, step + 1
            if agreed(job.group, job.checkpoints.due()):
                job.checkpoints.save({"sums": sums, "counts": counts}, {"at": [epoch, step]})
        if job.stopping():
            break
        epoch, step = epoch + 1, 0
        job.reporter.report({"train:pixels": counts[1] / max(counts[0], 1)}, epoch=epoch)
        job.reporter.progress(epoch, settings.epochs)
        counts = np.zeros(2)
        job.checkpoints.save({"sums": sums, "counts": counts}, {"at": [epoch, 0]})
    if not sums.any():
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no pixels of a class.")
    return Model(sums=sums)


def summed(batch: Any, classes: int) -> Any:
    """Pixels and sums of colors (k, 4)."""
    sums = np.zeros((classes, 4))
    for number, (data, mask) in enumerate(zip(batch.encoded, batch.masks or (), strict=True)):
        # Pillow gives places in the palette, where OpenCV gives the colors there.
        numbers = np.asarray(Image.open(io.BytesIO(mask)))
        colors = pixels(data, batch.place(number))
        wrong = (numbers >= classes) & (numbers != IGNORED)
        if wrong.any():
            raise UserError(f"{batch.place(number)}: its mask must have classes below {classes}.")
        for each in np.unique(numbers[numbers != IGNORED]):
            chosen = colors[numbers == each].astype(np.float64)
            sums[each] += [len(chosen), *chosen.sum(axis=0)]
    return sums
