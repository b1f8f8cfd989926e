"""Linear models, trained side by side by stochastic gradients (Robbins and Monro 1951; Adam: Kingma and Ba 2014).

A batch is read once and multiplied with the weights of all models at once. After every epoch they are judged on the
validation channel, or on a sample of the training rows, and the best of all epochs is the model.

d features   k outputs of a model   m models   c columns, the outputs of all models
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.linear_learner import calibration, report
from algoport.algorithms.linear_learner.batch import Batch, batch, check_features
from algoport.algorithms.linear_learner.descent import Descent, Parameters
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.linear_learner.plan import Job, Plan, planned
from algoport.algorithms.linear_learner.selection import Judgement, Selection

# Seconds that judging and scoring may still take once a stop is asked for.
GRACE = 5.0
SCORES = 1 << 20  # of rows that are in memory already, that are made at once


@dataclass
class State:
    """What training knows; the same at every member."""

    descent: Descent
    selection: Selection
    losses: NDArray[np.float64]  # (m,) sums of this epoch so far
    weight: float = 0.0  # of the rows of this epoch so far
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    ended: bool = False  # early stopping has had enough


class Sums:
    """The sums of a step over the rows of all members, in as few arrays as there are kinds of numbers: what is
    exchanged."""

    def __init__(self, d: int, c: int, m: int) -> None:
        self._gradients = np.empty(d * c + c, np.float32)
        self._others = np.empty(m + 2)
        self.gradient = self._gradients[: d * c].reshape(d, c)
        self.bias_gradient = self._gradients[d * c :]
        self.losses = self._others[:m]
        self.tail = self._others[m:]  # weight of the rows, and whether a checkpoint is due

    def clear(self) -> None:
        """Nothing summed as yet."""
        self._gradients[...] = 0
        self._others[...] = 0

    def exchange(self, job: Job) -> None:
        """Of all members."""
        job.group.sum_(self._gradients, self._others)


def fit(job: Job) -> Model:
    """Train all models for at most `epochs`, and score the best.

    Raises `UserError` where rows or labels cannot be learned from, where the model to go on from does not fit, or
    where every model has diverged; `Stopped` where a stop comes before the first batch.
    """
    plan = planned(job)
    over = job.grace(GRACE)
    state = _resumed(job, plan) or _begun(job, plan)
    while state.epoch < job.hyperparameters.epochs and not state.ended:
        stopping = not _pass(job, plan, state)
        if state.step == 0 and state.descent.steps == 0:
            raise Stopped
        if state.step > 0 or state.selection.epoch < 0:  # else a stop came before this epoch's first step
            _judge(job, plan, state, over if stopping else None)
        if stopping:
            job.reporter.note(f"a stop was asked for in epoch {state.epoch}, after {state.descent.steps} steps")
            break
        state.epoch, state.step, state.weight = state.epoch + 1, 0, 0.0
        state.losses[...] = 0
        job.reporter.progress(state.epoch, job.hyperparameters.epochs, "epochs")
        _save(job, state)
    model = _finished(job, plan, state.selection)
    report.best(job, plan, state.selection)
    report.final(job, plan, model, over)
    return model


def _begun(job: Job, plan: Plan) -> State:
    m = len(plan.models)
    job.reporter.note(f"Training {m} model{'s' if m > 1 else ''} of {plan.width} features side by side.")
    parameters = Parameters.begun(plan.weights, plan.bias, m)
    return State(Descent(job.hyperparameters, plan.models, parameters), Selection(), np.zeros(m))


def _pass(job: Job, plan: Plan, state: State) -> bool:
    """The rest of an epoch, step by step; False where a stop was asked for."""
    settings = job.hyperparameters
    size = job.batch
    d, c = state.descent.parameters.weights.shape
    sums = Sums(d, c, len(plan.models))
    batches = job.channels["train"].batches(size, start=state.step * size)
    for rows in job.in_step(batches, nothing(plan.width)):
        mine = batch(rows, settings, plan.width, "train", plan.classes)
        _step(job, plan, state, mine, sums)
    if not job.stopping():
        return True
    if job.checkpoints.due(ended=True):
        job.checkpoints.save(*_held(state))  # the platform may take the job up again elsewhere
    return False


def _step(job: Job, plan: Plan, state: State, mine: Batch, sums: Sums) -> None:
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
    sums.tail[:] = mine.weights.sum(dtype=np.float64), job.checkpoints.due()
    sums.exchange(job)
    if not np.isfinite(sums.losses).all():
        check_features(mine.rows, "train")  # else it is a model that diverges, which is never chosen
    weight, due = sums.tail
    if weight > 0:
        state.descent.step(sums.gradient, sums.bias_gradient, float(weight))
    state.losses += sums.losses
    state.weight += float(weight)
    state.step += 1
    if due:
        job.checkpoints.save(*_held(state))


def _judge(job: Job, plan: Plan, state: State, over: Callable[[], bool] | None) -> None:
    """See what the models are worth, keep the best, say so, and see whether there is sense in going on.

    `over`, where there is one, says that a stop leaves no more time for it.
    """
    losses = state.losses / max(state.weight, 1e-300) * plan.objective.unit
    weights, bias = state.descent.current()
    channel = "train" if plan.sample is not None else "validation"
    m = len(plan.models)
    if plan.sample is not None:
        batches = plan.sample.parts(max(report.rows(job, plan, m), SCORES // len(bias)))
    else:
        batches = report.batches(job, plan, "validation", m)
    found = plan.judge.judged(batches, weights, bias, job.group, over or (lambda: False))
    told = {"train": losses}
    if found is None and over is not None and state.selection.epoch >= 0:
        return
    if found is None:  # no time, or no rows: the training loss must do
        middle = calibration.natural(job.hyperparameters)
        found = Judgement(losses, np.where(np.isfinite(losses), -losses, -np.inf), lambda _: lambda: middle, 0.0)
    elif channel == "validation":
        told["validation"] = found.losses
    report.epoch(job, plan, state.epoch, told)
    _watch(job, plan, state, found, losses)
    if state.selection.consider(found, weights, bias, state.epoch):
        job.reporter.note(f"Epoch {state.epoch}: Loss improved. Updating best model")
        job.reporter.note(f"Saving model for epoch: {state.epoch}")


def _watch(job: Job, plan: Plan, state: State, found: Judgement, losses: NDArray[np.float64]) -> None:
    """Early stopping watches the criterion if a validation channel gives it and the user chose one, else the loss,
    which is that of the validation channel where there is one."""
    settings = job.hyperparameters
    chosen = settings.criterion_is_chosen and plan.sample is None
    seen = losses if plan.sample is not None else found.losses
    finite = seen[np.isfinite(seen)]
    figure = float(found.values.max()) if chosen else -float(finite.min()) if len(finite) else -np.inf
    name = f"sampled_{settings.binary_classifier_model_selection_criteria}" if chosen else plan.objective.written
    value = figure if chosen else -figure
    watched = f"host={job.reporter.host}, epoch={state.epoch}, criteria={name}, value={value}"
    job.reporter.note(f"#early_stopping_criteria_metric: {watched}")
    state.ended = state.selection.settled(figure, settings)
    if state.ended and state.epoch + 1 < settings.epochs:
        waited = settings.early_stopping_patience
        job.reporter.note(f"Early stop: no improvement for {waited} epoch{'s' if waited > 1 else ''}.")


def _finished(job: Job, plan: Plan, selection: Selection) -> Model:
    """The best model, in the units of the data."""
    settings, scaling = job.hyperparameters, plan.scaling
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


def _save(job: Job, state: State) -> None:
    """Keep the state at the end of an epoch; an exchange."""
    if agreed(job.group, job.checkpoints.due(ended=True)):
        job.checkpoints.save(*_held(state))


def _held(state: State) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    selection = state.selection
    arrays = {**state.descent.parameters.arrays(), "losses": state.losses}
    arrays |= {"best_weights": selection.weights, "best_bias": selection.bias}
    facts = {"epoch": state.epoch, "step": state.step, "weight": state.weight, "ended": state.ended}
    return arrays, facts | {"steps": state.descent.steps, "selection": selection.facts()}


def _resumed(job: Job, plan: Plan) -> State | None:
    """The state of the last checkpoint, or None."""
    found = job.checkpoints.latest()
    if found is None:
        return None
    arrays, facts = found
    descent = Descent(job.hyperparameters, plan.models, Parameters.restored(arrays))
    descent.steps = facts["steps"]
    selection = Selection.restored(facts["selection"], arrays["best_weights"], arrays["best_bias"])
    where = {name: facts[name] for name in ("weight", "epoch", "step", "ended")}
    return State(descent, selection, arrays["losses"].copy(), **where)
