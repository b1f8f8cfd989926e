"""The test channel, scored under a deadline: once a stop is asked for, what is quick is finished and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    channel = test_channel(job)
    if channel is None:
        return None
    own: list[T] = []
    if empty is None:
        whole = score_each(job, "test", channel.batches(size), over, lambda batch: own.append(score(batch)))
    else:
        whole = _score_in_step(job, channel.batches(size), over, lambda batch: own.append(score(batch)), empty)
    return own if whole else None


def test_channel(job: contract.Job[Any, Any]) -> contract.Source[Any] | None:
    """The records to score; None, and a note, where there are none."""
    channel = job.channels.get("test")
    if channel is None:
        job.reporter.note("Test data is not provided.")
    return channel


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


def score_each(
    job: contract.Job[Any, Any],
    channel: str,
    batches: Iterable[B],
    over: Callable[[], bool],
    score: Callable[[B], None],
) -> bool:
    """Score the batches of a channel one after another, at this member's own pace; one exchange.

    False at every member, and a note, where a stop left no time at one of them to see it to its end.
    """
    cut = False
    for batch in batches:
        cut = over()
        if cut:
            break
        score(batch)
    return _is_whole(job, channel, agreed(job.group, cut))


def _is_whole(job: contract.Job[Any, Any], channel: str, cut: bool) -> bool:
    if cut:
        job.reporter.note(f"The {channel} channel is not scored, as a stop was asked for.")
    return not cut


def _score_in_step(
    job: contract.Job[Any, Any], batches: Iterator[B], over: Callable[[], bool], score: Callable[[B], None], empty: B
) -> bool:
    """Batch after batch, together; False where some member's time was up before the end."""
    while True:
        batch = next(batches, None)
        more, cuts = total(job.group, batch is not None, over())
        if cuts or not more:
            return _is_whole(job, "test", cuts > 0)
        score(empty if batch is None else batch)
