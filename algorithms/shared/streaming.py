"""The loop of an algorithm that records stream by: passes and batches, with all that may come between two of them.

An algorithm writes `for batch in stream(...)` around what its paper says of a batch. Here stands what every such loop
must do beside: take as many steps at every member, end everywhere when one is asked to stop, save a checkpoint where
one is due, and say how far the job is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.group import Group, agreed
from algoport.algorithms.shared.randomness import seed_of

Arrays = Mapping[str, NDArray[Any]]
Facts = Mapping[str, Any]
R = TypeVar("R")


@dataclass
class Position:
    """Where in its passes a job stands."""

    epoch: int = 0  # passes that are over
    step: int = 0  # batches of this one that are over
    total: int = 0  # batches of all passes
    stopped: bool = False  # a stop was asked for


class State(Protocol):
    """What is learned from a stream. All that is random in it is a function of the seed and its position, so that a
    resumed job is the one that was never interrupted."""

    position: Position

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it, the same at every member, as arrays and facts for a checkpoint; it may make exchanges."""


S = TypeVar("S", bound=State)


def resume(job: contract.Job[Any, Any], restore: Callable[[Arrays, Facts], S | None]) -> S | None:
    """The state of the latest checkpoint, from the arrays and facts of its snapshot; None where there is none, or none
    that `restore` makes a state of."""
    checkpoint = job.checkpoints.latest()
    if checkpoint is None:
        return None
    arrays, facts = checkpoint
    state = restore(arrays, facts)
    if state is not None:
        # Checkpoints of one pass had no epoch before there was this loop, and none had the total.
        epoch, step = facts.get("epoch", 0), facts["step"]
        state.position = Position(epoch, step, facts.get("total", epoch + step))
    return state


def stream(job: contract.Job[Any, Any], state: State, *, empty: R, size: int, epochs: int = 1) -> Iterator[R]:
    """The batches of all passes over the training channel that are left, `size` records of all members each.

    `empty` is the batch of none, with which a member that has no more takes part. What the body of the loop does with
    a batch is one step, and is in the state when the next batch is asked for. A stop ends it, at the same step at every
    member; `state.position` says so.
    """
    for batches in passes(job, state, empty=empty, size=size, epochs=epochs):
        yield from batches


def passes(
    job: contract.Job[Any, Any],
    state: State,
    *,
    empty: R,
    size: int,
    epochs: int,
    enough: Callable[[], bool] = lambda: False,
    shuffle: int | None = None,
    own: Callable[[int], Iterator[R]] | None = None,
    together: int = 1,
) -> Iterator[Iterator[R]]:
    """`stream`, pass by pass, for an algorithm that judges what it knows after each. A pass that a stop ended early is
    one too, and the last. No pass begins when there was `enough`, which is the same at every member. `shuffle`: the
    seed of the orders in which passes take the records, a different one each; None: the order of the files. `own`: the
    batches of a pass from a step on, of an algorithm that has made something of the channel's records first.
    `together`: how many batches the body of the loop is given at a time."""
    position = state.position
    while position.epoch < epochs and not enough():
        seed = None if shuffle is None else seed_of(shuffle, position.epoch)
        batches = (
            job.channels["train"].batches(size * together, start=position.step * size, shuffle=seed)
            if own is None
            else own(position.step)
        )
        yield _batches(job, state, batches, together, empty)
        if position.stopped:
            return
        position.epoch, position.step = position.epoch + 1, 0
        job.reporter.progress(position.epoch, epochs, "epochs")
        _save_at_end(job, state)


def rounds(
    job: contract.Job[Any, Any], state: State, *, count: int, enough: Callable[[], bool] = lambda: False
) -> Iterator[int]:
    """The numbers of the rounds that are left, for an algorithm that has all records in memory and uses them in each.

    What the body of the loop does is in the state when the next number is asked for. A stop ends it between two
    rounds, and no round begins when there was `enough`, both the same at every member. Two exchanges a round.
    """
    position = state.position
    while position.epoch < count and not enough():
        position.stopped = job.stopping()
        if position.stopped:
            job.reporter.note(f"a stop was asked for after round {position.epoch}")
            _save_at_end(job, state)
            return
        yield position.epoch
        position.epoch += 1
        job.reporter.examples(job.channels["train"].rows or 0, epochs=position.epoch)
        if agreed(job.group, job.checkpoints.due(ended=position.epoch == count or enough())):
            _save(job, state)


def _batches(job: contract.Job[Any, Any], state: State, batches: Iterator[R], together: int, empty: R) -> Iterator[R]:
    """What is left of one pass."""
    position = state.position
    for batch in job.in_step(batches, empty, lambda: _save(job, state)):
        yield batch
        position.step, position.total = position.step + together, position.total + together
    position.stopped = job.stopping()
    if position.stopped:
        job.reporter.note(f"a stop was asked for in epoch {position.epoch + 1}, after {position.step} batches")
        _save_at_end(job, state)  # the platform may resume the job elsewhere


def _save(job: contract.Job[Any, Any], state: State) -> None:
    """Save a checkpoint; all members take part, as a snapshot may make exchanges."""
    arrays, facts = state.snapshot(job.group)
    position = state.position
    where = {"epoch": position.epoch, "step": position.step, "total": position.total}
    job.checkpoints.save(arrays, {**facts, **where})


def _save_at_end(job: contract.Job[Any, Any], state: State) -> None:
    """Save one where the first member keeps any; an exchange."""
    if agreed(job.group, job.checkpoints.due(ended=True)):
        _save(job, state)
