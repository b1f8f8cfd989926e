"""Tables of token vectors and their optimizers.    v rows   d numbers of a vector   r rows that a step uses

A step costs what its rows cost. With row_sparse, all others stay as they are. With dense they move, too, by what is
left of earlier gradients, and that is computed when a row is used again, or looked at; only weight decay, and
optimizers whose state changes without a gradient, go through the whole table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.object2vec.kernels import rows as kernels
from algoport.algorithms.shared.neural import rules
from algoport.algorithms.shared.neural.kernels import updates
from algoport.algorithms.shared.neural.sparse import RowGradient

Array = NDArray[np.float32]
_TAIL = 400  # steps after which nothing is left of a mean: 0.9 ** 400 is 5e-19
_CHUNK = 4096


class Table:
    """A table that is trained."""

    def __init__(self, rule: rules.Rule, values: Array, *, dense: bool) -> None:
        self.values = values  # (v, d) float32, changed in place
        self._rule = rule
        self.updates = 0
        kind = rule.kind
        self._whole = dense and (rule.decay != 0 or kind in ("rmsprop", "adadelta"))
        self._late = _Late(rule) if dense and kind == "adam" and not self._whole else None
        self.state = [np.zeros_like(values) for _ in range(rules.STATES[kind])]
        self._last = np.zeros(
            len(values), np.int64
        )  # the update up to which each row is moved; 0: it has had no gradient

    def begin(self, ids: NDArray[np.int32]) -> None:
        """The tokens that the next step uses: their rows are moved to where they are by now."""
        if self._late is not None and self.updates:
            self._catch_up(np.unique(ids).astype(np.int64))

    def settle(self) -> None:
        """Move all rows to where they are by now."""
        if self._late is not None and self.updates:
            self._catch_up(np.flatnonzero(self._last))

    def step(self, gradient: RowGradient, count: float) -> None:
        """One update from a gradient that is the sum over so many pairs."""
        if self._late is not None and self.updates:
            self._catch_up(gradient.rows)
        self.updates += 1
        rule, scale = self._rule, np.float32(1 / count)
        if self._whole:
            whole = np.zeros_like(self.values)
            whole[gradient.rows] = gradient.values
            state = [each.reshape(-1) for each in self.state]
            rules.step_(rule, self.values.reshape(-1), whole.reshape(-1), state, count=count, updates=self.updates)
        elif self._late is not None:
            late = np.zeros((3, len(gradient.rows)), np.float32)
            self._last[gradient.rows] = self.updates
            mean, square = self.state
            numbers = (float(scale), 1 - rule.one, 1 - rule.two, self._late.rate(self.updates), rule.epsilon)
            kernels.adam_(self.values, mean, square, gradient.rows, gradient.values, late, numbers)
        else:
            self._lazy(gradient.rows, gradient.values * scale)

    def _lazy(self, used: NDArray[np.int64], values: Array) -> None:
        rule = self._rule
        given: dict[str, Any] = {"rate": rule.rate, "decay": rule.decay}
        if rule.kind == "adam":
            mean, square = self.state
            updates.adam_rows_(self.values, mean, square, used, values, updates=self.updates, **given)
        elif rule.kind == "adagrad":
            updates.adagrad_rows_(self.values, self.state[0], used, values, **given)
        else:
            if not hasattr(self, "_momentum"):
                self._momentum = np.zeros_like(self.values)  # of no use: there is no momentum
            updates.sgd_rows_(self.values, self._momentum, used, values, **given)

    def _catch_up(self, some: NDArray[np.int64]) -> None:
        """The steps that rows have missed."""
        assert self._late is not None
        last = self._last[some]
        behind = some[(last > 0) & (last < self.updates)]
        if len(behind):
            factors = self._late.factors(self._last[behind], self.updates)
            nothing = np.empty((0, self.values.shape[1]), np.float32)
            mean, square = self.state
            kernels.adam_(self.values, mean, square, behind, nothing, factors, (0, 0, 0, 0, self._rule.epsilon))
            self._last[behind] = self.updates

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a checkpoint."""
        named: dict[str, NDArray[Any]] = {"values": self.values, "last": self._last}
        return named | {f"state{number}": own for number, own in enumerate(self.state)}

    def restore(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        """Set it to what `arrays` was after so many updates."""
        self.updates = count
        for name, own in self.arrays().items():
            own[...] = arrays[name]


class _Late:
    """What Adam does to a row in steps in which it has no gradient (Kingma and Ba 2015, without weight decay)."""

    def __init__(self, rule: rules.Rule) -> None:
        self._rule = rule
        self._ratio = rule.one / math.sqrt(rule.two)  # of the sizes of two such steps
        self._sums = np.zeros(0)  # by t: of the sizes of all steps behind t, that after the last but t being 1

    def rate(self, update: int) -> float:
        """Of an update, corrected for the means' beginning at 0."""
        rule = self._rule
        return float(rule.rate * math.sqrt(1 - rule.two**update) / (1 - rule.one**update))

    def factors(self, last: NDArray[np.int64], now: int) -> Array:
        """For rows that were moved up to the updates `last`: what m / (sqrt(v) + eps), m and v are multiplied by to
        move them up to `now` (3, r)."""
        self._extend(now)
        gaps = (now - last).astype(np.float64)
        steps = self._sums[last] - self._ratio**gaps * self._sums[now]
        return np.stack([steps, self._rule.one**gaps, self._rule.two**gaps]).astype(np.float32)

    def _extend(self, now: int) -> None:
        if now < len(self._sums):
            return
        size = now + _CHUNK
        t = np.arange(1, size + _TAIL + 1, dtype=np.float64)
        rates = self._rule.rate * np.sqrt(1 - self._rule.two**t) / (1 - self._rule.one**t)
        sums = np.zeros(size + _TAIL + 1)
        for place in range(size + _TAIL - 1, -1, -1):
            sums[place] = self._ratio * (rates[place] + sums[place + 1])
        self._sums = sums[:size]
