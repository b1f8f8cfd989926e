"""The loop of networks: it resumes, trains batch by batch, evaluates, saves checkpoints, and ends where it is asked to.

What is particular to a network is a `Learner`; `train` owns all that is the same for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.shared.scoring import GRACE

B = TypeVar("B")


class Place(NamedTuple):
    """How far training is."""

    epoch: int  # epochs that are over
    epochs: int  # how many there are at most
    step: int  # batches of this epoch that are over
    updates: int  # batches of all epochs that are over


class Learner(Protocol[B]):
    """A network and its optimizer, the same at every member. All that is random in it is a function of seed, epoch and
    step, so that a resumed job is the one that was never interrupted."""

    @property
    def place(self) -> Place:
        """How far training is."""

    def initialize(self) -> None:
        """Set the first state: random weights, or those of the model that training starts from."""

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint, of this release or an earlier one."""

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state, as arrays and facts. Only the first member asks, so this makes no exchange."""

    def is_over(self) -> bool:
        """Whether no epoch or batch is left, or early stopping ends training. Asked after each evaluation."""

    def batches(self) -> Iterator[B]:
        """The rest of this epoch, from its place on: of each batch this member's part."""

    def train(self, batch: B) -> None:
        """One update, from the gradients of all members. The part may be empty. Moves the place on."""

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Evaluate the network as it is, and keep it where it is the best; cut short where `over()`."""

    def end_epoch(self) -> None:
        """The epoch's batches are all through: count it, and begin the next."""


def train(job: contract.Job[Any, Any], learner: Learner[B], empty: B, *, every: int | None = None) -> None:
    """Train until the learner is over or a stop is asked for; it then holds what it learned by then.

    The network is evaluated at the end of each epoch, or after every so many updates. `empty` is a batch without
    records, with which a member that has no more of them takes part.
    """
    _resume(job, learner)
    over = job.grace(GRACE)
    while not learner.is_over():
        if _epoch(job, learner, empty, over, every):
            return
        if job.stopping():
            place = learner.place
            job.reporter.note(f"a stop was asked for in epoch {place.epoch + 1}, after {place.step} batches")
            _save(job, learner, ended=True)
            return
        if every is None:
            learner.evaluate(over)
        learner.end_epoch()
        job.reporter.progress(learner.place.epoch, learner.place.epochs, "epochs")
        _save(job, learner, ended=True)
        if job.stopping():
            return


def _resume(job: contract.Job[Any, Any], learner: Learner[Any]) -> None:
    """Continue from the last checkpoint, or begin; the same at every member."""
    checkpoint = job.checkpoints.latest()
    if checkpoint is None:
        learner.initialize()
        return
    learner.restore(*checkpoint)
    place = learner.place
    job.reporter.note(f"resumed in epoch {place.epoch + 1}, after {place.updates} batches")


def _epoch(
    job: contract.Job[Any, Any], learner: Learner[B], empty: B, over: Callable[[], bool], every: int | None
) -> bool:
    """Train on the batches that are left of an epoch; True where an evaluation within it ended training."""
    for batch in job.in_step(learner.batches(), empty):
        learner.train(batch)
        is_due = every is not None and learner.place.updates % every == 0
        if is_due:
            learner.evaluate(over)
        is_over = is_due and learner.is_over()
        _save(job, learner, ended=is_over)
        if is_over:
            return True
    return False


def _save(job: contract.Job[Any, Any], learner: Learner[Any], *, ended: bool = False) -> None:
    """Save a checkpoint where one is due, which only the first member knows; no exchange."""
    if job.checkpoints.due(ended=ended):
        job.checkpoints.save(*learner.checkpoint())
