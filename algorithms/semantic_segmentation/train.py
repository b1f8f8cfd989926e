"""From pictures and masks to a network, batch by batch.    n pictures of a batch   k classes

A batch is shared out between the members of a job. Gradients are sums over its pixels and statistics are of all of it,
so that it makes no difference how many members there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.semantic_segmentation import checking, evaluation, initialization, input, label_map, reports
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.model import Model
from algoport.algorithms.semantic_segmentation.network import build
from algoport.algorithms.semantic_segmentation.optimization import HEAD_RATE, learning_rate, rule
from algoport.algorithms.semantic_segmentation.state import State
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.neural import epochs, loop
from algoport.algorithms.shared.neural.mixed_precision import autocast, product_type
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.weights import Weights
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.vision import upsampling
from algoport.algorithms.shared.vision.prefetch import Batch
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign

Job = contract.Job[Hyperparameters, Model]

EXAMPLES = 6  # validation pictures that the report shows


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the validation mIOU no longer improves; the best epoch's network.

    Raises `UserError` where pictures or masks cannot be read or have no such class, where the model to start from has
    another shape, or where the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    learner = Learner(job)
    loop.train(job, learner, input.empty(job.hyperparameters))
    stopping = job.stopping()
    learner.check_trained(stopping=stopping)
    model, state = learner.model(stopping=stopping), learner.state
    reports.save_figures(job.reporter, state.progress.history, state.table, lambda: learner.examples(model), stopping)
    return model


class Learner(epochs.Learner[State, Hyperparameters]):
    """A segmentation network as the loop of networks trains it."""

    def __init__(self, job: Job) -> None:
        heap.keep()
        settings = job.hyperparameters
        self._maps = _label_maps(job)
        design = DilatedDesign(num_layers=settings.num_layers, width_multiplier=settings.width_multiplier)
        network = build(
            design, settings.algorithm, settings.num_classes, job.group.sum_, auxiliary=settings.aux_loss
        ).to(job.device)
        self._job, self._settings = job, settings
        self._weights = Weights(network, job.group)
        self._encoder = sum(parameter.numel() for parameter in network.backbone.parameters())
        self._dtype = product_type(settings.precision_dtype, job.device, job.reporter.note)
        self.network = network
        self.state = State(network=network, optimizer=Optimizer(rule(settings), self._weights))
        self._started, self._counted = job.clock(), 0.0  # when this run began its epoch, and pictures before that

    def initialize(self) -> None:
        """First weights, once all masks have been looked at."""
        job, settings = self._job, self._settings
        initialization.set_weights(self.network, settings, job.start, job.seed, job.reporter)
        reports.schedule(job.reporter, settings)
        checking.check(dict(job.channels), self._maps, settings.num_classes, job.group, job.reporter)
        if job.stopping():
            raise Stopped

    def batches(self) -> Iterator[Batch]:
        """The rest of an epoch's pictures, decoded and changed ahead of the network."""
        job = self._job
        self.network.train()
        self._started, self._counted = job.clock(), self.state.progress.tally.pictures
        return input.training(
            job.channels["train"],
            self._maps["train"],
            self._settings,
            size=job.batch,
            seed=job.seed,
            epoch=self.place.epoch,
            step=self.place.step,
        )

    def train(self, batch: Batch) -> None:
        """One update; every so often a line on speed."""
        progress = self.state.progress
        rate = learning_rate(self._settings, progress.epoch, progress.step)
        progress.tally.add(self.update(batch, rate))
        progress.step += 1
        if progress.step % self._settings.logging_frequency == 0:
            seconds = max(self._job.clock() - self._started, 1e-9)
            reports.speed(self._job.reporter, progress, (progress.tally.pictures - self._counted) / seconds, rate)

    def update(self, batch: Batch, rate: float) -> NDArray[np.float64]:
        """Forward pass, backward pass, gradient exchange, optimizer step. Of all members' pictures, by the network
        before it: sums of loss, pixels that count, and pictures."""
        self._weights.reset()
        self.network.drop_by(self._dropout_seeds(batch))
        loss, pixels = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        sums = np.array([float(loss.detach()), pixels, len(batch)])
        self._weights.exchange(sums)
        self.check_finite(sums[:1])
        self._step(max(sums[1], 1.0), rate)
        return sums

    def _step(self, pixels: float, rate: float) -> None:
        """An update in which the decoders go further than the encoder: each rule's step is linear in its rate."""
        heads = self._weights.values[self._encoder :]
        before = heads.clone()
        self.state.optimizer.step(pixels, rate)
        heads.lerp_(before, 1 - HEAD_RATE)

    def _loss(self, batch: Batch) -> tuple[Tensor, float]:
        """The loss of this member's pictures, summed over the pixels that count, and how many these are."""
        pixels, classes = input.tensors(batch, self._job.device)
        with autocast(self._job.device, self._dtype):
            scores, beside = self.network(pixels)
        loss, count = upsampling.cross_entropy(scores.float(), classes)
        if beside is not None:
            loss = loss + self._settings.aux_weight * upsampling.cross_entropy(beside.float(), classes)[0]
        return loss, count

    def _dropout_seeds(self, batch: Batch) -> list[int]:
        """One for each picture, whoever has it."""
        own = seed_of(self._job.seed, 2 + self.place.epoch)
        return [own ^ int(number) for number in input.numbers_of(batch.places)]

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Evaluate an epoch, and keep its weights where they are the best."""
        job, settings, state = self._job, self._settings, self.state
        progress = state.progress
        if progress.tally.pictures:
            if not progress.epoch:
                reports.counted(job.reporter, settings, int(progress.tally.pictures))
            reports.training(job.reporter, progress, job.clock() - self._started)
        figures, start = None, job.clock()
        if "validation" in job.channels:
            batches = input.validation(job.channels["validation"], self._maps["validation"], settings, job.group)
            self.network.eval()
            figures = evaluation.evaluate(
                self._scores, batches, settings.num_classes, job.device, job.group, over, job.reporter
            )
        reports.validation(job.reporter, progress, figures, job.clock() - start)
        if figures is not None and progress.early_stopping.update(
            figures.mean_iou, progress.epoch + 1, settings.early_stopping_tolerance
        ):
            job.reporter.note(f"Storing the best model with validation mIOU: {figures.mean_iou:.6f}")
            state.best, state.table = state.weights(), figures.table

    def _scores(self, pixels: Tensor) -> Tensor:
        with autocast(self._job.device, self._dtype):
            scores: Tensor = self.network(pixels)[0].float()
        return scores

    def examples(self, model: Model) -> list[reports.Shown]:
        """A few of this member's validation pictures as they are evaluated, with what the model takes them for."""
        if "validation" not in self._job.channels:
            return []
        channel, labels = self._job.channels["validation"], self._maps["validation"]
        return [
            (pixels, classes, model.classes(pixels))
            for pixels, classes in input.first(channel, labels, self._settings, self._job.group, EXAMPLES)
        ]

    def model(self, *, stopping: bool = False) -> Model:
        """The model of the best epoch, or of the weights as they are where none was evaluated."""
        settings, state = self._settings, self.state
        return Model(
            backbone=settings.backbone,
            decoder=settings.algorithm,
            num_classes=settings.num_classes,
            crop_size=settings.crop,
            width_multiplier=settings.width_multiplier,
            auxiliary=settings.aux_loss,
            weights=state.best_weights(),
            epoch=state.best_epoch,
            mean_iou=state.best_figure,
            hurried=stopping,
        )


def _label_maps(job: Job) -> dict[str, label_map.LabelMap]:
    """Those of all channels, with a word in the log on each; `UserError` where a file is none, or of no channel."""
    classes = job.hyperparameters.num_classes
    given = {name: label_map.read(job.files, name, classes) for name in job.channels}
    if label_map.CHANNEL in job.files and not any(given.values()):
        names = " or ".join(f"{name}_label_map.json" for name in ("train", "validation"))
        there = ", ".join(job.files[label_map.CHANNEL].names[:8]) or "nothing"
        raise UserError(f"Channel '{label_map.CHANNEL}': must hold {names}; it holds {there}.")
    reports.label_maps(job.reporter, given)
    return {name: labels or label_map.scaled(1, "", classes) for name, labels in given.items()}
