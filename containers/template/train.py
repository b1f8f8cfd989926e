"""From rows to mean and variance, batch by batch (Chan, Golub and LeVeque 1979).    n rows   d features"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import algoport
from algoport import (
    Arrays,
    Facts,
    Group,
    Position,
    Rows,
    Stopped,
    UserError,
    check_alike,
    check_width,
    nothing,
    resume,
    scoring,
    stream,
)

from . import kernels
from .hyperparameters import Hyperparameters
from .model import Model

Job = algoport.Job[Hyperparameters, Model]


@dataclass
class State:
    """What has been seen so far; the same at every member."""

    count: float
    mean: NDArray[np.float64]  # (d,)
    squares: NDArray[np.float64]  # (d,)
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it, for a checkpoint."""
        return {"mean": self.mean, "squares": self.squares}, {"count": self.count}


def fit(job: Job) -> Model:
    """One pass over the rows, then the score of the test channel.

    Raises `UserError` where a row has not feature_dim numbers or one that is not finite, and `Stopped` where a
    stop comes before the first batch.
    """
    settings = job.hyperparameters
    state = resume(job, _restore) or _first(job.start, settings.feature_dim)
    for batch in stream(job, state, empty=nothing(settings.feature_dim), size=job.batch):
        _learn(state, _check(batch, settings.feature_dim, "train"), job.group)
    if state.count == 0:
        if state.position.stopped:
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    model = Model(count=state.count, mean=state.mean, squares=state.squares, least_variance=settings.least_variance)
    _score(job, model)
    return model


def _first(start: Model | None, d: int) -> State:
    """Nothing seen yet, or what the model to start from has seen."""
    if start is None:
        return State(0.0, np.zeros(d), np.zeros(d))
    check_alike(feature_dim=(start.width, d))
    return State(start.count, start.mean.copy(), start.squares.copy())


def _restore(arrays: Arrays, facts: Facts) -> State:
    return State(facts["count"], arrays["mean"].copy(), arrays["squares"].copy())


def _learn(state: State, rows: NDArray[np.float32], group: Group) -> None:
    """Mean and squares of this batch over all members, then those of everything seen."""
    sums, count = np.zeros(len(state.mean)), np.array([float(len(rows))])
    kernels.add_rows(rows, sums)
    group.sum_(sums, count)
    n = float(count[0])
    if n == 0:
        return
    mean, squares = sums / n, np.zeros(len(sums))
    kernels.add_squares(rows, mean, squares)
    group.sum_(squares)
    both, difference = state.count + n, mean - state.mean
    state.squares += squares + difference**2 * (state.count * n / both)
    state.mean += difference * (n / both)
    state.count = both


def _check(batch: Rows, d: int, channel: str) -> NDArray[np.float32]:
    check_width(batch, d, channel)
    rows = batch.dense()
    if not kernels.finite(rows):
        raise UserError(f"Channel '{channel}': a row has a missing or infinite value.")
    return rows


def _score(job: Job, model: Model) -> None:
    """The metric of the test channel."""

    def likelihood(batch: Rows) -> tuple[float, float]:
        rows = _check(batch, model.width, "test")
        return model.log_likelihood(rows), float(len(rows))

    total, count = scoring.sums(job, job.batch, job.grace(scoring.GRACE), likelihood, 2) or (0.0, 0.0)
    if count:
        job.reporter.report({"test:log_likelihood": total / count})
