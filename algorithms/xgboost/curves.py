"""Areas under the curves of a score that is cut at every height.    n rows   c classes   q queries"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.kernels import scores as kernels
from algoport.algorithms.xgboost.related import Whole

Floats = NDArray[np.float32]
Sums = NDArray[np.float64]


def area(name: str, values: Floats, whole: Whole) -> float:
    """`auc` or `aucpr` of all rows: of two classes; the mean over several, each against the rest, for `auc` weighed by
    how often it comes; or the mean over queries. NaN, as the library says, where there is but one class."""
    find = roc if name == "auc" else precision_recall
    labels, weights = whole.targets.label, whole.targets.weight
    if values.shape[1] > 1:
        return _of_each(find, values, labels, weights)
    if len(whole.queries) > 2:
        return _of_queries(name, values[:, 0], whole)
    return find(values[:, 0], labels, weights)


def roc(values: Floats, labels: Floats, weights: Floats) -> float:
    """The area under the receiver operating characteristic; ties count one half."""
    wrong, right = _curve(values, labels, weights)
    if not len(right) or right[-1] <= 0 or wrong[-1] <= 0:
        return float("nan")
    return float(np.sum(np.diff(wrong) * (right[1:] + right[:-1])) / 2 / (right[-1] * wrong[-1]))


def precision_recall(values: Floats, labels: Floats, weights: Floats) -> float:
    """The area under precision over recall; between two heights counts grow evenly, and not precision (Keilwagen,
    Grosse and Grau 2014)."""
    wrong, right = _curve(values, labels, weights)
    if not len(right) or right[-1] <= 0 or wrong[-1] <= 0:
        return float("nan")
    positives = right[-1]
    step = np.diff(right)
    moved = step > 0
    slope = np.divide(np.diff(wrong), step, out=np.zeros_like(step), where=moved)
    a = np.where(moved, 1 + slope, 1.0)
    b = np.where(moved, (wrong[:-1] - slope * right[:-1]) / positives, 0.0)
    before, after = right[:-1] / positives, right[1:] / positives
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = after - before - b / a * (np.log(a * after + b) - np.log(a * before + b))
    return float(np.sum(np.where(b != 0, bent, after - before) / a))


def _curve(values: Floats, labels: Floats, weights: Floats) -> tuple[Sums, Sums]:
    """How much weight of each kind lies above every height, from none to all."""
    order = np.argsort(-values, kind="stable")
    label = labels[order].astype(np.float64)
    weight = weights[order].astype(np.float64) if len(weights) else np.ones(len(order))
    last = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1) if len(order) else order
    wrong, right = np.cumsum((1 - label) * weight)[last], np.cumsum(label * weight)[last]
    return np.insert(wrong, 0, 0.0), np.insert(right, 0, 0.0)


def _of_each(find: Callable[[Floats, Floats, Floats], float], values: Floats, labels: Floats, weights: Floats) -> float:
    parts = [find(values[:, c], (labels == c).astype(np.float32), weights) for c in range(values.shape[1])]
    if find is precision_recall:
        return float(np.mean(parts))
    weight = weights.astype(np.float64) if len(weights) else np.ones(len(labels))
    counts = np.bincount(labels.astype(np.int64), weight, values.shape[1])
    return float((np.array(parts) * counts).sum() / counts.sum()) if counts.sum() else float("nan")


def _of_queries(name: str, values: Floats, whole: Whole) -> float:
    ordered, labels = values[whole.best], whole.targets.label[whole.best]
    if name == "auc":
        areas = kernels.orders(ordered, whole.queries)
    else:
        bounds = zip(whole.queries[:-1], whole.queries[1:], strict=True)
        none = np.empty(0, np.float32)
        areas = np.array([precision_recall(ordered[i:j], labels[i:j], none) for i, j in bounds])
    valid = ~np.isnan(areas)
    return float(areas[valid].mean()) if valid.any() else float("nan")
