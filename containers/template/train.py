"""From rows to mean and variance, batch by batch (Chan, Golub and LeVeque 1979).    n rows   d features"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.records import Rows, nothing

from . import kernels
from .hyperparameters import Hyperparameters
from .model import Model

Job = contract.Job[Hyperparameters, Model]


@dataclass
class State:
    """What has been seen so far; the same at every member."""

    count: float
    mean: NDArray[np.float64]  # (d,)
    squares: NDArray[np.float64]  # (d,)
    step: int = 0  # batches of the pass so far
    seen: float = 0.0  # rows of this job


def fit(job: Job) -> Model:
    """One pass over the rows, then the score of the test channel.

    Raises `UserError` where a row has not feature_dim numbers or one that is not finite, and `Stopped` where a
    stop comes before the first batch.
    """
    state = _resumed(job) or _begun(job)
    size = job.batch
    batches = job.channels["train"].batches(size, start=state.step * size)
    for batch in job.in_step(batches, nothing(job.hyperparameters.feature_dim)):
        rows = _checked(batch, job.hyperparameters, "train")
        _learn(job, state, rows)
        if agreed(job.group, job.checkpoints.due()):
            _save(job, state)
    if state.seen == 0 and job.start is None:
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    _save(job, state)
    model = Model(
        count=state.count,
        mean=state.mean,
        squares=state.squares,
        least_variance=job.hyperparameters.least_variance,
    )
    _score(job, model)
    return model


def _begun(job: Job) -> State:
    """Nothing seen yet, or what the model to go on from has seen."""
    d = job.hyperparameters.feature_dim
    if job.start is None:
        return State(0.0, np.zeros(d), np.zeros(d))
    if job.start.width != d:
        raise UserError(f"feature_dim: must be that of the model to go on from, {job.start.width}; it is {d}.")
    return State(job.start.count, job.start.mean.copy(), job.start.squares.copy())


def _learn(job: Job, state: State, rows: NDArray[np.float32]) -> None:
    """Mean and squares of this batch over all members, then those of everything seen."""
    sums, count = np.zeros(len(state.mean)), np.array([float(len(rows))])
    kernels.add_rows(rows, sums)
    job.group.sum_(sums, count)
    state.step += 1
    n = float(count[0])
    if n == 0:
        return
    mean, squares = sums / n, np.zeros(len(sums))
    kernels.add_squares(rows, mean, squares)
    job.group.sum_(squares)
    both, difference = state.count + n, mean - state.mean
    state.squares += squares + difference**2 * (state.count * n / both)
    state.mean += difference * (n / both)
    state.count, state.seen = both, state.seen + n


def _checked(batch: Rows, settings: Hyperparameters, channel: str) -> NDArray[np.float32]:
    rows = batch.dense()
    if rows.shape[1] != settings.feature_dim:
        raise UserError(
            f"Channel '{channel}': a row has {rows.shape[1]} numbers, where feature_dim is {settings.feature_dim}."
        )
    if not kernels.finite(rows):
        raise UserError(f"Channel '{channel}': a row has a missing or infinite value.")
    return rows


def _score(job: Job, model: Model) -> None:
    """The metric of the test channel."""
    channel = job.channels.get("test")
    if channel is None:
        return
    likelihood, count = 0.0, 0.0
    for batch in channel.batches(job.batch):
        rows = _checked(batch, job.hyperparameters, "test")
        likelihood += model.log_likelihood(rows)
        count += len(rows)
    likelihood, count = total(job.group, likelihood, count)
    if count:
        job.reporter.report({"test:log_likelihood": likelihood / count})


def _save(job: Job, state: State) -> None:
    job.checkpoints.save(
        {"mean": state.mean, "squares": state.squares},
        {"count": state.count, "step": state.step, "seen": state.seen},
    )


def _resumed(job: Job) -> State | None:
    """The state of the last checkpoint, or None."""
    found = job.checkpoints.latest()
    if found is None:
        return None
    arrays, facts = found
    return State(facts["count"], arrays["mean"].copy(), arrays["squares"].copy(), facts["step"], facts["seen"])
