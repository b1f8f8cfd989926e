"""What is computed with boxes: targets of pictures, and detections from what a network says.

n pictures   a anchors   o objects   k classes, the background not counted   d detections
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision.anchors import VARIANCES
from algoport.algorithms.shared.vision.kernels import boxes as kernels

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Which anchors learn what."""

    threshold: float = 0.5  # overlap above which an anchor has an object
    ratio: int = 3  # hard negatives for each anchor that has an object
    least: int = 3  # hard negatives of a picture at least, so that one without objects is learned from, too


def targets(
    anchors: Array,  # (a, 4)
    objects: Sequence[Array],  # (n,) of (o, 5 + e): class and corners
    scores: Array,  # (n, a, k + 1) what the network says
    how: Assignment,
) -> tuple[NDArray[np.int64], Array]:
    """Classes (n, a), counted from 1, 0 of negatives, -1 of anchors that are left out; and offsets (n, a, 4)."""
    n, a = scores.shape[:2]
    classes, offsets = np.empty((n, a), np.int64), np.empty((n, a, 4), np.float32)

    def work(i: int) -> None:
        kernels.targets(
            anchors,
            np.ascontiguousarray(objects[i][:, :5], np.float32),
            scores[i],
            np.float32(how.threshold),
            how.ratio,
            how.least,
            VARIANCES,
            classes[i],
            offsets[i],
        )

    _each(work, n)
    return classes, offsets


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which detections are answered."""

    least: float = 0.01  # probability of a detection
    most: int = 400  # of a picture, before suppression
    overlap: float = 0.45  # above which the weaker of two boxes is dropped
    across: bool = False  # whether of two classes, too


def detections(
    anchors: Array,  # (a, 4)
    scores: Array,  # (n, a, k + 1)
    offsets: Array,  # (n, a, 4)
    how: Selection,
) -> list[Array]:
    """Of each picture (d, 6): class, probability and corners, the most probable first."""
    rows: list[Array] = [np.empty((0, 6), np.float32)] * len(scores)

    def work(i: int) -> None:
        rows[i] = _detections(anchors, scores[i], offsets[i], how)

    _each(work, len(scores))
    return rows


def _detections(anchors: Array, scores: Array, offsets: Array, how: Selection) -> Array:
    most = min(how.most, len(anchors))
    anchor, class_ = np.empty(most, np.int32), np.empty(most, np.int32)
    probability = np.empty(most, np.float32)
    count = kernels.candidates(scores, np.float32(how.least), most, anchor, class_, probability)
    corners, survives = np.empty((count, 4), np.float32), np.empty(count, np.bool_)
    kernels.decode(anchors, offsets, VARIANCES, anchor[:count], corners)
    kernels.suppress(corners, class_[:count], np.float32(how.overlap), how.across, survives)
    # What lies wholly outside the picture has no area left.
    survives &= (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    rows = np.column_stack([class_[:count].astype(np.float32), probability[:count], corners])
    return np.ascontiguousarray(rows[survives])


def _each(work: Callable[[int], None], n: int) -> None:
    """Kernels let go of the interpreter's lock: a thread a picture."""
    if n <= 1 or cores() == 1:
        for i in range(n):
            work(i)
        return
    with ThreadPoolExecutor(min(n, cores()), thread_name_prefix="boxes") as pool:
        list(pool.map(work, range(n)))
