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
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.neural import rules
from algoport.algorithms.shared.neural.kernels import updates
from algoport.algorithms.shared.neural.sparse import RowGradient
from algoport.algorithms.shared.threads import team

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

    @property
    def late(self) -> _Late | None:
        """How rows catch up, where they wait for their steps."""
        return self._late

    @property
    def record(self) -> tuple[Array, Array, Array, NDArray[np.int64]]:
        """What a step of Adam changes: vectors, both means, and the update up to which each row is moved."""
        mean, square = self.state
        return self.values, mean, square, self._last

    def begin(self, rows: NDArray[np.int64]) -> None:
        """The rows that the next step uses, each once: they are moved to where they are by now."""
        if self._late is not None and self.updates:
            self._late_adam(rows, np.empty((0, self.values.shape[1]), np.float32), 0.0)

    def settle(self) -> None:
        """Move all rows to where they are by now."""
        if self._late is not None and self.updates:
            self.begin(np.flatnonzero(self._last))

    def step(self, gradient: RowGradient, count: float) -> None:
        """One update from a gradient that is the sum over so many pairs."""
        if self._late is not None:
            self._late_adam(gradient.rows, gradient.values, 1 / count)
            self.updates += 1
            return
        self.updates += 1
        if self._whole:
            whole = np.zeros_like(self.values)
            whole[gradient.rows] = gradient.values
            state = [each.reshape(-1) for each in self.state]
            rules.step_(
                self._rule, self.values.reshape(-1), whole.reshape(-1), state, count=count, updates=self.updates
            )
        else:
            self._lazy(gradient.rows, gradient.values * np.float32(1 / count))

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

    def _late_adam(self, rows: NDArray[np.int64], values: Array, scale: float) -> None:
        """The steps that rows have missed, and one with their gradients where there are some."""
        assert self._late is not None
        rule, done = self._rule, self.updates
        numbers = (scale, 1 - rule.one, 1 - rule.two, self._late.rate(done + 1), rule.epsilon)
        sums, (mean, square) = self._late.sums(done), self.state
        kernels.adam_(
            self.values, mean, square, self._last, rows, values, done, sums, self._late.shares, numbers
        )  # fmt: skip

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a checkpoint."""
        named: dict[str, NDArray[Any]] = {"values": self.values, "last": self._last}
        return named | {f"state{number}": own for number, own in enumerate(self.state)}

    def restore(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        """Set it to what `arrays` was after so many updates."""
        self.updates = count
        for name, own in self.arrays().items():
            own[...] = arrays[name]


class Joint:
    """Adam without weight decay on weights and on all tables, in one call a step; another before it for rows to catch
    up, which the passes make."""

    def __init__(self, rule: rules.Rule, weights: Array, memory: list[Array], tables: Mapping[str, Table]) -> None:
        self._rule, self._weights, self._memory = rule, weights, memory
        self._tables = list(tables.values())
        self._records = (*(table.record for table in self._tables), _NO_RECORD, _NO_RECORD)[:2]
        self._sums = _Late(rule)

    @staticmethod
    def fit(rule: rules.Rule, tables: Mapping[str, Table]) -> bool:
        """Whether it is what a network of these is trained by."""
        return rule.kind == "adam" and not rule.decay and all(table.late is not None for table in tables.values())

    def behind(self, plans: list[NDArray[np.int64]], done: int) -> tuple[Any, ...]:
        """What `adam_of_all_` is given for the rows that a step uses to catch up, after so many updates."""
        rule, late = self._rule, self._sums
        numbers = (*late.shares, 0.0, 0.0, 0.0, 0.0, rule.epsilon)
        return self._records, _two(plans, _NO_ROWS), _NO_VALUES, done, late.sums(done), numbers

    def step(self, gradient: Array, by_tables: list[RowGradient], count: float, done: int) -> None:
        """One update from gradients that are sums over so many pairs, of the tables in their order."""
        rule, late = self._rule, self._sums
        numbers = (*late.shares, 1 / count, 1 - rule.one, 1 - rule.two, late.rate(done + 1), rule.epsilon)
        rows = _two([const(own.rows, _INT64) for own in by_tables], _NO_ROWS)
        values = _two([const(own.values) for own in by_tables], _NO_VALUES[0])
        items = len(gradient) + sum(own.size for own in values)
        mean, square = self._memory
        kernels.adam_of_all_(
            team(items), self._weights, gradient, mean, square, self._records, rows, values, done, late.sums(done),
            numbers,
        )  # fmt: skip
        for table in self._tables:
            table.updates = done + 1


def _two(own: list[Any], other: Any) -> tuple[Any, Any]:
    """At most two, and another where they are fewer."""
    first, second = [*own, other, other][:2]
    return first, second


_INT64 = np.dtype(np.int64)
_NO_ROWS = const(np.empty(0, np.int64), _INT64)
_NO_VALUES = const(np.empty((0, 1), np.float32)), const(np.empty((0, 1), np.float32))
_NO_RECORD = (*(np.empty((0, 1), np.float32) for _ in range(3)), np.empty(0, np.int64))
# What passes are given where there is nothing to catch up.
NOTHING_BEHIND = (_NO_RECORD, _NO_RECORD), (_NO_ROWS, _NO_ROWS), _NO_VALUES, 0, np.zeros(1), (0.0,) * 8


class _Late:
    """What Adam does to a row in steps in which it has no gradient (Kingma and Ba 2015, without weight decay)."""

    def __init__(self, rule: rules.Rule) -> None:
        self._rule = rule
        self._ratio = rule.one / math.sqrt(rule.two)  # of the sizes of two such steps
        self._sums = np.zeros(0)

    def rate(self, update: int) -> float:
        """Of an update, corrected for the means' beginning at 0."""
        rule = self._rule
        return float(rule.rate * math.sqrt(1 - rule.two**update) / (1 - rule.one**update))

    @property
    def shares(self) -> tuple[float, float, float]:
        """What the size of such a step, and both means, are multiplied by from one to the next."""
        return self._ratio, self._rule.one, self._rule.two

    def sums(self, now: int) -> NDArray[np.float64]:
        """By t, up to `now`: of the sizes of all steps behind t, that after the last but t being 1."""
        self._extend(now)
        return self._sums

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
