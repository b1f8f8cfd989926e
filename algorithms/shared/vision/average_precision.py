"""Average precision of detections, as Pascal VOC has it from 2010 on (Everingham et al. 2015, section 4.1).

d detections   o objects   k classes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.kernels import boxes as kernels

MISSES, HIT, PASSED_OVER = 0, 1, -1


def verdicts(
    detections: NDArray[np.float32],  # (d, 6) of one picture: class, probability, corners, the most probable first
    objects: NDArray[np.float32],  # (o, 5 + e) class and corners
    difficult: NDArray[np.bool_],  # (o,) which of them do not count
    threshold: float,
) -> NDArray[np.int8]:
    """(d,) HIT where a detection overlaps an object of its class beyond the threshold, most of all it overlaps, that
    none before it hit; PASSED_OVER where that object is difficult; else MISSES."""
    out = np.zeros(len(detections), np.int8)
    if not len(objects) or not len(detections):
        return out
    table = np.empty((len(objects), len(detections)), np.float32)
    kernels.overlaps(
        np.ascontiguousarray(detections[:, 2:6]), np.ascontiguousarray(objects[:, 1:5], dtype=np.float32), table
    )
    table[objects[:, :1] != detections[None, :, 0]] = -1
    matched = np.zeros(len(objects), bool)
    for number in range(len(detections)):
        best = int(np.argmax(table[:, number]))
        if table[best, number] <= threshold:
            continue
        if difficult[best]:
            out[number] = PASSED_OVER
        elif not matched[best]:
            matched[best], out[number] = True, HIT
    return out


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class, one entry a detection, the most probable first."""

    probability: NDArray[np.float32]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    objects: int

    @property
    def average_precision(self) -> float:
        """The area under the curve, whose precision at a recall is the best at that recall or beyond."""
        if not len(self.precision):
            return 0.0
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float((np.diff(self.recall, prepend=0.0) * best).sum())


def curves(
    table: NDArray[np.float64],  # (d, 3) class, probability and verdict, of all pictures, in a fixed order
    counts: NDArray[np.float64],  # (k,) objects of each class that are not difficult
) -> dict[int, Curve]:
    """The curve of each class that has objects. Of equally probable detections the earlier row comes first."""
    out = {}
    for k in np.flatnonzero(counts > 0):
        rows = table[(table[:, 0] == k) & (table[:, 2] != PASSED_OVER)]
        rows = rows[np.argsort(-rows[:, 1], kind="stable")]
        hits = np.cumsum(rows[:, 2] == HIT)
        precision = hits / np.arange(1, len(rows) + 1)
        out[int(k)] = Curve(rows[:, 1].astype(np.float32), precision, hits / counts[k], int(counts[k]))
    return out


def mean(curves_: dict[int, Curve]) -> float:
    """The mean of the classes that have objects; 0 where none has."""
    return float(np.mean([curve.average_precision for curve in curves_.values()])) if curves_ else 0.0
