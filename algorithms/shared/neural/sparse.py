"""Row-sparse gradients of embedding tables: of the rows that a batch used, and of no others.

v rows of a table   r used rows   d numbers of a row   p places (tokens) of a batch

What a step costs, computes and exchanges grows with the rows that were used and not with the table. Needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.neural.kernels import updates
from algoport.algorithms.shared.neural.kernels.rows import sum_rows

if TYPE_CHECKING:
    from algoport.algorithms.shared.neural.optimizers import Rule  # needs torch

_STATE = {"sgd": ("momentum",), "adagrad": ("history",), "adam": ("mean", "square")}


@dataclass(frozen=True, eq=False)
class RowGradient:
    """The gradient of some rows of a table; that of all others is zero."""

    rows: NDArray[np.int64]  # (r,) ascending, each once
    values: NDArray[np.float32]  # (r, d)


def row_gradient(
    ids: NDArray[np.int64],  # (p,) the row that each place used
    gradients: NDArray[np.float32],  # (m, d)
    places: NDArray[np.int64] | None = None,  # (p,) which of the gradients each place has; None: each its own
    scales: NDArray[np.float32] | None = None,  # (p,) what it is multiplied by; None: 1
) -> RowGradient:
    """The gradients of all places, summed by row in the order of the places; the same on any number of threads."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=np.int64(-1)))
    values = sum_rows(
        gradients,
        order if places is None else places[order],
        np.append(begins, len(ids)),
        np.ones(len(ids), np.float32) if scales is None else scales[order],
    )
    return RowGradient(np.asarray(ordered[begins], np.int64), values)


def exchange(gradient: RowGradient, group: Group) -> RowGradient:
    """The sum over all members, the same at each; what is sent are the used rows. Two exchanges."""
    rows, values = group.gather(gradient.rows), group.gather(gradient.values)
    if len(rows) == 1:  # the sum of one is what it is
        _reach_kernel()
        return RowGradient(rows[0], values[0])
    return row_gradient(np.concatenate(rows), np.concatenate(values))


@cache
def _reach_kernel() -> None:
    """Sum nothing, once: an image is built by jobs of one member, and holds what those of several call, too."""
    row_gradient(np.empty(0, np.int64), np.empty((0, 1), np.float32))


class RowOptimizer:
    """Lazy sgd, adagrad or adam: updates the rows of a table that have a gradient, and those of its state.

    Clips by value where the rule does. The norm of a whole gradient, of which a table is a part, is not known here:
    `clip_norm` must be None.
    """

    def __init__(self, rule: Rule, table: NDArray[np.float32]) -> None:
        if rule.kind not in _STATE or rule.clip_norm is not None:
            raise ValueError(f"row-sparse updates are of {', '.join(_STATE)}, without clip_norm; not of {rule}")
        self._rule, self._table = rule, table
        self.state = {name: np.zeros_like(table) for name in _STATE[rule.kind]}
        self.updates = 0

    def step(self, gradient: RowGradient, count: float, rate: float) -> None:
        """One update from a gradient that is the sum over so many records."""
        rule = self._rule
        self.updates += 1
        values = gradient.values * np.float32(rule.rescale / count)
        shared: dict[str, Any] = {
            "rate": rate,
            "decay": rule.weight_decay,
            "clip": math.inf if rule.clip_value is None else rule.clip_value,
        }
        if rule.kind == "sgd":
            momentum = self.state["momentum"]
            updates.sgd_rows_(self._table, momentum, gradient.rows, values, share=rule.momentum, **shared)
        elif rule.kind == "adagrad":
            history = self.state["history"]
            updates.adagrad_rows_(self._table, history, gradient.rows, values, eps=rule.epsilon, **shared)
        else:
            updates.adam_rows_(
                self._table,
                self.state["mean"],
                self.state["square"],
                gradient.rows,
                values,
                updates=self.updates,
                beta_1=rule.beta_1,
                beta_2=rule.beta_2,
                eps=rule.epsilon,
                **shared,
            )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copies of its state."""
        return {name: array.copy() for name, array in self.state.items()}

    def restore(self, arrays: Mapping[str, NDArray[np.float32]], count: int) -> None:
        """Set its state to what `arrays` and `updates` were."""
        self.updates = count
        for name, array in self.state.items():
            array[:] = arrays[name]
