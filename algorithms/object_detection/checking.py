"""What is wrong with the objects of pictures, beyond what their formats see.    o objects"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.source import Source
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters

_BLOCK = 256  # pictures that are looked at together
MOST = 20  # faults that are said one by one


def objects_of(boxes: Boxes, number: int) -> NDArray[np.float32]:
    """The objects of a picture (o, 5 + e); none where nothing is known of it."""
    objects = None if boxes.objects is None else boxes.objects[number]
    return np.empty((0, 5), np.float32) if objects is None else objects


def faults(boxes: Boxes, settings: Hyperparameters) -> list[str]:
    """A sentence for each picture whose objects cannot be learned from."""
    sentences = []
    for number in range(len(boxes)):
        objects, width = objects_of(boxes, number), boxes.label_width(number)
        classes = objects[:, 0]
        if len(classes) and not 0 <= classes.min() <= classes.max() < settings.num_classes:
            sentences.append(
                f"{boxes.place(number)}: classes must be from 0 to {settings.num_classes - 1} (num_classes is "
                f"{settings.num_classes}); one is {classes[np.argmax(np.abs(classes))]:g}."
            )
        if width > settings.label_width:
            sentences.append(
                f"{boxes.place(number)}: its label must have at most label_width ({settings.label_width}) numbers, 2 "
                f"and those of each object; it has {width}. Set label_width to that of the picture with most objects."
            )
    return sentences


def check_all(channels: Mapping[str, Source[Boxes]], settings: Hyperparameters, group: Group) -> None:
    """`UserError` with the faults of all channels that can be read more than once, before the first epoch. One exchange
    behind the passes."""
    sentences: list[str] = []
    for name, source in channels.items():
        if source.rows is None:  # a pipe, which begins a new pass each time
            continue
        own = [sentence for boxes in source.batches(_BLOCK * group.size) for sentence in faults(boxes, settings)]
        more = len(own) - MOST
        sentences += own[:MOST] + ([f"Channel '{name}': {more:,} more pictures are like that."] if more > 0 else [])
    seen = np.array([float(len(sentences))])
    group.sum_(seen)
    if sentences:
        raise UserError(sentences)
    if seen[0]:
        raise UserError("Labels at another host are faulty; its own log names them.")


def check(boxes: Boxes, settings: Hyperparameters) -> None:
    """`UserError` that names all of these pictures that are wrong."""
    sentences = faults(boxes, settings)
    if sentences:
        raise UserError(sentences[:MOST])
