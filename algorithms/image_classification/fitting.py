"""From pictures to a network, batch by batch.    n pictures of a batch   k classes

A batch is shared out between the members of a job. Gradients are sums over its pictures and statistics are of all of
it, so that it makes no difference how many members there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import losses, reports
from algoport.algorithms.image_classification.beginning import begun
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.optimizers import learning_rate
from algoport.algorithms.image_classification.progress import Progress, Tally
from algoport.algorithms.image_classification.state import State
from algoport.algorithms.shared.neural.loop import descend
from algoport.algorithms.shared.vision.prefetch import Batch, Prepare, prepared
from algoport.algorithms.shared.vision.transforms import Preparation, draws

Job = contract.Job[Hyperparameters, Model]

SPOKEN = 20  # batches between lines on speed, as the original has them


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the validation accuracy no longer improves; the best epoch's network.

    Raises `UserError` where a picture cannot be read or has no such class, where the model to go on from has another
    shape, or where the loss is no number any more; `Stopped` where a stop comes before the first batch.
    """
    state = begun(job)
    descend(job, Learner(job, state), Images(encoded=[]))
    if not state.optimizer.updates:
        if job.stopping():
            raise Stopped
        raise UserError("Channel 'train' has no pictures.")
    reports.finished(job, state)
    return state.model(pressed=job.stopping())


class Learner:
    """What the loop of networks asks for."""

    def __init__(self, job: Job, state: State) -> None:
        self._job, self._state = job, state
        self._begun, self._since = job.clock(), 0.0

    @property
    def epoch(self) -> int:
        """How many epochs are over."""
        return self._state.progress.epoch

    @property
    def step(self) -> int:
        """How many batches of this one are."""
        return self._state.progress.step

    def is_over(self) -> bool:
        """Whether all epochs are over, or enough of them brought nothing."""
        settings, progress = self._job.hyperparameters, self._state.progress
        return progress.epoch >= settings.epochs or progress.is_over(settings)

    def batches(self) -> Iterator[Batch | Images]:
        """The rest of a pass over the training pictures, decoded and changed ahead of the network."""
        self._state.network.train()
        self._begun, self._since = self._job.clock(), self._state.progress.tally.count
        return _decoded(self._job, self._state.progress)

    def move(self, batch: Batch | Images) -> None:
        """One update."""
        progress = self._state.progress
        progress.tally.add(_move(self._job, self._state, batch))
        progress.step += 1
        if progress.step % SPOKEN == 0:
            seconds = max(self._job.clock() - self._begun, 1e-9)
            _speak(self._job, progress, (progress.tally.count - self._since) / seconds)

    def close(self, over: Callable[[], bool]) -> None:
        """Judge an epoch that is over, keep its weights where they are the best or wanted, and begin the next."""
        if self._state.progress.tally.count:
            reports.trained(self._job, self._state.progress, self._job.clock() - self._begun)
        _close(self._job, self._state, over)

    def kept(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """All of it."""
        return self._state.kept()


def _decoded(job: Job, progress: Progress) -> Iterator[Batch]:
    settings = job.hyperparameters
    size, (channels, height, width) = settings.mini_batch_size * job.hosts, settings.shape
    order = int(np.random.SeedSequence([job.seed, progress.epoch]).generate_state(1)[0])
    batches = job.channels["train"].batches(size, start=progress.step * size, shuffle=order)
    preparation = _preparation(settings)
    first, epoch = progress.step, progress.epoch

    def prepare(number: int) -> Prepare:
        places = job.group.rank + job.group.size * np.arange(size, dtype=np.int64)
        random = draws(job.seed, epoch, (first + number) * size + places)
        return lambda pixels, at, place: preparation.trained(pixels, random[at], place)

    return prepared(batches, (height, width, channels), prepare)


def _preparation(settings: Hyperparameters) -> Preparation:
    channels, height, width = settings.shape
    return Preparation(
        channels=channels,
        height=height,
        width=width,
        resize=settings.resize,
        augmentation=settings.augmentation_type or "",
    )


def _move(job: Job, state: State, batch: Batch | Images) -> NDArray[np.float64]:
    """One update, from the gradients of all members; what the batch says of the network before it."""
    settings = job.hyperparameters
    images, wanted = state.input(batch, "train")
    weights = state.weights
    weights.begin()
    with state.precision():
        scores = state.network(images)
    loss = state.loss(scores.float(), wanted)
    loss.backward()  # type: ignore[no-untyped-call]
    sums = np.array([float(loss.detach()), *losses.hits(scores.detach(), wanted, settings.top_k), len(batch)])
    weights.exchange(sums)
    if not np.isfinite(sums[0]):
        raise UserError(
            f"learning_rate: must be small enough for the loss to stay a number, which it is no more in epoch "
            f"{state.progress.epoch + 1}; it is {settings.learning_rate:g}."
        )
    state.optimizer.step(max(sums[3], 1.0), learning_rate(settings, state.optimizer.updates, job.hosts))
    return sums


def _close(job: Job, state: State, over: Callable[[], bool]) -> None:
    settings, progress = job.hyperparameters, state.progress
    judged = _judged(job, state, over) if "validation" in job.channels else None
    reports.judged(job, progress, judged[0] if judged else None)
    if judged is not None and progress.judge(judged[0].accuracy, settings):
        job.reporter.note(f"Storing the best model with validation accuracy: {judged[0].accuracy:.6f}")
        state.keep_best(judged[1])
    if settings.checkpoint_frequency and (progress.epoch + 1) % settings.checkpoint_frequency == 0:
        state.keep_epoch(progress.epoch + 1)
    progress.epoch, progress.step, progress.tally = progress.epoch + 1, 0, Tally()
    job.reporter.progress(progress.epoch, settings.epochs, "epochs")


def _judged(job: Job, state: State, over: Callable[[], bool]) -> tuple[Tally, NDArray[np.float64]] | None:
    """How the network does on the validation pictures, and which class it takes for which; None where a stop leaves
    no time for it. Two exchanges."""
    settings = job.hyperparameters
    channels, height, width = settings.shape
    preparation = _preparation(settings)
    sums, table, cut = np.zeros(5), np.zeros(reports.room(settings)), False
    batches = job.channels["validation"].batches(max(settings.mini_batch_size, 64))
    state.network.eval()
    decoded = prepared(
        batches, (height, width, channels), lambda number: lambda pixels, at, place: preparation.judged(pixels, place)
    )
    for batch in decoded:
        cut = over()
        if cut:
            break
        if not len(batch):
            continue
        images, wanted = state.input(batch, "validation")
        with torch.inference_mode(), state.precision():
            scores = state.network(images).float()
            loss = state.loss(scores, wanted)
        sums[:4] += [float(loss), *losses.hits(scores, wanted, None), len(batch)]
        reports.enter(table, scores, wanted)
    sums[4] = cut
    job.group.sum_(sums, table)
    if sums[4]:
        job.reporter.note("The validation channel is not scored, as a stop was asked for.")
        return None
    found = Tally()
    found.add(sums[:4])
    return (found, table) if found.count else None


def _speak(job: Job, progress: Progress, speed: float) -> None:
    top = job.hyperparameters.top_k
    more = f"\ttop_k_accuracy_{top}={progress.tally.top:.6f}" if top else ""
    job.reporter.note(
        f"Epoch[{progress.epoch}] Batch [{progress.step}]\tSpeed: {speed:.3f} samples/sec\t"
        f"accuracy={progress.tally.accuracy:.6f}{more}"
    )
