"""Rows as the kernels take them: features, dense or sparse, with targets and weights.

n rows   d features   k outputs of a model   m models   c columns, the outputs of all models
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner import kernels
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.objective import Objective
from algoport.algorithms.linear_learner.scaling import Scaling
from algoport.algorithms.shared.labels import labels_of

Singles = NDArray[np.float32]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a channel; slices are rows again."""

    rows: Rows
    targets: Singles  # (n,) as the user gave them
    weights: Singles  # (n,) of the records, times those of their classes

    def __len__(self) -> int:
        return len(self.targets)

    def parts(self, rows: int) -> Iterator[Batch]:
        """So many rows at a time."""
        for start in range(0, len(self), rows):
            span = slice(start, start + rows)
            yield Batch(self.rows[span], self.targets[span], self.weights[span])

    def gradients(
        self,
        scaling: Scaling,
        objective: Objective,
        positive: Numbers,
        weights: Singles,
        bias: Singles,
        gradient: NDArray[Any],
        bias_gradient: NDArray[Any],
        losses: Numbers,
    ) -> None:
        """Adds the sums over the rows: gradient (d, c), bias_gradient (c,) and losses (m,)."""
        fixed = (scaling.shift, scaling.scale, self._scaled(scaling), self.weights, positive, weights, bias)
        arguments = (*fixed, objective.number, objective.parameter, gradient, bias_gradient, losses)
        if self.rows.is_sparse:
            kernels.sparse_gradients(*_parts(self.rows), *arguments)
        else:
            kernels.gradients(self.rows.dense(), *arguments)

    def judged(
        self, scaling: Scaling, objective: Objective, positive: Numbers, weights: Singles, bias: Singles, out: Singles
    ) -> Numbers:
        """Sets `out` (n, c) to the scores; returns the sums over the rows (m,) of their losses."""
        losses = np.zeros(len(positive))
        labels = (self._scaled(scaling), self.weights, positive)
        loss_parts = (objective.number, objective.parameter)
        model = (scaling.shift, scaling.scale, weights, bias)
        if self.rows.is_sparse:
            kernels.sparse_scores(*_parts(self.rows), *model, out)
            kernels.loss_sums(out, *labels, *loss_parts, losses)
        else:
            kernels.judge(self.rows.dense(), *model[:2], *labels, *model[2:], *loss_parts, out, losses)
        return losses

    def losses(self, scores: Singles, scaling: Scaling, objective: Objective, positive: Numbers) -> Numbers:
        """The sums over the rows (m,) of the losses of scores (n, c)."""
        losses = np.zeros(len(positive))
        fixed = (self._scaled(scaling), self.weights, positive)
        kernels.loss_sums(scores, *fixed, objective.number, objective.parameter, losses)
        return losses

    def _scaled(self, scaling: Scaling) -> Singles:
        if scaling.label_shift == 0 and scaling.label_scale == 1:
            return self.targets
        return ((self.targets.astype(np.float64) - scaling.label_shift) / scaling.label_scale).astype(np.float32)


def scores(rows: Rows, shift: Singles, scale: Singles, weights: Singles, bias: Singles) -> Singles:
    """(n, c): ((x - shift) * scale) @ weights + bias, of dense rows and of sparse ones as they are."""
    out = np.empty((len(rows), weights.shape[1]), np.float32)
    if rows.is_sparse:
        kernels.sparse_scores(*_parts(rows), shift, scale, weights, bias, out)
    else:
        kernels.scores(rows.dense(), shift, scale, weights, bias, out)
    return out


def _parts(rows: Rows) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    matrix: Any = rows.features
    return matrix.indptr, matrix.indices, matrix.data


def batch(rows: Rows, settings: Hyperparameters, width: int, channel: str, classes: Singles | None = None) -> Batch:
    """The rows of a channel with their labels as targets; `UserError` where a label is none that can be learned from.

    `classes` (k,): how much a row of each class weighs.
    """
    if len(rows) and rows.width != width:
        raise UserError(f"Channel '{channel}': a row has {rows.width} features, where feature_dim is {width}.")
    targets = labels(rows, settings, channel)
    weights = np.ones(len(rows), np.float32) if rows.weight is None else np.asarray(rows.weight, np.float32)
    if classes is not None:
        weights = weights * classes[targets.astype(np.int64)]
    return Batch(rows, targets, weights)


def labels(rows: Rows, settings: Hyperparameters, channel: str) -> Singles:
    """The label (n,) of each row; `UserError` where there is none, or one that is not allowed."""
    classes = None if settings.is_regression else 2 if settings.is_binary else settings.outputs
    return labels_of(rows, channel, classes)


def check_features(rows: Rows, channel: str) -> None:
    """`UserError` where a feature is missing or infinite."""
    values: Any = rows.features.data if rows.is_sparse else rows.features
    if not np.isfinite(values).all():
        raise UserError(f"Channel '{channel}': a row has a missing or infinite feature.")
