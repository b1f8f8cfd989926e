"""A step: gradients of a batch's pairs, summed over all members, and Adam on what they touch (Kingma and Ba 2015).

n rows of a batch at this member   u runs   a lanes   d numbers of a vector   h hidden units   p weights of the encoder
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.ipinsights.hyperparameters import Hyperparameters
from algoport.algorithms.ipinsights.kernels import pairs
from algoport.algorithms.ipinsights.network import ROWS, UNIT, Network, Shape
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.neural.kernels import updates
from algoport.algorithms.shared.neural.sparse import RowGradient, exchange
from algoport.algorithms.shared.randomness import draws, seed_of
from algoport.algorithms.shared.threads import team

# Distinct streams of random numbers from one seed; `NETWORK`, `ORDER` and `JUDGING` are drawn from elsewhere.
NETWORK, ORDER, JUDGING, RANDOM, SHUFFLED = 1, 2, 3, 4, 5
# Pairs of a lane, below which clearing and folding its table of gradients would count, and lanes of a batch at most.
# Sums are kept by lane, and how many there are follows from the rows alone.
PAIRS, LANES = 4096, 16
SCRATCH = 64 << 20  # bytes of gradients of lanes beyond which a batch has fewer of them
_INDEX = 20  # bits of a row's number in a batch: mini_batch_size is at most 500,000


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a batch that are this member's."""

    rows: NDArray[np.int64]  # (n,) of the table of entities
    addresses: NDArray[np.uint32]  # (n,)

    def __len__(self) -> int:
        return len(self.rows)


class Descent:
    """A network, and what training needs beside it; the same at every member."""

    def __init__(self, settings: Hyperparameters, network: Network, seed: int) -> None:
        self.network, self._settings = network, settings
        self.steps = 0
        self._table = np.zeros_like(network.entities), np.zeros_like(network.entities)
        self._encoder = np.zeros_like(network.encoder), np.zeros_like(network.encoder)
        self._rates = np.array(
            [settings.random_negative_sampling_rate, settings.shuffled_negative_sampling_rate], np.int64
        )
        self._seeds = [seed_of(seed, use) for use in (RANDOM, SHUFFLED)]
        self._all = np.arange(network.shape.encoder // UNIT)
        self._work: _Work | None = None

    def step(self, batch: Batch, group: Group) -> NDArray[np.float64]:
        """One step on a batch of all members. Returns the sum of the cross entropies of its pairs, how many of these
        are told apart rightly, and how many there are. Exchanges: addresses, gradients, touched rows twice."""
        parts = group.gather(batch.addresses)
        lengths = np.array([len(part) for part in parts])
        others = np.empty(int(lengths.sum()), np.uint32)
        for rank, part in enumerate(parts):
            others[places(lengths, rank)] = part
        own, gradient, sums = self._gradients(batch, places(lengths, group.rank), others)
        group.sum_(gradient, sums)
        self._update(exchange(own, group), gradient, float(sums[2]))
        return sums

    def _gradients(
        self, batch: Batch, numbers: NDArray[np.int64], others: NDArray[np.uint32]
    ) -> tuple[RowGradient, NDArray[np.float32], NDArray[np.float64]]:
        """Of this member's rows: of entities, of the encoder (p,), and the sums that `step` returns."""
        shape, settings = self.network.shape, self._settings
        each = 1 + settings.negatives
        order, lanes, rows, begins = _runs(batch.rows, _lane_count(shape, len(batch) * each))
        if self._work is None or len(self._work.sums) < len(lanes) - 1:
            self._work = _Work.of(shape, len(lanes) - 1)
        work, values = self._work, np.empty((len(rows), shape.vector), np.float32)
        _, inner, outer, bias = self.network.parts()
        keys = np.array([draws(seed, self.steps) for seed in self._seeds], np.uint64)
        (pairs.deep_gradients if len(inner) else pairs.gradients)(
            team(len(batch) * each * shape.hidden),
            lanes,
            rows,
            begins,
            const(batch.addresses[order], np.uint32),
            const(numbers[order], np.int64),
            const(others, np.uint32),
            self._rates,
            keys,
            self.network.entities,
            self.network.tables(work.tables),
            const(inner),
            const(inner[:, :-1].transpose(0, 2, 1)),
            const(outer),
            const(outer.T),
            const(bias if len(bias) else np.zeros(shape.vector, np.float32)),
            values,
            *work.arrays(),
        )
        gradient = np.zeros(shape.encoder, np.float32)
        for part, own in zip(shape.split(gradient), work.gradients(len(lanes) - 1), strict=True):
            if part.size:
                np.sum(own, axis=0, out=part)
        loss, right = work.sums[: len(lanes) - 1].sum(axis=0)
        return _merged(rows, values), gradient, np.array([loss, right, len(batch) * each], np.float64)

    def _update(self, own: RowGradient, gradient: NDArray[np.float32], count: float) -> None:
        """One step of Adam on the rows that were touched and on the encoder."""
        self.steps += 1
        settings, network = self._settings, self.network
        shared: dict[str, Any] = {
            "rate": settings.learning_rate,
            "updates": self.steps,
            "decay": settings.weight_decay,
        }
        scale = np.float32(1 / max(count, 1))
        updates.adam_rows_(network.entities, *self._table, own.rows, own.values * scale, **shared)
        weights, mean, square, slope = (
            array.reshape(-1, UNIT) for array in (network.encoder, *self._encoder, gradient * scale)
        )
        updates.adam_rows_(weights, mean, square, self._all, slope, **shared)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a checkpoint."""
        return dict(
            zip(_STATE, (self.network.entities, *self._table, self.network.encoder, *self._encoder), strict=True)
        )

    def restore(self, arrays: Mapping[str, NDArray[Any]], steps: int) -> None:
        """Set it to what `arrays` returned after so many steps."""
        self.steps = steps
        for name, array in self.arrays().items():
            array[...] = arrays[name]


_STATE = ("entities", "entities_mean", "entities_square", "encoder", "encoder_mean", "encoder_square")


@dataclass(frozen=True, eq=False)
class _Work:
    """Arrays that a step fills, a part a lane each."""

    octets: NDArray[np.float32]
    first: NDArray[np.float32]
    inner: NDArray[np.float32]
    outer: NDArray[np.float32]
    bias: NDArray[np.float32]
    sums: NDArray[np.float64]
    tables: NDArray[np.float32]  # of octets, for all lanes

    @classmethod
    def of(cls, shape: Shape, lanes: int) -> _Work:
        first, inner, outer, _ = (np.zeros((lanes, *part), np.float32) for part in shape.parts)
        return cls(
            octets=np.zeros((lanes, ROWS, shape.hidden), np.float32),
            first=first,
            inner=inner,
            outer=outer,
            bias=np.zeros((lanes, shape.vector), np.float32),
            sums=np.zeros((lanes, 2)),
            tables=np.empty((ROWS, shape.hidden), np.float32),
        )

    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.octets, self.first, self.inner, self.outer, self.bias, self.sums

    def gradients(self, lanes: int) -> list[NDArray[np.float32]]:
        """Those of the encoder, of so many lanes."""
        return [array[:lanes] for array in (self.first, self.inner, self.outer, self.bias)]


def places(lengths: NDArray[np.int64], rank: int) -> NDArray[np.int64]:
    """The number in the whole batch of each row of a member, where members have so many: they come in turns, and who
    has more than others closes the list, as `contract.group.interleaved` has it."""
    own = np.arange(lengths[rank])
    if len(lengths) == 1:
        return own
    before = (np.arange(len(lengths)) < rank).astype(np.int64)
    return np.asarray(np.minimum(lengths[:, None], own[None] + before[:, None]).sum(axis=0))


def _lane_count(shape: Shape, count: int) -> int:
    """How many lanes a batch of so many pairs has."""
    most = min(LANES, max(1, SCRATCH // (4 * shape.encoder)))
    return max(1, min(most, -(-count // PAIRS)))


def _runs(
    rows: NDArray[np.int64], lanes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """A batch by entity: the order (n,) of its rows, the first run (a + 1,) of each lane, the entity's row (u,) of each
    run and the run's first row (u + 1,) in that order."""
    n = len(rows)
    keys = np.sort(rows << _INDEX | np.arange(n))  # no two alike: faster than a stable order, and as certain
    order, who = keys & ((1 << _INDEX) - 1), keys >> _INDEX
    edges = np.arange(lanes + 1) * n // lanes
    begin = np.empty(n, np.bool_)
    if n:
        begin[0] = True
        np.not_equal(who[1:], who[:-1], out=begin[1:])
        begin[edges[:-1][edges[:-1] < n]] = True
    starts = np.flatnonzero(begin)
    begins = np.append(starts, n)
    return order, np.searchsorted(begins, edges), who[starts], begins


def _merged(rows: NDArray[np.int64], values: NDArray[np.float32]) -> RowGradient:
    """One gradient an entity: two runs of one are neighbors, at the edge of a lane."""
    again = np.flatnonzero(rows[1:] == rows[:-1]) + 1
    if not len(again):
        return RowGradient(rows, values)
    for run in again[::-1].tolist():
        values[run - 1] += values[run]
    unique = np.ones(len(rows), np.bool_)
    unique[again] = False
    return RowGradient(rows[unique], values[unique])
