"""Rounds of boosting that move a linear model, one coordinate after another.    n rows   d features   k margins"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import total
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import TRAIN, Part
from algoport.algorithms.xgboost.kernels import linear as kernels
from algoport.algorithms.xgboost.plan import Plan

Floats = NDArray[np.float32]


class Linear:
    """A linear booster that learns, and the margins of the rows that it is trained and watched on.

    Values that are missing count as 0. Each coordinate of each margin is an exchange of two numbers.
    """

    def __init__(self, plan: Plan, parts: Mapping[str, Part], booster: Booster) -> None:
        self.plan, self.parts = plan, parts
        self.objective = plan.objective
        train = parts[TRAIN]
        self.whole = self.objective.whole(train.targets, plan.group)
        if booster.linear is None:
            booster = replace(booster, linear=np.zeros((booster.num_feature + 1, booster.outputs), np.float32))
        self.booster = booster
        weight = train.targets.weight
        self.weight = total(plan.group, float(weight.sum(dtype=np.float64)) if len(weight) else len(train))[0]
        self.columns = _columns(train)
        self.gradients = np.empty((self.objective.outputs, len(train), 2), np.float32)
        self.margins = {name: booster.margin(part.rows) for name, part in parts.items()}

    @property
    def rounds(self) -> int:
        """How many rounds of boosting the booster has had."""
        return self.booster.rounds

    def advance(self) -> None:
        """One more round: the biases, then every weight once.

        shotgun goes through the margins of a feature before the next one, and coord_descent the other way round; the
        library's shotgun lets threads race each other, which this does not.
        """
        train = self.parts[TRAIN]
        self.objective.gradients(self.margins[TRAIN], train.targets, self.whole, self.gradients)
        assert self.booster.linear is not None
        weights = self.booster.linear.copy()
        d, k = self.booster.num_feature, self.booster.outputs
        for j in range(k):
            self._move_bias(weights, j)
        shotgun = "coord_descent" not in self.plan.settings.steps
        order = (
            [(f, j) for f in range(d) for j in range(k)] if shotgun else [(f, j) for j in range(k) for f in range(d)]
        )
        for f, j in order:
            self._move(weights, f, j)
        self.booster = replace(self.booster, linear=weights, linear_rounds=self.rounds + 1)
        self.margins = {name: self.booster.margin(part.rows) for name, part in self.parts.items()}

    def _move_bias(self, weights: Floats, j: int) -> None:
        g, h = total(self.plan.group, *self.gradients[j].sum(axis=0, dtype=np.float64))
        step = np.float32(self.plan.eta * -g / h) if h else np.float32(0)
        weights[-1, j] += step
        kernels.shift(step, self.gradients[j])

    def _move(self, weights: Floats, f: int, j: int) -> None:
        rows, values = self.columns[f]
        g, h = total(self.plan.group, *kernels.slope(rows, values, self.gradients[j]))
        l1, l2 = self.plan.settings.alpha * self.weight, self.plan.lambda_ * self.weight
        step = np.float32(self.plan.eta * kernels.best_step(g, h, float(weights[f, j]), l1, l2))
        if step:
            weights[f, j] += step
            kernels.move(rows, values, step, self.gradients[j])


def _columns(part: Part) -> list[tuple[NDArray[np.int32], Floats]]:
    """Of each feature, which rows have a value, and what it is."""
    features = part.rows.features
    if sparse.issparse(features):
        matrix: Any = cast(Any, features).tocsc()
        bounds = matrix.indptr
        columns = [(matrix.indices[i:j], matrix.data[i:j]) for i, j in pairwise(bounds)]
    else:
        every = np.arange(len(part), dtype=np.int32)
        columns = [(every, column) for column in np.asarray(features).T]
    column_entries = []
    for rows, values in columns:
        there = ~np.isnan(values)
        column_entries.append(
            (np.ascontiguousarray(rows[there], np.int32), np.ascontiguousarray(values[there], np.float32))
        )
    return column_entries
