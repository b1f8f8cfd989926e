"""Cross-validation: a model for each part of the rows that is left out.    n rows"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import concatenate
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import TRAIN, VALIDATION, Part
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.related import Targets
from algoport.algorithms.xgboost.together import Everyone

FOLD = 1 << 21  # what the draws are for, beside the seed
HALF = 0.5
CLASSES = ("binary:logistic", "binary:logitraw", "binary:hinge", *links.SOFTMAX)


class Folds:
    """The rows of all channels, cut into parts once a repeat, and what models answer of those they have not seen.

    Folds are numbered through the repeats, one after another.
    """

    def __init__(self, plan: Plan, parts: Mapping[str, Part]) -> None:
        self._plan = plan
        self._rows = _all(list(parts.values()))
        self._everyone = Everyone(len(self._rows), plan.group)
        self._labels = self._everyone.of(self._rows.targets.label)
        self.kfold = plan.settings.kfold or 2
        self.count = self.kfold * plan.settings.num_cv_round
        self._of_repeat = [self._assignment(repeat) for repeat in range(plan.settings.num_cv_round)]
        self._answers: list[NDArray[np.float32]] = []  # of each repeat, (n,) or (n, k)
        self._figures: list[dict[str, float]] = []  # of each fold; empty where it was not trained in this run

    def parts(self, number: int) -> dict[str, Part]:
        """What to train and to validate on in that fold."""
        left_out = self._left_out(number)
        return {
            TRAIN: self._rows.at(np.flatnonzero(~left_out)),
            VALIDATION: self._rows.at(np.flatnonzero(left_out)),
        }

    def add(self, number: int, booster: Booster, validation: Part, figures: dict[str, float]) -> None:
        """Note what the model of that fold answers of the rows left out, and its last figures where it was trained in
        this run."""
        answer = links.transform(booster.objective, booster.margin(validation.rows))
        if number % self.kfold == 0:
            self._answers.append(np.empty((len(self._rows), *answer.shape[1:]), np.float32))
        self._answers[-1][self._left_out(number)] = answer
        self._figures.append(figures)

    def means(self, number: int) -> dict[str, float]:
        """The means of the figures over the folds of a repeat whose last fold this is; none where it is not, or where
        one of them was not trained in this run."""
        of_repeat = self._figures[-self.kfold :]
        if number % self.kfold != self.kfold - 1 or not all(of_repeat):
            return {}
        return {name: float(np.mean([own[name] for own in of_repeat])) for name in of_repeat[0]}

    def predictions(self) -> dict[str, Any]:
        """predictions.csv, of the rows of all members: of each its label, then the mean over the repeats of what
        models answer that have not seen it, and for classes the one most often answered."""
        every = np.stack([self._everyone.of(answer) for answer in self._answers])  # (repeats, n) or (repeats, n, k)
        name = self._plan.objective.name
        columns: dict[str, Any] = {"label": self._labels}
        if name not in ("multi:softmax", "binary:hinge"):
            mean = every.mean(axis=0, dtype=np.float64)
            if mean.ndim == 1:
                columns["prediction"] = mean
            else:
                columns |= {f"prediction_{j}": mean[:, j] for j in range(mean.shape[1])}
        if name in CLASSES:
            columns["predicted_label"] = _majority(name, every, self._plan.objective.outputs)
        return columns

    def _left_out(self, number: int) -> NDArray[np.bool_]:
        """(n,) which of this member's rows that fold leaves out."""
        repeat, fold = divmod(number, self.kfold)
        return np.equal(self._of_repeat[repeat], fold)

    def _assignment(self, repeat: int) -> NDArray[np.int64]:
        """(n,) in which part each of this member's rows is."""
        stratified = self._plan.objective.name in CLASSES
        parts = folds(self._labels, self.kfold, self._plan.key(FOLD, repeat), stratified=stratified)
        return np.asarray(parts[self._everyone.mine])


def folds(labels: NDArray[np.float32], kfold: int, key: tuple[int, ...], *, stratified: bool) -> NDArray[np.int64]:
    """(n,) in which part each row is; where `stratified`, each has about the same share of each class."""
    random = np.random.default_rng(key)
    order = random.permutation(len(labels))
    if stratified:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % kfold
    return fold


def _all(parts: list[Part]) -> Part:
    """The rows of all channels one after another."""
    if len(parts) == 1:
        return parts[0]
    targets = [part.targets for part in parts]
    weighted = any(len(own.weight) for own in targets)
    weight = [own.weight if len(own.weight) else np.ones(len(own), np.float32) for own in targets]
    upper = [own.upper for own in targets if own.upper is not None]
    query = [own.query for own in targets if own.query is not None]
    return Part(
        concatenate([part.rows for part in parts]),
        Targets(
            np.concatenate([own.label for own in targets]),
            np.concatenate(weight) if weighted else np.empty(0, np.float32),
            np.concatenate(upper) if len(upper) == len(targets) else None,
            np.concatenate(query) if len(query) == len(targets) else None,
        ),
    )


def _majority(name: str, every: NDArray[np.float32], outputs: int) -> NDArray[np.int64]:
    if name == "multi:softprob":
        named = every.argmax(axis=2)
    elif name in ("multi:softmax", "binary:hinge"):
        named = every.astype(np.int64)
    else:
        named = (every > (HALF if name == "binary:logistic" else 0)).astype(np.int64)
    votes = (named[:, :, None] == np.arange(max(2, outputs))).sum(axis=0)
    return np.asarray(votes.argmax(axis=1))
