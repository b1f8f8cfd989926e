"""From pictures to a network, batch by batch (He, Zhang, Ren and Sun 2016).    n pictures of a batch   k classes

A batch is shared out between the members of a job. Gradients are sums over its pictures and statistics are of all of
it, so that it makes no difference how many members there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms import contract
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import evaluation, initialization, input, losses, reports
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.network import build
from algoport.algorithms.image_classification.optimization import decays, learning_rate, rule
from algoport.algorithms.image_classification.state import State
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.neural import epochs, loop
from algoport.algorithms.shared.neural.mixed_precision import autocast, product_type
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.weights import Weights
from algoport.algorithms.shared.vision.prefetch import Batch

Job = contract.Job[Hyperparameters, Model]

SPEED_EVERY = 20  # batches between lines on speed, as the original has them


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the validation accuracy no longer improves; the best epoch's network.

    Raises `UserError` where a picture cannot be read or has no such class, where the model to start from has another
    shape, or where the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    learner = Learner(job)
    loop.train(job, learner, input.empty(job.hyperparameters))
    stopping = job.stopping()
    learner.check_trained(stopping=stopping)
    reports.save_figures(job.reporter, learner.state.progress.history, learner.state.table, stopping)
    return learner.model(stopping=stopping)


class Learner(epochs.Learner[State, Hyperparameters]):
    """A residual network as the loop of networks trains it."""

    def __init__(self, job: Job) -> None:
        heap.keep()
        settings = job.hyperparameters
        network = build(settings.design, settings.num_classes, job.group.sum_).to(job.device)
        self._job, self._settings = job, settings
        self._weights = Weights(network, job.group, decays=decays)
        self._dtype = product_type(settings.precision_dtype, job.device, job.reporter.note)
        self.network = network
        self.state = State(
            network=network,
            optimizer=Optimizer(rule(settings), self._weights),
            loss=losses.Loss(bool(settings.multi_label)),
        )
        self._started, self._counted = job.clock(), 0.0  # when this run began its epoch, and pictures before that

    def initialize(self) -> None:
        """First weights, and how much each class weighs."""
        job, settings = self._job, self._settings
        initialization.set_weights(self.network, settings, job.start, job.seed, job.reporter)
        reports.settings(job.reporter, settings)
        if settings.multi_label and settings.use_weighted_loss:
            batches = job.channels["train"].batches(max(settings.mini_batch_size, 1024))
            weights = losses.class_weights(job.in_step(batches, Images(encoded=[])), settings, job.group)
            self.state.loss = losses.Loss(True, weights)

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        reports.settings(self._job.reporter, self._settings)
        super().restore(arrays, facts)

    def batches(self) -> Iterator[Batch]:
        """The rest of an epoch's pictures, decoded and changed ahead of the network."""
        job, settings = self._job, self._settings
        self.network.train()
        self._started, self._counted = job.clock(), self.state.progress.tally.count
        return input.training(
            job.channels["train"],
            settings,
            group=job.group,
            size=job.batch,
            seed=job.seed,
            epoch=self.place.epoch,
            step=self.place.step,
        )

    def train(self, batch: Batch) -> None:
        """One update; every so often a line on speed."""
        progress = self.state.progress
        progress.tally.add(self.update(batch))
        progress.step += 1
        if progress.step % SPEED_EVERY == 0:
            seconds = max(self._job.clock() - self._started, 1e-9)
            speed = (progress.tally.count - self._counted) / seconds
            reports.speed(self._job.reporter, progress, speed, self._settings.top_k)

    def update(self, batch: Batch) -> NDArray[np.float64]:
        """Forward pass, backward pass, gradient exchange, optimizer step. Of all members' pictures, by the network
        before it: sums of loss, right, and near ones, and their number."""
        settings = self._settings
        self._weights.reset()
        scores, targets, loss = self._forward(batch, "train")
        loss.backward()  # type: ignore[no-untyped-call]
        sums = np.array([float(loss.detach()), *losses.hits(scores.detach(), targets, settings.top_k), len(batch)])
        self._weights.exchange(sums)
        self.check_finite(sums[:1])
        self.state.optimizer.step(max(sums[3], 1.0), learning_rate(settings, self.place.updates, self._job.hosts))
        return sums

    def _forward(self, batch: Batch, channel: str) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (n, k), targets, and the loss, summed."""
        images, targets = input.tensors(batch, self._settings, channel, self._job.device)
        with autocast(self._job.device, self._dtype):
            scores = self.network(images).float()
        return scores, targets, self.state.loss(scores, targets)

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Evaluate an epoch, and keep its weights where they are the best or are to be written too."""
        job, settings, state = self._job, self._settings, self.state
        progress = state.progress
        if progress.tally.count:
            if not progress.epoch:
                reports.counted(job.reporter, settings, int(progress.tally.count), job.batch)
            reports.training(job.reporter, progress, job.clock() - self._started, settings.top_k)
        figures = None
        if "validation" in job.channels:
            batches = input.validation(job.channels["validation"], settings)
            self.network.eval()
            figures = evaluation.evaluate(
                lambda batch: self._forward(batch, "validation"), batches, settings, job.group, over, job.reporter
            )
        reports.validation(job.reporter, progress, figures.tally if figures else None)
        if figures is not None and progress.early_stopping.update(
            figures.tally.accuracy, progress.epoch + 1, settings.early_stopping_tolerance
        ):
            job.reporter.note(f"Storing the best model with validation accuracy: {figures.tally.accuracy:.6f}")
            state.best, state.table = state.weights(), figures.table
        if settings.checkpoint_frequency and (progress.epoch + 1) % settings.checkpoint_frequency == 0:
            state.epochs[progress.epoch + 1] = state.weights()

    def model(self, *, stopping: bool = False) -> Model:
        """The model of the best epoch, or of the weights as they are where none was evaluated."""
        settings, state = self._settings, self.state
        channels, height, width = settings.shape
        return Model(
            num_layers=settings.num_layers,
            num_classes=settings.num_classes,
            channels=channels,
            height=height,
            width_=width,
            multi_label=bool(settings.multi_label),
            weights=state.best_weights(),
            epochs=state.epochs,
            epoch=state.best_epoch,
            accuracy=state.best_figure,
            hurried=stopping,
            resize=settings.resize,
        )
