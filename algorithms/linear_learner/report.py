"""What a job logs: the lines of an epoch, and the scores of the finished model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.linear_learner.batch import Batch, batch
from algoport.algorithms.linear_learner.candidates import optimizer
from algoport.algorithms.linear_learner.evaluation import log_names, tally
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.linear_learner.objective import objective
from algoport.algorithms.linear_learner.plan import Job, Plan
from algoport.algorithms.linear_learner.scaling import Scaling
from algoport.algorithms.linear_learner.selection import Selection
from algoport.algorithms.shared.scoring import score_each

Numbers = NDArray[np.float64]

EVALUATED, EVALUATED_BYTES = 1000, 1 << 26  # rows scored at a time, at least, and bytes of their scores at most


def epoch(reporter: Reporter, plan: Plan, number: int, losses: Mapping[str, Numbers]) -> None:
    """The lines of an epoch: the loss of each model (m,) on each channel, and that of the first as the metric."""
    name = plan.objective.written
    for channel, of_models in losses.items():
        for model, loss in enumerate(of_models):
            if np.isfinite(loss):
                reporter.figures({f"{channel}_{name}": float(loss)}, epoch=number, model=model)
    for channel, of_models in losses.items():
        metric = f"{channel}:objective_loss"
        if np.isfinite(of_models[0]):  # a model that has diverged has no loss
            reporter.report({metric: float(of_models[0])}, epoch=number, written={metric: name})


def best(reporter: Reporter, plan: Plan, settings: Hyperparameters, selection: Selection) -> None:
    """The line on the best model."""
    words = plan.models[selection.model].shown(optimizer(settings))
    reporter.note(f"Best model found for hyperparameters: {json.dumps(words)}")


def final(job: Job, plan: Plan, model: Model, over: Callable[[], bool]) -> None:
    """The metrics of the finished model: of the validation channel, else of the training rows that selected it, and
    of the test channel. None of a channel that a stop leaves no time to see to its end."""
    if plan.sample is not None:
        _score(job, plan, model, "train", plan.sample.parts(rows(job, 1)), over)
    else:
        _score(job, plan, model, "validation", batches(job, plan, "validation", 1), over)
    if "test" in job.channels:
        _score(job, plan, model, "test", batches(job, plan, "test", 1), over)


def _score(job: Job, plan: Plan, model: Model, channel: str, scored: Iterable[Batch], over: Callable[[], bool]) -> None:
    settings = job.hyperparameters
    counts, loss = tally(settings, model.threshold), objective(settings)
    plain = Scaling(model.shift, np.ones(model.width, np.float32))
    sums = np.zeros(2)

    def add(some: Batch) -> None:
        margins = model.margins(some.rows)
        counts.add(some, margins)
        loss_sum = some.losses(margins, plain, loss, plan.judge.positive[:1])[0]
        np.add(sums, (loss_sum, some.weights.sum(dtype=np.float64)), out=sums)

    if not score_each(job, channel, scored, over, add):
        return
    job.group.sum_(sums)
    scores = counts.scores(job.group)
    if sums[1] <= 0:
        job.reporter.note(f"Channel '{channel}' has no rows, and so no metrics.")
        return
    last = "objective_loss" if channel == "test" else "objective_loss:final"
    values = {f"{channel}:{last}": float(sums[0] / sums[1])}
    values |= {f"{channel}:{name}": value for name, value in scores.items()}
    names = {**log_names(settings, channel), f"{channel}:{last}": loss.written}
    values = {name: value for name, value in values.items() if np.isfinite(value)}
    for name, value in values.items():
        job.reporter.note(
            f"#{channel}_score ({job.reporter.host}) : ('{names.get(name, name.partition(':')[2])}', {value})"
        )
    job.reporter.report(values, written={name: shown for name, shown in names.items() if name in values})


def batches(job: Job, plan: Plan, channel: str, models: int) -> Iterator[Batch]:
    """A pass over a channel to score it with so many models at once."""
    settings = job.hyperparameters
    for some in job.channels[channel].batches(rows(job, models)):
        yield batch(some, settings, plan.width, channel, plan.classes)


def rows(job: Job, models: int) -> int:
    """How many rows to score at a time."""
    fitting = EVALUATED_BYTES // (4 * models * job.hyperparameters.outputs)
    return max(1, min(max(job.batch, EVALUATED), fitting))
