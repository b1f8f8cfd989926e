"""What is decided before the first step, from the first rows of all members.

n rows   d features   k outputs of a model   m models
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group, agreed, total
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.batch import Batch, batch, check_features
from algoport.algorithms.linear_learner.candidates import Candidate, candidates
from algoport.algorithms.linear_learner.descent import draw_weights
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.linear_learner.objective import Objective, objective
from algoport.algorithms.linear_learner.scaling import Scaling, measure
from algoport.algorithms.linear_learner.selection import Judge, Margins, calibrated_rows
from algoport.algorithms.shared.start import check_alike

Job = contract.Job[Hyperparameters, Model]
Singles = NDArray[np.float32]

UNSEEN = 1_000_000.0  # what a row of a class weighs that the sample does not have; the original's number
# Where there is no validation channel, this many training rows select and calibrate, within so many bytes.
SAMPLE, SAMPLE_BYTES = 20_000, 1 << 26


@dataclass(frozen=True, eq=False)
class Plan:
    """It is the same at every member, but for the sample."""

    width: int
    scaling: Scaling
    objective: Objective
    models: list[Candidate]
    positive: NDArray[np.float64]  # (m,) what a positive row weighs in the training of each model
    classes: Singles | None  # (k,) what a row of each class weighs, where that differs
    weights: Singles  # (d, k) that all models start from
    bias: Singles  # (k,)
    judge: Judge
    sample: Batch | None  # this member's training rows that select, where there is no validation channel


def make_plan(job: Job) -> Plan:
    """Look at the first rows; `UserError` where there are none, or none that can be learned from."""
    settings, group, source = job.hyperparameters, job.group, job.channels["train"]
    head = source.head(settings.num_point_for_scaler)
    (rows,) = total(group, len(head))
    if rows == 0:
        if agreed(group, job.stop_requested()):
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    width = _width(settings, head if len(head) else None, source, group)
    _check_start(job.start, settings, width)
    head = head if len(head) else _none(width)
    targets = batch(head, settings, width, "train").targets
    check_features(head, "train")
    counts = _counts(targets, settings, group)
    scaling, varies = measure(head, targets, settings, group)
    weights, bias = draw_weights(settings, varies, job.seed)
    if job.start is not None:
        scaling, weights, bias = _from_start(job.start, scaling)
        job.reporter.note(f"incremental training from a {settings.predictor_type} of {width} features")
    models = candidates(settings, width, float(counts[0] / counts[1]) if counts.all() else 1.0, job.seed)
    loss = objective(settings, scaling.label_scale)
    positive = np.array([model.positive for model in models])
    # Losses in which positive rows weigh differently cannot be compared: there, none weighs more.
    compared = positive if np.ptp(positive) == 0 else np.ones_like(positive)
    judge = Judge(settings, scaling, loss, compared, Margins(len(models) * settings.outputs))
    classes = _class_weights(counts) if settings.balance_multiclass_weights and settings.outputs > 1 else None
    sample = None if "validation" in job.channels else _sample(job, head, width, classes)
    return Plan(width, scaling, loss, models, positive, classes, weights, bias, judge, sample)


def _none(width: int) -> Rows:
    return Rows(features=np.empty((0, width), np.float32))


def _width(settings: Hyperparameters, head: Rows | None, source: contract.Source[Rows], group: Group) -> int:
    """feature_dim, or what the rows of some member say."""
    if not isinstance(settings.feature_dim, str):
        return settings.feature_dim
    own = head.width if head is not None else source.width or 0
    width = int(max(part[0] for part in group.gather(np.array([own], np.int64))))
    if width == 0:
        raise UserError("feature_dim: must be at least 1; the rows of channel 'train' have no features.")
    return width


def _counts(targets: Singles, settings: Hyperparameters, group: Group) -> NDArray[np.float64]:
    """How many rows of the sample each class has, of all members; of a regression, nothing."""
    if settings.is_regression:
        return np.zeros(2)
    counts = np.bincount(targets.astype(np.int64), minlength=max(2, settings.outputs)).astype(np.float64)
    group.sum_(counts)
    return counts


def _class_weights(counts: NDArray[np.float64]) -> Singles:
    """The inverse of each class's share of the rows."""
    seen = counts > 0
    return np.where(seen, counts.sum() / np.where(seen, counts, 1), UNSEEN).astype(np.float32)


def _sample(job: Job, head: Rows, width: int, classes: Singles | None) -> Batch:
    """The first training rows, as many as are wanted and fit."""
    settings = job.hyperparameters
    size, count = total(job.group, _bytes(head), len(head))
    given = settings.num_calibration_samples
    wanted = SAMPLE if isinstance(given, str) else calibrated_rows(settings, 1)
    fitting = int(SAMPLE_BYTES / max(size / count, 1))
    rows = job.channels["train"].head(max(1, min(wanted, fitting)))
    return batch(rows if len(rows) else _none(width), settings, width, "train", classes)


def _bytes(rows: Rows) -> int:
    if rows.is_sparse:
        return int(rows.features.data.nbytes + rows.features.indices.nbytes)  # type: ignore[union-attr]
    return int(rows.dense().nbytes)


def _from_start(start: Model, measured: Scaling) -> tuple[Scaling, Singles, Singles]:
    """Scaling, weights and bias to start from, of a model: in its own scaling, so that its weights mean the same, or
    in a new one where it is a model of the original."""
    scaling = measured
    if start.scale is not None:
        scaling = Scaling(start.shift, start.scale, start.label_shift, start.label_scale)
    return scaling, *scaling.unfolded(start.weights, start.bias, start.shift)


def _check_start(start: Model | None, settings: Hyperparameters, width: int) -> None:
    """`UserError` where the model to start from is of another kind."""
    if start is not None:
        check_alike(
            predictor_type=(start.predictor_type, settings.predictor_type),
            num_classes=(start.outputs, settings.outputs),
            feature_dim=(start.width, width),
        )
