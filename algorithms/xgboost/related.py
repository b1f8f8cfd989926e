"""Losses in which what a row adds depends on other rows, wherever they lie.    n rows   q queries

Ranking, proportional hazards, and the quantiles of leaves. All members come to know all labels once and all margins
in each round, and compute the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.xgboost.kernels import objectives as kernels
from algoport.algorithms.xgboost.together import Everyone

Floats = NDArray[np.float32]

RANKING = {"rank:pairwise": kernels.PAIRWISE, "rank:ndcg": kernels.NDCG, "rank:map": kernels.MAP}


@dataclass(frozen=True, eq=False)
class Targets:
    """What a member's rows should come to."""

    label: Floats  # (n,)
    weight: Floats = field(default_factory=lambda: np.empty(0, np.float32))  # (n,); (0,) where each row weighs 1
    upper: Floats | None = None  # (n,) where the label is the lower end of an interval
    query: NDArray[np.int64] | None = None  # (n,) which query a row is of; None: all of one

    def __len__(self) -> int:
        return len(self.label)

    def at(self, rows: NDArray[np.int64]) -> Targets:
        """Those of some rows."""
        return Targets(
            self.label[rows],
            self.weight[rows] if len(self.weight) else self.weight,
            None if self.upper is None else self.upper[rows],
            None if self.query is None else self.query[rows],
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """The rows of all members, for losses in which a row's part depends on others."""

    targets: Targets  # of all members
    targets_of_mine: Floats
    everyone: Everyone
    best: NDArray[np.int64]  # the rows query by query, those with the highest labels first
    queries: NDArray[np.int64]  # (q + 1,) where each begins in `order`
    weights: NDArray[np.float64]  # (q,) of the queries, with the mean 1

    @classmethod
    def of(cls, mine: Targets, group: Group) -> Whole:
        """Gather it; some exchanges."""
        everyone = Everyone(len(mine), group)
        label = everyone.of(mine.label)
        weight = everyone.of(_fill(mine.weight, len(mine), 1.0))
        query = everyone.of(_fill(mine.query, len(mine), 0).astype(np.int64))
        best = np.lexsort((-label, query))
        starts = np.flatnonzero(np.diff(query[best], prepend=-2))
        first = weight[np.unique(query, return_index=True)[1]].astype(np.float64)
        targets = Targets(label, weight if (weight != 1).any() else np.empty(0, np.float32), None, query)
        bounds = np.append(starts, len(label)).astype(np.int64)
        return cls(targets, mine.label, everyone, best, bounds, first * len(first) / max(first.sum(), 1e-300))

    def gradients(self, name: str, margins: Floats) -> Floats:
        """(n, 2) of this member's rows; an exchange."""
        whole = self.everyone.of(column(margins, 0))
        out = np.empty((len(whole), 2), np.float32)
        if name == "survival:cox":
            out[:] = cox(whole, self.targets.label, self.targets.weight)
        else:
            part, order, label = np.empty_like(out), self.ranked(whole), self.targets.label
            best = np.ascontiguousarray(label[self.best])
            kernels.ranking(RANKING[name], whole[order], label[order], best, self.queries, self.weights, part)
            out[order] = part
        return out[self.everyone.mine]

    def ranked(self, margins: Floats) -> NDArray[np.int64]:
        """The rows query by query, those with the highest margins first; of equal ones the first."""
        return np.lexsort((-margins, self.targets.query))  # type: ignore[arg-type]

    def quantile(self, values: Floats, alpha: float) -> float:
        """Of values of all rows."""
        return quantile(values, self.targets.weight, alpha)

    def leaves(self, leaf: NDArray[np.int32], left: Floats, alpha: float) -> dict[int, float]:
        """The quantile of `left` in each leaf; an exchange."""
        leaves, values = self.everyone.of(leaf), self.everyone.of(left)
        weight = self.targets.weight
        order = np.argsort(leaves, kind="stable")
        starts = np.flatnonzero(np.diff(leaves[order], prepend=-2147483648))
        leaf_values = {}
        for begin, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
            rows = order[begin:end]
            if leaves[rows[0]] >= 0:
                own = weight[rows] if len(weight) else weight
                leaf_values[int(leaves[rows[0]])] = quantile(values[rows], own, alpha)
        return leaf_values


def quantile(values: Floats, weights: Floats, alpha: float) -> float:
    """The library's quantile: between two values where rows weigh 1, and a value where they have weights."""
    n = len(values)
    if n == 0:
        return 0.0
    order = np.argsort(values, kind="stable")
    if len(weights):
        sums = np.cumsum(weights[order])
        return float(values[order[min(int(np.searchsorted(sums, np.float32(sums[-1] * alpha))), n - 1)]])
    ordered = values[order]
    if alpha <= 1 / (n + 1):
        return float(ordered[0])
    if alpha >= n / (n + 1):
        return float(ordered[-1])
    place = alpha * (n + 1)
    below = int(np.floor(place)) - 1
    low, high = ordered[below], ordered[below + 1]
    return float(np.float32(float(low) + (place - 1 - below) * float(high - low)))


def cox(margins: Floats, labels: Floats, weights: Floats) -> NDArray[np.float64]:
    """(n, 2) derivatives of the negative partial log-likelihood of proportional hazards, ties after Breslow.

    The absolute value of a label is a time; where it is negative the row was only seen so long.
    """
    order = np.argsort(np.abs(labels), kind="stable")
    times, events = np.abs(labels[order]), labels[order] > 0
    hazards = np.exp(margins[order]).astype(np.float64)
    first = np.searchsorted(times, times, side="left")  # the first row of the same time
    at_risk = np.cumsum(hazards[::-1])[::-1][first] if len(order) else hazards
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.cumsum(np.where(events, 1 / at_risk, 0.0))
        square = np.cumsum(np.where(events, 1 / (at_risk * at_risk), 0.0))
    out = np.empty((len(order), 2))
    out[order, 0] = hazards * rate - events
    out[order, 1] = hazards * rate - hazards * hazards * square
    return out * weights[:, None] if len(weights) else out


def column(margins: Floats, number: int) -> Floats:
    """One margin of every row, as kernels want it."""
    return np.ascontiguousarray(margins[:, number], np.float32)


def _fill(values: NDArray[np.float32] | NDArray[np.int64] | None, n: int, usual: float) -> NDArray[np.float32]:
    if values is None or (len(values) == 0 and n):
        return np.full(n, usual, np.float32)
    return values  # type: ignore[return-value]
