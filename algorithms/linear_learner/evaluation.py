"""How good a finished model is on a channel.    n rows   k outputs"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.linear_learner import calibration
from algoport.algorithms.linear_learner.batch import Batch
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

Singles = NDArray[np.float32]
Numbers = NDArray[np.float64]
Scores = dict[str, float]  # by the names of the metrics


class Tally(Protocol):
    """What is counted of the rows of a channel, batch by batch."""

    def add(self, batch: Batch, margins: Singles) -> None:
        """Count rows of which the model computed `margins` (n, k)."""

    def scores(self, group: Group) -> Scores:
        """The metrics over the rows of all members; exchanges sums."""


def tally(settings: Hyperparameters, threshold: float) -> Tally:
    """The one for the kind of label."""
    if settings.is_regression:
        return _Errors()
    return _Binary(settings, threshold) if settings.is_binary else _Multiclass(settings)


def log_names(settings: Hyperparameters, channel: str) -> Mapping[str, str]:
    """How metrics whose names vary stand in the log."""
    beta, k = f"{settings.f_beta:.3f}", settings.accuracy_top_k
    names = {
        "binary_f_beta": f"binary_f_{beta}",
        "macro_f_beta": f"macro_f_{beta}",
        "multiclass_top_k_accuracy": f"multiclass_top_k_accuracy_{k}",
    }
    return {f"{channel}:{name}": shown for name, shown in names.items()}


class _Errors:
    """Of numbers."""

    def __init__(self) -> None:
        self._sums = np.zeros(3)  # squares, absolute values, rows

    def add(self, batch: Batch, margins: Singles) -> None:
        error = margins[:, 0].astype(np.float64) - batch.targets
        self._sums += np.array([error @ error, np.abs(error).sum(), len(error)])

    def scores(self, group: Group) -> Scores:
        group.sum_(self._sums)
        squares, absolute, rows = self._sums
        mse = float(squares / max(rows, 1))
        return {"mse": mse, "absolute_loss": float(absolute / max(rows, 1)), "rmse": mse**0.5}


class _Binary:
    """Of two classes. Keeps the margins, 5 bytes a row, as the area under a curve is of all of them."""

    def __init__(self, settings: Hyperparameters, threshold: float) -> None:
        self._beta, self._threshold = settings.f_beta, threshold
        self._margins: list[Singles] = [np.empty(0, np.float32)]
        self._positive: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]

    def add(self, batch: Batch, margins: Singles) -> None:
        self._margins.append(margins[:, 0].copy())
        self._positive.append(batch.targets > 0)

    def scores(self, group: Group) -> Scores:
        margins = np.concatenate(group.gather(np.concatenate(self._margins)))
        positive = np.concatenate(group.gather(np.concatenate(self._positive)))
        predictions = margins >= self._threshold
        true, false = float((predictions & positive).sum()), float((predictions & ~positive).sum())
        missed = float((~predictions & positive).sum())
        return {
            "binary_classification_accuracy": float((predictions == positive).sum()) / max(len(predictions), 1),
            "binary_f_beta": float(_f(np.array(true), np.array(false), np.array(missed), self._beta)),
            "precision": true / max(true + false, 1),
            "recall": true / max(true + missed, 1),
            "roc_auc_score": calibration.area(margins, positive),
        }


class _Multiclass:
    """Of several classes. A class that no row has counts in no mean over classes."""

    def __init__(self, settings: Hyperparameters) -> None:
        k = settings.outputs
        self._beta, self._top = settings.f_beta, settings.accuracy_top_k
        self._classes = np.zeros((3, k))  # rows of it, rows taken for it, and those that are both
        self._sums = np.zeros(4)  # rows, hits among the top, gain, negative log likelihood

    def add(self, batch: Batch, margins: Singles) -> None:
        n, k = margins.shape
        label = batch.targets.astype(np.int64)
        own = margins[np.arange(n), label][:, None]
        before = np.arange(k) < label[:, None]
        rank = ((margins > own) | ((margins == own) & before)).sum(axis=1)  # 0 is the first; ties to the lower class
        predictions = margins.argmax(axis=1)
        class_lists = (label, predictions, label[predictions == label])
        self._classes += np.array([np.bincount(classes, minlength=k) for classes in class_lists])
        top = margins.max(axis=1, initial=-np.inf)[:, None].astype(np.float64) if n else np.zeros((0, 1))
        log_sum = np.log(np.exp(margins - top).sum(axis=1)) + top[:, 0]
        gain = 1 / np.log2(rank + 2)
        self._sums += np.array([n, (rank < self._top).sum(), gain.sum(), (log_sum - own[:, 0]).sum()])

    def scores(self, group: Group) -> Scores:
        group.sum_(self._classes, self._sums)
        there, predictions, both = self._classes
        rows, top, gain, log_loss = self._sums
        rows = np.maximum(rows, 1)
        seen = there > 0
        recall = _ratio(both, there)
        every = (there > 0) | (predictions > 0)
        return {
            "multiclass_accuracy": float(both.sum() / rows),
            "multiclass_top_k_accuracy": float(top / rows),
            "dcg": float(gain / rows),
            "macro_recall": _mean(recall, every),
            "macro_precision": _mean(_ratio(both, predictions), every),
            "macro_f_beta": _mean(_f(both, predictions - both, there - both, self._beta), every),
            "multiclass_balanced_accuracy": _mean(recall, seen),
            "multiclass_log_loss": float(log_loss / rows),
        }


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def _f(true: Numbers, false: Numbers, missed: Numbers, beta: float) -> Numbers:
    """(1 + beta^2) precision recall / (beta^2 precision + recall); 0 where nothing is found and nothing missed."""
    weighted = np.asarray((1 + beta**2) * true, np.float64)
    return _ratio(weighted, weighted + beta**2 * missed + false)


def _mean(values: Numbers, of: NDArray[np.bool_]) -> float:
    return float(values[of].mean()) if of.any() else 0.0


def summary(
    scores: Mapping[str, Any], settings: Hyperparameters, objective: str, loss: float
) -> list[tuple[str, float]]:
    """The metrics by their names in the log, the objective first, as the original lists them."""
    names = log_names(settings, "")
    return [(objective, loss), *((names.get(f":{name}", name), float(value)) for name, value in scores.items())]
