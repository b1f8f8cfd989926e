"""Linear models, trained side by side by stochastic gradients (Robbins and Monro 1951; Adam: Kingma and Ba 2014).

A batch is read once and multiplied with the weights of all models at once. After every epoch they are judged on the
validation channel, or on a sample of the training rows, and the best of all epochs is the model.

d features   k outputs of a model   m models   c columns, the outputs of all models
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.linear_learner import calibration, report
from algoport.algorithms.linear_learner.batch import Batch, batch, check_features
from algoport.algorithms.linear_learner.descent import Descent, Parameters
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.linear_learner.plan import Job, Plan, make_plan
from algoport.algorithms.linear_learner.selection import Judgement, Selection
from algoport.algorithms.shared.scoring import GRACE
from algoport.algorithms.shared.streaming import Position, passes, resume

SCORES = 1 << 20  # of rows that are in memory already, that are made at once


@dataclass
class State:
    """What training knows; the same at every member."""

    descent: Descent
    selection: Selection
    losses: NDArray[np.float64]  # (m,) sums of this epoch so far
    weight: float = 0.0  # of the rows of this epoch so far
    ended: bool = False  # early stopping has had enough
    position: Position = field(default_factory=Position)

    def begin_epoch(self) -> None:
        """Sets the sums to zero."""
        self.weight = 0.0
        self.losses[...] = 0

    def snapshot(self, group: Group) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All of it, for a checkpoint; no exchange."""
        selection = self.selection
        arrays = {**self.descent.parameters.arrays(), "losses": self.losses}
        arrays |= {"best_weights": selection.weights, "best_bias": selection.bias}
        facts = {"weight": self.weight, "ended": self.ended, "steps": self.descent.steps}
        return arrays, facts | {"selection": selection.facts()}


class Sums:
    """The sums of a step over the rows of all members, in as few arrays as there are kinds of numbers: what is
    exchanged."""

    def __init__(self, d: int, c: int, m: int) -> None:
        self._gradients = np.empty(d * c + c, np.float32)
        self._others = np.empty(m + 1)
        self.gradient = self._gradients[: d * c].reshape(d, c)
        self.bias_gradient = self._gradients[d * c :]
        self.losses = self._others[:m]
        self.weight = self._others[m:]  # of the rows

    def clear(self) -> None:
        """Nothing summed as yet."""
        self._gradients[...] = 0
        self._others[...] = 0

    def exchange(self, group: Group) -> None:
        """Of all members."""
        group.sum_(self._gradients, self._others)


def fit(job: Job) -> Model:
    """Train all models for at most `epochs`, and score the best.

    Raises `UserError` where rows or labels cannot be learned from, where the model to start from does not fit, or
    where every model has diverged; `Stopped` where a stop comes before the first batch.
    """
    settings, plan = job.hyperparameters, make_plan(job)
    over = job.grace(GRACE)
    state = resume(job, partial(_restore, settings, plan)) or _first_state(settings, plan, job.reporter.note)
    d, c = state.descent.parameters.weights.shape
    sums = Sums(d, c, len(plan.models))
    epochs = passes(
        job, state, size=job.batch, empty=nothing(plan.width), epochs=settings.epochs, enough=lambda: state.ended
    )
    for batches in epochs:
        for rows in batches:
            _step(job.group, plan, state, batch(rows, settings, plan.width, "train", plan.classes), sums)
        steps = state.position.step
        if steps == 0 and state.descent.steps == 0:
            raise Stopped
        if steps > 0 or state.selection.epoch < 0:  # else a stop came before this epoch's first step
            _judge(job, plan, state, over if state.position.stopped else None)
        state.begin_epoch()
    model = _best(settings, plan, state.selection)
    report.best(job.reporter, plan, settings, state.selection)
    report.final(job, plan, model, over)
    return model


def _first_state(settings: Hyperparameters, plan: Plan, note: Callable[[str], None]) -> State:
    m = len(plan.models)
    note(f"Training {m} model{'s' if m > 1 else ''} of {plan.width} features side by side.")
    parameters = Parameters.initial(plan.weights, plan.bias, m)
    return State(Descent(settings, plan.models, parameters), Selection(), np.zeros(m))


def _step(group: Group, plan: Plan, state: State, mine: Batch, sums: Sums) -> None:
    """One batch, of which this member has some rows, moves all models."""
    own = state.descent.parameters
    sums.clear()
    mine.gradients(
        plan.scaling,
        plan.objective,
        plan.positive,
        own.weights,
        own.bias,
        sums.gradient,
        sums.bias_gradient,
        sums.losses,
    )
    sums.weight[0] = mine.weights.sum(dtype=np.float64)
    sums.exchange(group)
    if not np.isfinite(sums.losses).all():
        check_features(mine.rows, "train")  # else it is a model that diverges, which is never chosen
    weight = float(sums.weight[0])
    if weight > 0:
        state.descent.step(sums.gradient, sums.bias_gradient, weight)
    state.losses += sums.losses
    state.weight += weight


def _judge(job: Job, plan: Plan, state: State, over: Callable[[], bool] | None) -> None:
    """See what the models are worth, remember the best, report it, and see whether to stop early.

    `over`, where there is one, says that a stop leaves no more time for it.
    """
    epoch, note = state.position.epoch, job.reporter.note
    losses = state.losses / max(state.weight, 1e-300) * plan.objective.unit
    weights, bias = state.descent.current()
    m = len(plan.models)
    if plan.sample is not None:
        batches = plan.sample.parts(max(report.rows(job, m), SCORES // len(bias)))
    else:
        batches = report.batches(job, plan, "validation", m)
    judgement = plan.judge.evaluate(batches, weights, bias, job.group, over or (lambda: False))
    by_channel = {"train": losses}
    if judgement is None and over is not None and state.selection.epoch >= 0:
        return
    if judgement is None:  # no time, or no rows: the training loss must do
        judgement = Judgement.of_losses(losses, calibration.natural(job.hyperparameters))
    elif plan.sample is None:
        by_channel["validation"] = judgement.losses
    report.epoch(job.reporter, plan, epoch, by_channel)
    _stop_early(job, plan, state, judgement, losses)
    if state.selection.consider(judgement, weights, bias, epoch):
        note(f"Epoch {epoch}: Loss improved. Updating best model")
        note(f"Saving model for epoch: {epoch}")


def _stop_early(job: Job, plan: Plan, state: State, judgement: Judgement, losses: NDArray[np.float64]) -> None:
    """Early stopping watches the criterion if a validation channel gives it and the user chose one, else the loss,
    which is that of the validation channel where there is one."""
    settings, epoch = job.hyperparameters, state.position.epoch
    chosen = settings.criterion_is_chosen and plan.sample is None
    of_models = losses if plan.sample is not None else judgement.losses
    finite = of_models[np.isfinite(of_models)]
    figure = float(judgement.values.max()) if chosen else -float(finite.min()) if len(finite) else -np.inf
    name = f"sampled_{settings.criterion}" if chosen else plan.objective.written
    value = figure if chosen else -figure
    watched = f"host={job.reporter.host}, epoch={epoch}, criteria={name}, value={value}"
    job.reporter.note(f"#early_stopping_criteria_metric: {watched}")
    state.ended = state.selection.is_settled(figure, settings)
    if state.ended and epoch + 1 < settings.epochs:
        waited = settings.early_stopping_patience
        job.reporter.note(f"Early stop: no improvement for {waited} epoch{'s' if waited > 1 else ''}.")


def _best(settings: Hyperparameters, plan: Plan, selection: Selection) -> Model:
    """The best model, in the units of the data."""
    scaling = plan.scaling
    if selection.epoch < 0:
        raise UserError(
            "learning_rate: must be lower, or values that lie very far outside the others must go from the training "
            "rows; every model has diverged."
        )
    weights, bias = scaling.folded(selection.weights, selection.bias)
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise UserError("learning_rate: must be lower; with it the best model is beyond what float32 can hold.")
    return Model(
        weights=weights,
        bias=bias,
        shift=scaling.shift,
        scale=scaling.scale,
        label_shift=scaling.label_shift,
        label_scale=scaling.label_scale,
        predictor_type=settings.predictor_type,
        loss=settings.objective,
        threshold=selection.threshold,
    )


def _restore(
    settings: Hyperparameters, plan: Plan, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]
) -> State:
    """The state that a snapshot was of."""
    descent = Descent(settings, plan.models, Parameters.restore(arrays))
    descent.steps = facts["steps"]
    selection = Selection.restore(facts["selection"], arrays["best_weights"], arrays["best_bias"])
    return State(descent, selection, arrays["losses"].copy(), facts["weight"], facts["ended"])
