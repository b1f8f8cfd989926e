"""The test channel, scored under a deadline: once a stop is asked for, what is quick is finished and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from algoport.algorithms import contract
from algoport.algorithms.contract.group import agreed, total

B = TypeVar("B")
T = TypeVar("T")
# Seconds that whatever comes after the last pass may still take once a stop is asked for.
GRACE = 5.0


def scores(
    job: contract.Job[Any, Any],
    size: int,
    over: Callable[[], bool],
    score: Callable[[Any], T],
    *,
    empty: Any = None,
) -> list[T] | None:
    """What `score` makes of each batch of the test channel that is this member's, `size` records of all members each.

    None, and a note that says why, where there is no test channel, or where a stop left no time at some member to see
    it to its end. `over` is the deadline (`job.grace`). Where `score` makes exchanges, `empty` is the batch of none
    with which a member that has no more takes part; then batches are as many at every member. One exchange, or one a
    batch.
    """
    channel = job.channels.get("test")
    if channel is None:
        job.reporter.note("Test data is not provided.")
        return None
    own: list[T] = []
    if empty is None:
        cut = _score_alone(channel.batches(size), over, lambda batch: own.append(score(batch)))
        cut = agreed(job.group, cut)
    else:
        cut = _score_in_step(job, channel.batches(size), over, lambda batch: own.append(score(batch)), empty)
    if cut:
        job.reporter.note("The test channel is not scored, as a stop was asked for.")
        return None
    return own


def sums(
    job: contract.Job[Any, Any],
    size: int,
    over: Callable[[], bool],
    figures: Callable[[Any], Sequence[float]],
    count: int,
) -> list[float] | None:
    """The sums of so many figures of each batch, over the test records of all members; None as in `scores`."""
    own = scores(job, size, over, figures)
    return None if own is None else total(job.group, *np.sum(own or np.zeros((1, count)), axis=0))


def _score_alone(batches: Iterator[B], over: Callable[[], bool], score: Callable[[B], None]) -> bool:
    """Batch after batch at this member's own pace; True where its time was up before the end."""
    for batch in batches:
        if over():
            return True
        score(batch)
    return False


def _score_in_step(
    job: contract.Job[Any, Any], batches: Iterator[B], over: Callable[[], bool], score: Callable[[B], None], empty: B
) -> bool:
    """Batch after batch, together; True where some member's time was up before the end."""
    while True:
        batch = next(batches, None)
        more, cuts = total(job.group, batch is not None, over())
        if cuts or not more:
            return cuts > 0
        score(empty if batch is None else batch)
