"""Steps of Adam (Kingma and Ba 2015) with a batch: forward pass, derivatives, backward pass.

n rows of a batch   d features   k factors

Of sparse rows members exchange the entries and then the sums s of each row, and each updates the features that the
batch touches: what is exchanged grows neither with the table nor with the features that rows share, and every member
does the sums of all rows in the order of the records, so that the result is that of one. Of dense rows they exchange
the sums of the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group, interleaved
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.batch import gathered
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import dense, losses, passes
from algoport.algorithms.factorization_machines.rates import BETA_1, BETA_2, Rates
from algoport.algorithms.factorization_machines.table import Table
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import team

EPS = 1e-8  # of Adam, where none is set

Arrays = dict[str, NDArray[Any]]


@dataclass
class Bias:
    """w0, and what Adam remembers of it."""

    value: float = 0.0
    mean: float = 0.0
    square: float = 0.0

    def step(self, gradient: float, rates: Rates) -> None:
        """One update; the gradient is the sum over the rows."""
        clip = rates.clip
        whole = min(max(rates.scale * gradient + rates.decay * self.value, -clip), clip)
        self.mean += (1 - BETA_1) * (whole - self.mean)
        self.square += (1 - BETA_2) * (whole * whole - self.square)
        below = math.sqrt(self.square / rates.second) + rates.eps
        if below > 0:
            self.value -= rates.bias / rates.first * self.mean / below


class Network(Protocol):
    """How a batch moves the table."""

    table: Table

    def step(self, rows: Rows, labels: NDArray[np.float32], bias: Bias, rates: Rates) -> NDArray[np.float64]:
        """Learn from a batch, of which these rows are this member's; what is counted (losses.COUNTS,) over all."""


@dataclass
class Descent:
    """A network, its bias, and how many steps they have done."""

    settings: Hyperparameters
    network: Network
    bias: Bias = field(default_factory=Bias)
    updates: int = 0

    def step(self, rows: Rows, labels: NDArray[np.float32]) -> NDArray[np.float64]:
        """One batch; what is counted of it, over the rows of all members."""
        self.updates += 1
        return self.network.step(rows, labels, self.bias, self._rates())

    def _rates(self) -> Rates:
        given = self.settings
        first, second = 1 - BETA_1**self.updates, 1 - BETA_2**self.updates
        return Rates(
            scale=given.rescale_grad or 0.0,
            averaged=given.rescale_grad is None,
            clip=math.inf if given.clip_gradient is None else given.clip_gradient,
            # MXNet's stands beside the root that is not corrected.
            eps=(EPS if given.eps is None else given.eps) / math.sqrt(second),
            first=first,
            second=second,
            bias=given.bias_lr * given.use_bias,
            decay=given.bias_wd,
            linear=(given.linear_lr * given.use_linear, given.linear_wd),
            factors=(given.factors_lr, given.factors_wd),
        )

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

    def step(self, rows: Rows, labels: NDArray[np.float32], bias: Bias, rates: Rates) -> NDArray[np.float64]:
        """As `Network`; three exchanges."""
        batch = gathered(self.group, rows, labels)
        touched, k = self.table.touch(batch.bounds, batch.features, batch.values), self.table.k
        crew = team(len(batch.features) * k)
        own, scores = np.empty((len(batch.own), k), np.float32), np.empty(len(batch.own))
        values = const(batch.values)
        passes.forward(
            crew, batch.own, batch.bounds, values, touched.numbers, touched.records, self.table.records, k,
            touched.ones, own, scores,
        )  # fmt: skip
        sums, scores = self._of_all(own, scores)
        counts, slopes = np.zeros(losses.COUNTS), np.empty(len(scores), np.float32)
        total = losses.slopes(scores + bias.value, const(batch.labels), self.is_regression, counts, slopes)
        rates = rates.of_rows(len(scores))
        passes.backward(
            crew, touched.begins, touched.rows, touched.factors, slopes, sums, touched.records, self.table.records, k,
            self.table.part, touched.ones, *rates.packed(),
        )  # fmt: skip
        bias.step(total, rates)
        return counts

    def _of_all(
        self, sums: NDArray[np.float32], scores: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Sums and scores of the rows of all members, in the order of the batch; two exchanges."""
        parts, others = self.group.gather(sums), self.group.gather(scores)
        if len(parts) == 1:
            return sums, scores
        return np.ascontiguousarray(interleaved(parts)), np.ascontiguousarray(interleaved(others))


@dataclass
class Dense:
    """Of rows of which most is not 0: by products."""

    table: Table
    group: Group
    is_regression: bool

    def step(self, rows: Rows, labels: NDArray[np.float32], bias: Bias, rates: Rates) -> NDArray[np.float64]:
        """As `Network`; one exchange."""
        x, k, table = const(rows.dense()), self.table.k, self.table.records[: self.table.count]
        crew = team(x.size * k)
        sums, scores = np.empty((len(x), k), np.float32), np.empty(len(x))
        dense.forward(crew, x, table, k, sums, scores)
        counts, slopes = np.zeros(losses.COUNTS), np.empty(len(x), np.float32)
        total = np.array([losses.slopes(scores + bias.value, const(labels), self.is_regression, counts, slopes)])
        gradients = np.empty((x.shape[1], dense.FACTORS + k), np.float32)
        dense.gradients(crew, x, slopes, sums, gradients)
        self.group.sum_(gradients, counts, total)
        rates = rates.of_rows(int(counts[losses.ROWS]))
        dense.update(gradients, table, k, self.table.part, *rates.packed())
        bias.step(float(total[0]), rates)
        return counts
