"""How a network does on the validation pictures.    d detections   k classes"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.group import Group, total
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.input import Batch
from algoport.algorithms.shared.vision.average_precision import Curve, curves, verdicts


def evaluate(
    detect: Callable[[Batch], list[NDArray[np.float32]]],  # of each picture (d, 6)
    batches: Iterator[Batch],
    settings: Hyperparameters,
    group: Group,
    over: Callable[[], bool],
    reporter: Reporter,
) -> dict[int, Curve] | None:
    """The curve of precision and recall of each class that has objects; None where no class has any, or a stop leaves
    no time. The same on any number of members."""
    table: list[NDArray[np.float64]] = [np.empty((0, 3))]
    counts, cut = np.zeros(settings.num_classes), False
    for batch in batches:
        cut = over()
        if cut:
            break
        if not len(batch):
            continue
        for detected, objects, difficult in zip(detect(batch), batch.objects, batch.difficult, strict=True):
            own = verdicts(detected, objects, difficult, settings.overlap_threshold)
            table.append(np.column_stack([detected[:, :2], own]).astype(np.float64))
            np.add.at(counts, objects[~difficult, 0].astype(np.int64), 1.0)
    if total(group, cut)[0]:
        reporter.note("The validation channel is not scored, as a stop was asked for.")
        return None
    group.sum_(counts)
    whole = np.concatenate(group.gather(np.concatenate(table)))
    # Of equally probable ones the misses come first, so that it does not matter which member has which picture.
    whole = whole[np.lexsort((whole[:, 2], -whole[:, 1], whole[:, 0]))]
    return curves(whole, counts) or None
