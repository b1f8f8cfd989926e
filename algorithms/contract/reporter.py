"""Where a job says what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing(*_: object, **__: object) -> None:
    """Says nothing and writes nothing."""


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """What a job says and leaves beside its model. Each is called at every member, and any may be silent."""

    # (values, *, epoch=None, batch=None, written=None); values: {"train:msd": 1.5}; written: {"train:f": "f_0.500"},
    # the name in the log of a metric whose name varies
    report: Callable[..., None] = _nothing
    figures: Callable[..., None] = _nothing  # (values, **dimensions): what is not a metric, for a `#metrics` line
    note: Callable[[str], None] = _nothing  # a sentence for the log
    progress: Callable[..., None] = _nothing  # (done, of, unit): share of the whole job, at any rate
    # (count, epochs=None): so many more records, or windows of them, were learned from, where a step takes them from
    # memory and not from a channel, which counts for itself; with the epochs or rounds that are over
    examples: Callable[..., None] = _nothing
    throughput: Callable[[int, float], None] = _nothing  # (count, seconds) of the same examples in an epoch
    keep: Callable[..., None] = _nothing  # (name, table or figure) for output/data
    host: str = "algo-1"  # this member's, for lines of the log that name it
