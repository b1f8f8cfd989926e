"""Which windows of the series an epoch trains on (Salinas et al. 2020, section 3.3).    b windows   n series"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.forecasting_deepar import dataset
from algoport.algorithms.forecasting_deepar.series import Series

# Steps of an epoch at least, however few series there are.
LEAST_STEPS = 10
DRAWS = 2  # the stream of random numbers, of those from one seed


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows of a step that are of this member's series."""

    series: NDArray[np.int64]  # (b,)
    points: NDArray[np.int64]  # (b,) at which their horizons begin
    keys: NDArray[np.uint64]  # (b,) from which their draws come

    def __len__(self) -> int:
        return len(self.series)


EMPTY = Batch(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64))


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Draws windows of the series of all members, the same at each of them."""

    local: NDArray[np.int64]  # by number among all members' series, that among mine, or -1
    spans: NDArray[np.int64]  # (n,) points of mine at which a horizon may begin
    ends: NDArray[np.int64]  # by number, how many such points all series have up to this one
    seed: int
    batch: int
    passes: int
    probability: float

    @property
    def total(self) -> int:
        """Windows of an epoch."""
        return max(round(self.passes * self.probability * len(self.local)), 1)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-self.total // self.batch)

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """An epoch's batches from `start` on, of each my part. A function of seed and epoch alone."""
        random = np.random.default_rng([self.seed, DRAWS, epoch])
        # Evenly over the points of all series, so that none is far from its due; then in any order.
        every = self.ends[-1] / self.total
        places = (np.arange(self.total) + random.random()) * every
        chosen = random.permutation(np.searchsorted(self.ends, places.astype(np.int64), "right"))
        shares = random.random(self.total)
        keys = random.integers(0, 2**63, self.total, np.uint64)
        for step in range(start, self.steps):
            part = slice(step * self.batch, (step + 1) * self.batch)
            mine = self.local[chosen[part]]
            own = mine >= 0
            mine = mine[own]
            yield Batch(mine, (shares[part][own] * self.spans[mine]).astype(np.int64), keys[part][own])


def sampler(series: Series, horizon: int, batch: int, seed: int, group: Group, reporter: Reporter) -> Sampler:
    """Over all series that are as long as the horizon; `UserError` where there is none."""
    count, mine = dataset.numbers(group, series, horizon)
    if count == 0:
        raise UserError(f"Channel 'train' must have a series of at least prediction_length ({horizon}) points.")
    local = np.full(count, -1, np.int64)
    local[mine[mine >= 0]] = np.flatnonzero(mine >= 0)
    spans = np.maximum(series.lengths - horizon + 1, 0)
    whole = np.zeros(count, np.int64)
    whole[mine[mine >= 0]] = spans[mine >= 0]
    group.sum_(whole)
    least = LEAST_STEPS * batch
    passes = max(1, -(-least // count))
    probability = min(1.0, least / (passes * count)) if passes > 1 else 1.0
    if passes > 1:
        reporter.note(
            f"Small number of time series. Doing {passes} passes over dataset with prob {probability:.16g} per epoch."
        )
    return Sampler(
        local=local,
        spans=spans,
        ends=np.cumsum(whole),
        seed=seed,
        batch=batch,
        passes=passes,
        probability=probability,
    )
