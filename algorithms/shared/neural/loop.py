"""The loop of networks: passes of batches, a checkpoint where it is time to, and an end where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from algoport.algorithms import contract

B = TypeVar("B")
GRACE = 5.0  # seconds that judging an epoch may still take once a stop is asked for


class Learner(Protocol[B]):
    """What is learned; the same at every member. All that is random in it is a function of seed, epoch and step, so
    that a job that goes on from a checkpoint is the one that was never interrupted."""

    @property
    def epoch(self) -> int:
        """How many epochs are over."""

    @property
    def step(self) -> int:
        """How many batches of this one are."""

    def is_over(self) -> bool:
        """Whether no epoch is left, or there is nothing more to gain."""

    def batches(self) -> Iterator[B]:
        """What is left of this epoch, from `step` on: of each batch this member's part."""

    def move(self, batch: B) -> None:
        """One update, from the gradients of all members, and one more step. The part may be empty."""

    def close(self, over: Callable[[], bool]) -> None:
        """Judge the epoch that is over, and begin the next; hurries where `over()`."""

    def kept(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """All of it, as arrays and facts. Only the first member asks, so this makes no exchange."""


def descend(job: contract.Job[Any, Any], learner: Learner[B], empty: B) -> None:
    """Epoch after epoch, until the learner is through or a stop is asked for, with what it knows then.

    `empty` is a batch of none, with which a member that has no more takes part.
    """
    over = job.grace(GRACE)
    while not learner.is_over():
        for batch in job.in_step(learner.batches(), empty):
            learner.move(batch)
            _save(job, learner)
        if job.stopping():
            job.reporter.note(f"a stop was asked for in epoch {learner.epoch + 1}, after {learner.step} batches")
            _save(job, learner, ended=True)
            return
        learner.close(over)
        _save(job, learner, ended=True)
        if job.stopping():
            return


def _save(job: contract.Job[Any, Any], learner: Learner[Any], *, ended: bool = False) -> None:
    """Keep the state where it is time to, which only the first member knows; no exchange."""
    if job.checkpoints.due(ended=ended):
        job.checkpoints.save(*learner.kept())
