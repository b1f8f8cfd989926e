"""What is measured of a model: the library's evaluation metrics and those that its image adds.

n rows   k margins of a row   q queries   c classes

Every figure is that of all members' rows together. What is a sum is exchanged as one; for curves and queries all
members come to know all margins. Rows count by their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.curves import area
from algoport.algorithms.xgboost.kernels import scores as kernels
from algoport.algorithms.xgboost.metrics import CONFUSION, QUERIES, Score
from algoport.algorithms.xgboost.objectives import NOISES, Objective
from algoport.algorithms.xgboost.related import Targets, Whole, column

Floats = NDArray[np.float32]

_POINTWISE = {
    "rmse": kernels.SQUARES,
    "mse": kernels.SQUARES,
    "rmsle": kernels.LOG_SQUARES,
    "mae": kernels.ABSOLUTE,
    "mape": kernels.SHARES,
    "mphe": kernels.HUBER,
    "error": kernels.WRONG,
    "poisson-nloglik": kernels.POISSON,
    "gamma-deviance": kernels.DEVIANCE,
    "gamma-nloglik": kernels.GAMMA,
    "tweedie-nloglik": kernels.TWEEDIE,
}
_CLASSES = {"merror": 0, "mlogloss": 1}
_TIMES = {"aft-nloglik": 0, "interval-regression-accuracy": 1}
EVERY = 1 << 30  # how many rows of a query count where no number says


@dataclass(frozen=True, eq=False)
class ScoredChannel:
    """The rows of a channel that scores are computed of."""

    objective: Objective
    targets: Targets
    group: Group
    whole: Whole | None  # where a score is related

    @classmethod
    def of(cls, objective: Objective, targets: Targets, group: Group, scores: Sequence[Score]) -> ScoredChannel:
        """Some exchanges where they are needed."""
        related = any(score.related for score in scores)
        return cls(objective, targets, group, Whole.of(targets, group) if related else None)

    def values(self, scores: Sequence[Score], margins: Floats) -> dict[str, float]:
        """Every score by its written name; some exchanges."""
        return {score.written: self._value(score, margins) for score in scores}

    def _value(self, score: Score, margins: Floats) -> float:
        if score.base in (*_POINTWISE, "logloss", "quantile"):
            return self._pointwise(score, margins)
        if score.base in (*_CLASSES, *_TIMES):
            sums = self._classes(margins) if score.base in _CLASSES else self._times(margins)
            self.group.sum_(sums)
            return _ratio(sums[{**_CLASSES, **_TIMES}[score.base]], sums[2])
        if score.base in CONFUSION:
            return _OF_CONFUSION[score.base](self._confusion(margins))
        return self._r2(margins) if score.base == "r2" else self._related(score, margins)

    def _related(self, score: Score, margins: Floats) -> float:
        assert self.whole is not None
        everyone = self.whole.everyone.of(links.evaluation_scores(self.objective.name, margins))
        if score.base == "cox-nloglik":
            return partial_likelihood(everyone[:, 0], self.whole.targets.label)
        if score.base in QUERIES:
            return self._queries(score, everyone[:, 0], self.whole)
        return area(score.base, everyone, self.whole)

    def _pointwise(self, score: Score, margins: Floats) -> float:
        objective, t = self.objective, self.targets
        if score.base not in ("quantile",) and margins.shape[1] > 1:
            raise UserError(f"eval_metric: {score.written} must be of one number a row; {objective.name} answers more.")
        if score.base == "logloss" and objective.name in links.LOGISTIC:
            loss = kernels.log_loss(team(len(t)), column(margins, 0), t.label, t.weight)
            sums = np.array([loss, float(t.weight.sum(dtype=np.float64)) if len(t.weight) else len(t)])
        elif score.base == "logloss":
            answers = links.evaluation_scores(objective.name, margins)[:, 0].astype(np.float64)
            losses = _log_losses(t.label.astype(np.float64), answers)
            weight = t.weight if len(t.weight) else np.ones(len(t))
            sums = np.array([(losses * weight).sum(), weight.sum(dtype=np.float64)])
        else:
            sums = self._summed(score, margins)
        self.group.sum_(sums)
        value = _ratio(sums[0], sums[1])
        return float(np.sqrt(value)) if score.base in ("rmse", "rmsle") else value

    def _summed(self, score: Score, margins: Floats) -> NDArray[np.float64]:
        """The sums of losses and of weights, of every column of the margins."""
        objective, t = self.objective, self.targets
        link = kernels.IDENTITY
        if objective.name in links.LOGISTIC:
            link = kernels.SIGMOID
        elif objective.name in links.LOG and objective.name != "survival:aft":
            link = kernels.EXPONENTIAL
        values = links.evaluation_scores(objective.name, margins) if objective.name == "binary:hinge" else margins
        sums = np.zeros(2)
        for j in range(values.shape[1]):
            kind = kernels.QUANTILE if score.base == "quantile" else _POINTWISE[score.base]
            fact = np.float32(self._fact(score, j))
            rows = column(values, j), t.label, t.weight
            if kind == kernels.SQUARES and link == kernels.IDENTITY:
                sums += np.array(kernels.squares(team(len(t)), *rows))
            else:
                sums += np.array(kernels.pointwise(team(len(t)), kind, link, *rows, fact))
        return sums

    def _fact(self, score: Score, j: int) -> float:
        facts = {
            "error": 0.5,
            "tweedie-nloglik": self.objective.tweedie_variance_power,
            "mphe": self.objective.huber_slope,
            "quantile": self.objective.quantile_alpha[min(j, len(self.objective.quantile_alpha) - 1)],
        }
        return facts.get(score.base, 0.0) if score.number is None else score.number

    def _classes(self, margins: Floats) -> NDArray[np.float64]:
        t = self.targets
        if margins.shape[1] == 1:
            margins = np.column_stack([np.zeros(len(margins), np.float32), margins])
        return np.asarray(kernels.classes(np.ascontiguousarray(margins), t.label, t.weight))

    def _times(self, margins: Floats) -> NDArray[np.float64]:
        t, o = self.targets, self.objective
        upper = t.label if t.upper is None else t.upper
        kind, scale = NOISES[o.aft_loss_distribution], float(o.aft_loss_distribution_scale)
        return np.asarray(kernels.times(kind, column(margins, 0), t.label, upper, t.weight, scale))

    def _confusion(self, margins: Floats) -> NDArray[np.float64]:
        c = max(2, margins.shape[1])
        label = self.targets.label
        if ((label < 0) | (label >= c) | (label != np.floor(label))).any():
            raise UserError(
                f"eval_metric: {', '.join(CONFUSION)} must be of classes from 0 to {c - 1}; a label is none."
            )
        counts = np.zeros((c, c))
        kernels.confusion(np.ascontiguousarray(margins), label, self.targets.weight, counts)
        self.group.sum_(counts)
        return counts

    def _r2(self, margins: Floats) -> float:
        """1 - the squares that are left / those around the mean."""
        weight = self.targets.weight.astype(np.float64) if len(self.targets.weight) else np.ones(len(self.targets))
        label = self.targets.label.astype(np.float64)
        answers = links.evaluation_scores(self.objective.name, margins)[:, 0]
        sums = np.array([weight.sum(), (weight * label).sum(), (weight * (label - answers) ** 2).sum()])
        self.group.sum_(sums)
        around = np.array([(weight * (label - _ratio(sums[1], sums[0])) ** 2).sum()])
        self.group.sum_(around)
        return float(1 - sums[2] / around[0]) if around[0] > 0 else 0.0

    def _queries(self, score: Score, values: Floats, whole: Whole) -> float:
        top, empty = EVERY if score.number is None else int(score.number), 0.0 if score.minus else 1.0
        label = whole.targets.label
        labels = label[whole.ranked(values)]
        if score.base == "ndcg":
            query_scores = kernels.gains(labels, label[whole.best], whole.queries, top, empty)
        else:
            query_scores = kernels.precisions(labels, whole.queries, top, empty)
        return _ratio(float((query_scores * whole.weights).sum()), float(whole.weights.sum()))


def partial_likelihood(hazards: Floats, labels: Floats) -> float:
    """The negative log partial likelihood of Cox's model by event, ties after Breslow."""
    order = np.argsort(np.abs(labels), kind="stable")
    times, events, hazard = np.abs(labels[order]), labels[order] > 0, hazards[order].astype(np.float64)
    first = np.searchsorted(times, times, side="left")
    at_risk = np.cumsum(hazard[::-1])[::-1][first] if len(order) else hazard
    return _ratio(float((np.log(at_risk) - np.log(hazard))[events].sum()), float(events.sum()))


def _log_losses(y: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    right, wrong = np.log(np.maximum(p, 1e-16)), np.log(np.maximum(1 - p, 1e-16))
    return np.asarray(-(y * right + (1 - y) * wrong))


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else float(above)


def _shares(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Precision and recall of each class, 0 where nothing is to divide by, and which classes there are at all."""
    right, answered, meant = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    precision = np.divide(right, answered, out=np.zeros_like(right), where=answered > 0)
    recall = np.divide(right, meant, out=np.zeros_like(right), where=meant > 0)
    return precision, recall, (answered > 0) | (meant > 0)


def _accuracy(counts: NDArray[np.float64]) -> float:
    return _ratio(float(np.trace(counts)), float(counts.sum()))


def _balanced(counts: NDArray[np.float64]) -> float:
    meant = counts.sum(axis=1) > 0
    return float(_shares(counts)[1][meant].mean()) if meant.any() else 0.0


def _macro(which: int) -> Callable[[NDArray[np.float64]], float]:
    """The mean over the classes that there are: of precisions (0), recalls (1) or their harmonic means (2)."""

    def value(counts: NDArray[np.float64]) -> float:
        precision, recall, present = _shares(counts)
        return float((precision, recall, _harmonic(precision, recall))[which][present].mean()) if present.any() else 0.0

    return value


def _second(which: int) -> Callable[[NDArray[np.float64]], float]:
    """That of class 1."""

    def value(counts: NDArray[np.float64]) -> float:
        precision, recall, _ = _shares(counts)
        return float((precision, recall, _harmonic(precision, recall))[which][1])

    return value


def _harmonic(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(2 * one * other, one + other, out=np.zeros_like(one), where=one + other > 0)


_OF_CONFUSION: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "f1": _macro(2),
    "f1_binary": _second(2),
    "f1_macro": _macro(2),
    "precision": _second(0),
    "precision_macro": _macro(0),
    "precision_micro": _accuracy,  # of one class a row, what is answered wrongly is also missed
    "recall": _second(1),
    "recall_macro": _macro(1),
    "recall_micro": _accuracy,
}
