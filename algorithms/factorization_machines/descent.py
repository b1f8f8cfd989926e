"""Steps of Adam (Kingma and Ba 2015) with a batch: forward pass, derivatives, backward pass.

n rows of a batch   d features   k factors

Of sparse rows members exchange the entries, of several batches together, and then the sums s of each row, and each
updates the features that the batch touches: what is exchanged grows neither with the table nor with the features that
rows share, and every member does the sums of all rows in the order of the records, so that the result is that of one.
Of dense rows they exchange the sums of the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.batch import Batch, gathered
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import LINE, dense, losses, passes
from algoport.algorithms.factorization_machines.rates import Rates, of_steps
from algoport.algorithms.factorization_machines.table import Table
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import team

TOGETHER = 1 << 13  # rows that are read and exchanged together, where a batch has fewer

Arrays = dict[str, NDArray[Any]]


@dataclass
class Bias:
    """w0, and what Adam remembers of it."""

    value: float = 0.0
    mean: float = 0.0
    square: float = 0.0

    def step(self, gradient: float, rates: list[float]) -> None:
        """One update, as the kernels make it; the gradient is the sum over the rows."""
        scale, one, two, clip, inverse, eps, rate, decay = rates
        whole = min(max(scale * gradient + decay * self.value, -clip), clip)
        self.mean += one * (whole - self.mean)
        self.square += two * (whole * whole - self.square)
        below = math.sqrt(self.square * inverse) + eps
        if below > 0:
            self.value -= rate * self.mean / below


Schedule = Callable[[list[int]], list[Rates]]  # the rates of the next steps, of as many rows each


class Network(Protocol):
    """How batches move the table."""

    table: Table

    def together(self, size: int) -> int:
        """How many batches of so many rows it takes at a time."""

    def steps(
        self, rows: Rows, labels: NDArray[np.float32], size: int, bias: Bias, schedule: Schedule
    ) -> list[NDArray[np.float64]]:
        """Learn from batches of `size` rows of all members, of which these are this member's; what is counted
        (losses.COUNTS,) of each, over all."""


@dataclass
class Descent:
    """A network, its bias, and how many steps they have done."""

    settings: Hyperparameters
    network: Network
    bias: Bias = field(default_factory=Bias)
    updates: int = 0

    def steps(self, rows: Rows, labels: NDArray[np.float32], size: int) -> list[NDArray[np.float64]]:
        """Batches of `size` rows; what is counted of each, over the rows of all members."""
        return self.network.steps(rows, labels, size, self.bias, self._schedule)

    def _schedule(self, rows: list[int]) -> list[Rates]:
        self.updates += len(rows)
        return of_steps(self.settings, self.updates - len(rows), np.array(rows))

    def arrays(self) -> Arrays:
        """All of it but the count, for a checkpoint."""
        bias = self.bias
        return {**self.network.table.arrays(), "bias": np.array([bias.value, bias.mean, bias.square])}

    def restore(self, arrays: Mapping[str, NDArray[Any]], updates: int) -> None:
        """What `arrays` and `updates` were."""
        self.network.table.restore(arrays)
        self.bias = Bias(*(float(number) for number in arrays["bias"]))
        self.updates = updates


@dataclass
class Sparse:
    """Of rows of which most is 0: entry by entry."""

    table: Table
    group: Group
    is_regression: bool
    _sums: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def together(self, size: int) -> int:
        """As `Network`."""
        return max(TOGETHER // size, 1)

    def steps(
        self, rows: Rows, labels: NDArray[np.float32], size: int, bias: Bias, schedule: Schedule
    ) -> list[NDArray[np.float64]]:
        """As `Network`; an exchange, and two a batch."""
        whole = gathered(self.group, rows, labels)
        edges = range(0, max(len(whole.labels), 1), size)
        batches = [whole[first : first + size] for first in edges]
        rates = schedule([len(batch.labels) for batch in batches])
        return [self._step(*each, bias) for each in zip(batches, rates, strict=True)]

    def _step(self, batch: Batch, rates: Rates, bias: Bias) -> NDArray[np.float64]:
        touched, table = self.table.touch(batch.bounds, batch.features, batch.values), self.table
        crew, rows, k = team(len(batch.features) * table.k), batch.rows(self.group.rank), table.k
        own, scores = self._room(len(rows), k), np.empty(len(rows))
        passes.forward(
            crew, rows, batch.bounds, batch.values, touched.numbers, touched.records, table.records, k, own, scores
        )
        sums, scores = batch.of_all(self.group.gather(own)), batch.of_all(self.group.gather(scores))
        counts = np.zeros(losses.COUNTS)
        slope = passes.backward(
            crew, scores, bias.value, batch.labels, self.is_regression, touched.begins, touched.rows, touched.factors,
            sums, touched.records, table.records, k, table.part, rates.linear, rates.factors, counts,
        )  # fmt: skip
        bias.step(slope, rates.bias)
        return counts

    def _room(self, n: int, k: int) -> NDArray[np.float32]:
        """Memory for the sums of rows, the same in each step and on the border of a line of a cache."""
        if len(self._sums) < n * k:
            memory = np.empty(n * k + LINE, np.float32)
            self._sums = memory[-(memory.ctypes.data // 4) % LINE :]
        return self._sums[: n * k].reshape(n, k)


@dataclass
class Dense:
    """Of rows of which most is not 0: by products."""

    table: Table
    group: Group
    is_regression: bool

    def together(self, size: int) -> int:
        """As `Network`."""
        return 1

    def steps(
        self, rows: Rows, labels: NDArray[np.float32], size: int, bias: Bias, schedule: Schedule
    ) -> list[NDArray[np.float64]]:
        """As `Network`, of one batch; one exchange."""
        x, k, table = const(rows.dense()), self.table.k, self.table.records[: self.table.count]
        crew = team(x.size * k)
        sums, scores = np.empty((len(x), k), np.float32), np.empty(len(x))
        dense.forward(crew, x, table, k, sums, scores)
        counts, slopes = np.zeros(losses.COUNTS), np.empty(len(x), np.float32)
        total = np.array([losses.slopes(scores + bias.value, const(labels), self.is_regression, counts, slopes)])
        gradients = np.empty((x.shape[1], dense.FACTORS + k), np.float32)
        dense.gradients(crew, x, slopes, sums, gradients)
        self.group.sum_(gradients, counts, total)
        (rates,) = schedule([int(counts[losses.ROWS])])
        dense.update(gradients, table, k, self.table.part, rates.linear, rates.factors)
        bias.step(float(total[0]), rates.bias)
        return [counts]
