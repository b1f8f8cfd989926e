"""From rows to centers, streaming (Sculley 2010, with whole batches and running means).

n rows of a batch   d features   k centers   s streaming centers, k times the extra center factor

To read one job, from `train` to the first inner loop: `training/__main__.py` (`main`, and `_be_child` in the process
that it forks), `training/run.py` (`main`, `run`), here (`fit`, `_move`), `kernels/__init__.py` (`accumulate`).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.kmeans import initial, kernels
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.kmeans.model import Model
from algoport.algorithms.kmeans.refinement import refine
from algoport.algorithms.kmeans.shrink import shrink
from algoport.algorithms.shared import scoring
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.sampling.reservoir import Sample
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, resume, stream

Job = contract.Job[Hyperparameters, Model]


@dataclass
class State:
    """What streaming knows; the same at every member, but for the sample."""

    centers: NDArray[np.float32]  # (s, d)
    weights: NDArray[np.float64]  # (s,) rows that each center stands for
    inherited: NDArray[np.float32]  # (i, d) streaming centers of the model that training starts from
    inherited_weights: NDArray[np.float64]  # (i,)
    sample: Sample
    seen: int = 0  # rows of all members and epochs
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it; an exchange of the sample."""
        arrays: dict[str, NDArray[Any]] = {
            "centers": self.centers,
            "weights": self.weights,
            "inherited": self.inherited,
            "inherited_weights": self.inherited_weights,
            **self.sample.snapshot(group),
        }
        return arrays, {"seen": self.seen, "sampled": self.sample.seen}


def fit(job: Job) -> Model:
    """Stream over the rows, shrink the streaming centers to k, refine these on a sample, and score them.

    Raises `UserError` where there are fewer rows than k, where a row has not feature_dim numbers or one that is
    not finite, or where the model to start from does not fit; `Stopped` where a stop comes before the first batch.
    """
    settings, note = job.hyperparameters, job.reporter.note
    inner = _kernels(job.device)
    state = resume(job, lambda arrays, facts: _restore(job, arrays, facts)) or _first(job)
    for batch in stream(job, state, empty=nothing(settings.feature_dim), size=job.batch, epochs=settings.epochs):
        _move(state, _check(batch, settings.feature_dim, "train"), settings.half_life_time_size, job.group, inner)
    note(f"processed a total of {state.seen} examples")
    if not state.position.total and job.start is None:
        raise Stopped
    over = job.grace(scoring.GRACE)
    candidates = shrink(state.centers, state.weights, settings, job.seed, note, over)
    best = refine(candidates, *_weighted_sample(state, settings, job.group), settings, note, over)
    centers = np.ascontiguousarray(best.centers, np.float32)
    job.group.broadcast_(centers)  # all members compute the same, and what counts is the first one's
    job.reporter.report({"train:msd": best.msd})
    model = Model(centers=centers, streaming=state.centers, weights=state.weights)
    _score(job, model, inner, over)
    return model


def _move(state: State, rows: NDArray[np.float32], half_life: int, group: Group, inner: ModuleType) -> None:
    """One batch: running means, in which older rows fade where a half-life is set."""
    if state.position.epoch == 0 or half_life:
        # Further epochs bring the same rows again, which the sample should not hold twice.
        state.sample.add(rows, group)
    sums, counts = np.zeros(state.centers.shape), np.zeros(len(state.centers))
    inner.accumulate(rows, state.centers, sums, counts)
    group.sum_(sums, counts)
    n = counts.sum()
    if half_life:
        fading = 2.0 ** (-n / half_life)
        state.weights *= fading
        state.inherited_weights *= fading
    kernels.streaming_update(state.centers, state.weights, sums, counts)
    state.seen += int(n)


def _check(batch: Rows, d: int, channel: str) -> NDArray[np.float32]:
    """The rows; `UserError` where one has not d numbers, or one that is not finite."""
    check_width(batch, d, channel)
    rows = batch.dense()
    if not kernels.finite(rows):
        raise UserError(initial.NOT_FINITE.format(channel=channel))
    return rows


def _first(job: Job) -> State:
    """The first streaming centers, drawn from the first batch, or those of the model to start from."""
    settings, start = job.hyperparameters, job.start
    first = initial.batch(job)
    if not kernels.finite(first):
        raise UserError(initial.NOT_FINITE.format(channel="train"))
    if start is None:
        centers = initial.draw(first, settings, job.seed, job.reporter.note)
        return _state(job, centers, np.zeros(len(centers)), inherited=0)
    initial.check_start(start, settings)
    centers, weights = initial.of(start, settings.k, job.batch)
    job.reporter.note(
        f"incremental training from a model of {len(start.centers)} centers, {len(centers)} while streaming"
    )
    return _state(job, centers, weights, inherited=len(centers))


def _state(job: Job, centers: NDArray[np.float32], weights: NDArray[np.float64], inherited: int) -> State:
    settings = job.hyperparameters
    return State(
        centers=centers,
        weights=weights,
        inherited=centers[:inherited].copy(),
        inherited_weights=weights[:inherited].copy(),
        sample=initial.sample(settings.k, settings.feature_dim, settings.half_life_time_size, job.seed),
    )


def _restore(job: Job, arrays: Arrays, facts: Facts) -> State:
    """The state of a snapshot."""
    state = _state(job, arrays["centers"].copy(), arrays["weights"].copy(), inherited=0)
    state.inherited, state.inherited_weights = arrays["inherited"].copy(), arrays["inherited_weights"].copy()
    state.seen = facts["seen"]
    state.sample.reload(arrays, facts["sampled"], job.group)
    return state


def _weighted_sample(
    state: State, settings: Hyperparameters, group: Group
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None, int]:
    """What stands for all rows ever seen: the sample, and, where training started from a model, its centers with the
    weights that they had then. Their weights where they differ, and how many rows streamed by. An exchange."""
    rows, weights = state.sample.estimate(state.sample.merged(group))
    if not len(state.inherited):
        return rows, weights if settings.half_life_time_size else None, state.sample.seen
    learned = max(state.weights.sum() - state.inherited_weights.sum(), 0.0)
    weights *= learned / max(weights.sum(), 1e-300)
    rows = np.concatenate([rows, state.inherited])
    return rows, np.concatenate([weights, state.inherited_weights]), state.sample.seen


def _score(job: Job, model: Model, inner: ModuleType, over: contract.Deadline) -> None:
    """The metrics of the test channel."""

    def loss_and_count(batch: Rows) -> tuple[float, float]:
        rows = _check(batch, model.width, "test")
        return float((inner.nearest(rows, model.centers)[1].astype(np.float64) ** 2).sum()), float(len(rows))

    loss, count = scoring.sums(job, job.batch, over, loss_and_count, 2) or (0.0, 0.0)
    if count:
        metrics = {"msd": loss / count, "ssd": loss}
        job.reporter.report({f"test:{name}": metrics[name] for name in job.hyperparameters.eval_metrics})


def _kernels(device: str) -> ModuleType:
    """The inner loops of a device."""
    name = "kernels" if device == "cpu" else "kernels_torch"
    return importlib.import_module(f"algoport.algorithms.kmeans.{name}")
