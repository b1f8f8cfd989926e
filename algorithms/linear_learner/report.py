"""What a job tells: the lines of an epoch, and the scores of the finished model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import total
from algoport.algorithms.linear_learner.batch import Batch, batch
from algoport.algorithms.linear_learner.candidates import optimizer
from algoport.algorithms.linear_learner.evaluation import tally, written
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.linear_learner.objective import objective
from algoport.algorithms.linear_learner.plan import Job, Plan
from algoport.algorithms.linear_learner.scaling import Scaling
from algoport.algorithms.linear_learner.selection import Selection

Numbers = NDArray[np.float64]

EVALUATED, EVALUATED_BYTES = 1000, 1 << 26  # rows scored at a time, at least, and bytes of their scores at most


def epoch(job: Job, plan: Plan, number: int, losses: Mapping[str, Numbers]) -> None:
    """The lines of an epoch: the loss of each model (m,) on each channel, and that of the first as the metric."""
    name = plan.objective.written
    for channel, found in losses.items():
        for model, loss in enumerate(found):
            if np.isfinite(loss):
                job.reporter.figures({f"{channel}_{name}": float(loss)}, epoch=number, model=model)
    for channel, found in losses.items():
        metric = f"{channel}:objective_loss"
        if np.isfinite(found[0]):  # a model that has diverged has no loss
            job.reporter.report({metric: float(found[0])}, epoch=number, written={metric: name})


def best(job: Job, plan: Plan, selection: Selection) -> None:
    """The line on the best model."""
    told = plan.models[selection.model].shown(optimizer(job.hyperparameters))
    job.reporter.note(f"Best model found for hyperparameters: {json.dumps(told)}")


def final(job: Job, plan: Plan, model: Model, over: Callable[[], bool]) -> None:
    """The metrics of the finished model: of the validation channel, else of the training rows that selected it, and
    of the test channel. None of a channel that a stop leaves no time to see to its end."""
    if plan.sample is not None:
        _score(job, plan, model, "train", plan.sample.parts(rows(job, plan, 1)), over)
    else:
        _score(job, plan, model, "validation", batches(job, plan, "validation", 1), over)
    if "test" in job.channels:
        _score(job, plan, model, "test", batches(job, plan, "test", 1), over)


def _score(job: Job, plan: Plan, model: Model, channel: str, found: Iterable[Batch], over: Callable[[], bool]) -> None:
    settings = job.hyperparameters
    counts, loss = tally(settings, model.threshold), objective(settings)
    plain = Scaling(model.shift, np.ones(model.width, np.float32))
    sums, cut = np.zeros(2), False
    for some in found:
        cut = over()
        if cut:
            break
        margins = model.margins(some.rows)
        counts.add(some, margins)
        sums += (some.losses(margins, plain, loss, plan.judge.positive[:1])[0], some.weights.sum(dtype=np.float64))
    if total(job.group, cut)[0]:
        job.reporter.note(f"The {channel} channel is not scored, as a stop was asked for.")
        return
    job.group.sum_(sums)
    scores = counts.scores(job.group)
    if sums[1] <= 0:
        job.reporter.note(f"Channel '{channel}' has no rows, and so no metrics.")
        return
    last = "objective_loss" if channel == "test" else "objective_loss:final"
    values = {f"{channel}:{last}": float(sums[0] / sums[1])}
    values |= {f"{channel}:{name}": value for name, value in scores.items()}
    names = {**written(settings, channel), f"{channel}:{last}": loss.written}
    values = {name: value for name, value in values.items() if np.isfinite(value)}
    for name, value in values.items():
        job.reporter.note(
            f"#{channel}_score ({job.reporter.host}) : ('{names.get(name, name.partition(':')[2])}', {value})"
        )
    job.reporter.report(values, written={name: shown for name, shown in names.items() if name in values})


def batches(job: Job, plan: Plan, channel: str, models: int) -> Iterator[Batch]:
    """A pass over a channel to score it with so many models at once."""
    settings = job.hyperparameters
    for some in job.channels[channel].batches(rows(job, plan, models)):
        yield batch(some, settings, plan.width, channel, plan.classes)


def rows(job: Job, plan: Plan, models: int) -> int:
    """How many rows to score at a time."""
    settings = job.hyperparameters
    fitting = EVALUATED_BYTES // (4 * models * settings.outputs)
    return max(1, min(max(job.batch, EVALUATED), fitting))
