"""From which score on a row is positive.    n rows   m models"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.kernels import sweep

Singles = NDArray[np.float32]
Numbers = NDArray[np.float64]

_CRITERIA = {
    "accuracy": sweep.ACCURACY,
    "f_beta": sweep.F_BETA,
    "precision_at_target_recall": sweep.PRECISION_AT_RECALL,
    "recall_at_target_precision": sweep.RECALL_AT_PRECISION,
}


EXACT = 512  # rows up to which models are compared at their best thresholds, with more near them


def natural(settings: Hyperparameters) -> float:
    """The threshold of margins where nothing is calibrated: both classes as probable, or as far."""
    return 0.5 if settings.objective == "hinge_loss" else 0.0


def valued(margins: Singles, positive: NDArray[np.bool_], settings: Hyperparameters) -> Numbers:
    """For margins (n, m) of rows of which `positive` (n,) are, the value (m,) of the criterion that every model can
    have. A model that has diverged is worth minus infinity.

    With more than `EXACT` rows thresholds are tried at the edges of bins, which is by far finer than chance, and needs
    no sorting.
    """
    if len(margins) <= EXACT:
        return calibrate(margins, positive, settings)[0]
    criterion, target = _criterion(settings)
    values = np.empty(margins.shape[1])
    given = np.ascontiguousarray(margins), np.ascontiguousarray(positive)
    sweep.coarse(*given, criterion, float(settings.f_beta), target, values)
    return values


def calibrate(margins: Singles, positive: NDArray[np.bool_], settings: Hyperparameters) -> tuple[Numbers, Numbers]:
    """As `valued`, at the best threshold of every model, and that threshold (m,)."""
    criterion, target = _criterion(settings)
    middle = natural(settings)
    each = zip(*split_margins(margins, positive), np.asarray(np.isfinite(margins).all(axis=0)), strict=True)
    optima = [
        sweep.best(positives, negatives, criterion, settings.f_beta, target, middle) if finite else (-np.inf, middle)
        for positives, negatives, finite in each
    ]
    values, thresholds = np.array(optima, np.float64).reshape(-1, 2).T
    return values, thresholds


def _criterion(settings: Hyperparameters) -> tuple[int, float]:
    """The criterion's number, and the recall or precision to keep."""
    criterion = _CRITERIA[settings.criterion]
    target = settings.target_recall if criterion == sweep.PRECISION_AT_RECALL else settings.target_precision
    return criterion, float(target)


def split_margins(margins: Singles, positive: NDArray[np.bool_]) -> tuple[Singles, Singles]:
    """The margins (n, m) of the positives (m, p) and of the negatives (m, q), those of a model in ascending order."""
    whole = np.ascontiguousarray(margins.T)
    return np.sort(whole[:, positive], axis=1), np.sort(whole[:, ~positive], axis=1)


def area(margins: Singles, positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve."""
    (positives,), (negatives,) = split_margins(margins[:, None], positive)
    return float(sweep.area(positives, negatives))
