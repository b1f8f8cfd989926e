"""Means and deviations, and what they do to a linear map.    n rows   d features   k outputs of a model"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group, agreed
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

Numbers = NDArray[np.float64]
Singles = NDArray[np.float32]

# A deviation below this share of the mean is what sums in float64 leave of a column that is constant. Of one that is
# not, float32 leaves more: 6e-8 of the mean, over the root of the rows.
CONSTANT = 1e-11


@dataclass(frozen=True, eq=False)
class Scaling:
    """Models are trained on (x - shift) * scale and (y - label_shift) / label_scale."""

    shift: Singles  # (d,)
    scale: Singles  # (d,)
    label_shift: float = 0.0
    label_scale: float = 1.0

    def folded(self, weights: Singles, bias: Singles) -> tuple[Singles, Singles]:
        """Weights (d, k) and bias (k,) of the same map, so that y = (x - shift) @ weights + bias.

        The shift stays, for with a mean that dwarfs the spread x @ weights would lose the digits that count.
        """
        raw = weights.astype(np.float64) * self.scale[:, None] * self.label_scale
        at_shift = bias.astype(np.float64) * self.label_scale + self.label_shift
        return raw.astype(np.float32), at_shift.astype(np.float32)

    def unfolded(self, weights: Singles, bias: Singles, shift: Singles) -> tuple[Singles, Singles]:
        """The weights and bias to train on from those of a map that was folded with `shift`."""
        raw = weights.astype(np.float64)
        moved = bias + (self.shift.astype(np.float64) - shift) @ raw
        scaled = raw / self.scale[:, None] / self.label_scale
        return scaled.astype(np.float32), ((moved - self.label_shift) / self.label_scale).astype(np.float32)


def measure(head: Rows, labels: Singles, settings: Hyperparameters, group: Group) -> tuple[Scaling, NDArray[np.bool_]]:
    """The scaling that the settings ask for, from the rows of all members, and which of the (d,) features vary
    in them; exchanges sums."""
    dense = not agreed(group, head.is_sparse)
    mean, deviation = _moments(head, group)
    varies = deviation > CONSTANT * np.abs(mean)
    shifted = settings.unbias_data if settings.unbias_data != "auto" else settings.use_bias and dense
    # A feature that is constant here may not be so elsewhere: it keeps its unit.
    scale = np.where(varies & bool(settings.normalize_data), 1 / np.where(varies, deviation, 1), 1)
    shift = mean if shifted else np.zeros_like(mean)
    label_shift, label_scale = _label(labels, settings, group)
    scaling = Scaling(shift.astype(np.float32), scale.astype(np.float32), label_shift, label_scale)
    return scaling, varies


def _label(labels: Singles, settings: Hyperparameters, group: Group) -> tuple[float, float]:
    """Shift and scale of the label of a regression; 0 and 1 of classes."""
    if not settings.is_regression:
        return 0.0, 1.0
    mean, deviation = _moments(Rows(features=labels.reshape(-1, 1)), group)
    shifted = settings.unbias_label if settings.unbias_label != "auto" else settings.use_bias
    varies = deviation[0] > CONSTANT * abs(mean[0])
    scale = float(deviation[0]) if settings.normalize_label and varies else 1.0
    return float(mean[0]) if shifted else 0.0, scale


def _moments(rows: Rows, group: Group) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation (d,) of every feature over the rows of all members.

    Squares are taken of what is left after the mean, as a mean that dwarfs the spread leaves no digits otherwise.
    """
    sums, count = _sums(rows, np.zeros(rows.width), 1), np.array([len(rows)], np.float64)
    group.sum_(sums, count)
    n = max(float(count[0]), 1.0)
    mean = sums / n
    squares = _sums(rows, mean, 2)
    group.sum_(squares)
    return mean, np.sqrt(squares / n)


def _sums(rows: Rows, mean: Numbers, power: int) -> Numbers:
    """Sum over the rows of (x - mean) to a power, of every feature; what sparse rows do not mention is zero."""
    if not rows.is_sparse:
        total = np.zeros(rows.width)
        features = cast("Singles", rows.features)
        for start in range(0, len(rows), 1024):  # some rows at a time, as float64 takes twice their room
            total += ((features[start : start + 1024].astype(np.float64) - mean) ** power).sum(axis=0)
        return total
    matrix: Any = rows.features
    apart = (matrix.data.astype(np.float64) - mean[matrix.indices]) ** power
    mentioned = np.bincount(matrix.indices, minlength=rows.width)
    there = np.bincount(matrix.indices, weights=apart, minlength=rows.width)
    return np.asarray(there + (len(rows) - mentioned) * (-mean) ** power, np.float64)
