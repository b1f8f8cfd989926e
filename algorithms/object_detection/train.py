"""From pictures and boxes to a detector, batch by batch (Liu et al. 2016).    n pictures of a batch   d detections

A batch is shared out between the members of a job. The loss is divided by the anchors of all of them, and statistics
are of the whole batch, so that it makes no difference how many members there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped
from algoport.algorithms.object_detection import evaluation, figures, initialization, input, reports
from algoport.algorithms.object_detection.checking import check_all
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.input import Batch
from algoport.algorithms.object_detection.losses import losses
from algoport.algorithms.object_detection.model import Model
from algoport.algorithms.object_detection.network import build, fill
from algoport.algorithms.object_detection.optimization import Steps, decays, learning_rate, rule
from algoport.algorithms.object_detection.state import State
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.neural import epochs, loop
from algoport.algorithms.shared.neural.mixed_precision import autocast, product_type
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.weights import Weights
from algoport.algorithms.shared.scoring import GRACE
from algoport.algorithms.shared.vision.average_precision import mean
from algoport.algorithms.shared.vision.boxes import Selection, detections

Job = contract.Job[Hyperparameters, Model]

SPEED_EVERY = 100  # batches between lines on speed, as the original has them


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the validation mAP no longer improves; the best epoch's network.

    Raises `UserError` where a picture cannot be read or its boxes not be learned from, where the model to start from
    has another shape, or where the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    learner = Learner(job)
    loop.train(job, learner, input.empty(job.hyperparameters))
    stopping = job.stopping()
    learner.check_trained(stopping=stopping)
    reports.save_figures(job.reporter, learner.state.progress.history, stopping)
    if not stopping:
        learner.draw()
    return learner.model(stopping=stopping)


class Learner(epochs.Learner[State, Hyperparameters]):
    """A detector as the loop of networks trains it."""

    def __init__(self, job: Job) -> None:
        heap.keep()
        settings = job.hyperparameters
        network = build(settings.layers, job.group.sum_).to(job.device)
        self._job, self._settings = job, settings
        self._weights = Weights(network, job.group, decays=decays)
        self._dtype = product_type(settings.precision_dtype, job.device, job.reporter.note)
        self._anchors = settings.layers.anchors()
        self.network = network
        self.state = State(network=network, optimizer=Optimizer(rule(settings), self._weights))
        self._steps = Steps(network, self.state.optimizer)
        self._started, self._counted = job.clock(), 0.0  # when this run began its epoch, and pictures before that

    def initialize(self) -> None:
        """First weights."""
        job, settings = self._job, self._settings
        known = initialization.set_weights(self.network, settings, job.start, job.seed, job.reporter)
        self.state.progress.is_random = not known
        self._freeze()
        check_all(dict(job.channels), settings, job.group)
        if job.stopping():
            raise Stopped

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        super().restore(arrays, facts)
        self._freeze()

    def _freeze(self) -> None:
        pattern = self._settings.freeze_layer_pattern
        if not pattern:
            return
        if self.state.progress.is_random:
            self._job.reporter.note("freeze_layer_pattern has no effect, as training begins from random weights.")
            return
        reports.frozen(self._job.reporter, self._steps.freeze(self.network, pattern))

    def batches(self) -> Iterator[Batch]:
        """The rest of an epoch's pictures, decoded and changed ahead of the network."""
        job = self._job
        self.network.train()
        self._started, self._counted = job.clock(), self.state.progress.tally.count
        return input.training(
            job.channels["train"],
            self._settings,
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
            seconds = self._job.clock() - self._started
            reports.speed(self._job.reporter, progress, progress.tally.count - self._counted, seconds)

    def update(self, batch: Batch) -> NDArray[np.float64]:
        """Forward pass, backward pass, gradient exchange, optimizer step. Of all members' pictures, by the network
        before it: the sums of a `Tally`."""
        self._weights.reset()
        scores, offsets = self._forward(batch)
        own = losses(scores, offsets, self._anchors, batch.objects)
        sums = np.array(
            [float(own.classes.detach()), own.anchors, float(own.offsets.detach()), own.numbers, len(batch)]
        )
        self._job.group.sum_(sums)
        loss = own.classes / max(sums[1], 1.0) + own.offsets / max(sums[3], 1.0)
        loss.backward()
        self._weights.exchange()
        self.check_finite(sums)
        self._steps.step(learning_rate(self._settings, self.place.updates, self._job.hosts))
        return sums

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores and offsets of all anchors, float32."""
        with autocast(self._job.device, self._dtype):
            scores, offsets = self.network(batch.tensor(self._job.device))
        return scores, offsets

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Evaluate an epoch, and keep its weights where they are the best."""
        job, settings, state = self._job, self._settings, self.state
        progress = state.progress
        if progress.tally.count:
            if not progress.epoch:
                reports.counted(job.reporter, settings, job.batch, progress)
            reports.training(job.reporter, progress)
        curves = None
        if "validation" in job.channels:
            batches = input.validation(job.channels["validation"], settings)
            self.network.eval()
            curves = evaluation.evaluate(self._detect, batches, settings, job.group, over, job.reporter)
        reports.validation(job.reporter, progress, curves)
        if curves is not None and progress.early_stopping.update(
            mean(curves), progress.epoch + 1, settings.early_stopping_tolerance
        ):
            job.reporter.note(f"Updating the best model with validation-mAP={mean(curves)}")
            state.best = state.weights()

    def draw(self) -> None:
        """Leave the curves of the model, and some validation pictures with its boxes. Weights become those of it."""
        job, settings = self._job, self._settings
        if self.state.best is None or "validation" not in job.channels:
            return
        fill(self.network, self.state.best)
        self.network.eval()
        shown: list[Batch] = []

        def detect(batch: Batch) -> list[NDArray[np.float32]]:
            if not shown:
                shown.append(batch)
            return self._detect(batch)

        batches = input.validation(job.channels["validation"], settings)
        curves = evaluation.evaluate(detect, batches, settings, job.group, job.grace(GRACE), job.reporter)
        if curves is not None:
            reports.evaluation(job.reporter, curves)
        if shown:
            batch = shown[0]
            job.reporter.keep("detections.png", figures.pictures(batch.pixels, batch.objects, self._detect(batch)))

    def _detect(self, batch: Batch) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            scores, offsets = self._forward(batch)
        how = Selection(most=self._settings.nms_topk, overlap=self._settings.nms_threshold)
        return detections(self._anchors, scores.cpu().numpy(), offsets.cpu().numpy(), how)

    def model(self, *, stopping: bool = False) -> Model:
        """The model of the best epoch, or of the weights as they are where none was evaluated."""
        settings, state = self._settings, self.state
        return Model(
            base_network=settings.base_network,
            num_classes=settings.num_classes,
            image_shape=settings.image_shape,
            width_multiplier=settings.width_multiplier,
            nms_threshold=settings.nms_threshold,
            nms_topk=settings.nms_topk,
            weights=state.best_weights(),
            epoch=state.best_epoch,
            mean_average_precision=state.best_figure,
            hurried=stopping,
        )
