"""All that `fit` is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from algoport.algorithms.contract.algorithm import Kind
from algoport.algorithms.contract.checkpoints import Checkpoints, NoCheckpoints
from algoport.algorithms.contract.group import Alone, Group
from algoport.algorithms.contract.records import NONE, Records
from algoport.algorithms.contract.source import Source

H = TypeVar("H")
M = TypeVar("M")
R = TypeVar("R", bound=Records)


def _nothing(*_: object, **__: object) -> None:
    """Says nothing, keeps nothing."""


def _no() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Job(Generic[H, M]):
    """All that `fit` is given. `Job(hyperparameters=…, channels=…)` is a whole job on one member."""

    hyperparameters: H
    channels: Mapping[str, Source[Any]]
    group: Group = field(default_factory=Alone)
    # (values, *, epoch=None, batch=None, written=None); values: {"train:msd": 1.5}; written: {"train:f": "f_0.500"},
    # the name in the log of a metric whose name varies
    report: Callable[..., None] = _nothing
    figures: Callable[..., None] = _nothing  # (values, **dimensions): what is not a metric, for a `#metrics` line
    note: Callable[[str], None] = _nothing  # a sentence for the log
    progress: Callable[..., None] = _nothing  # (done, of, unit): share of the whole job, at any rate
    keep: Callable[..., None] = _nothing  # (name, table or figure) for output/data
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    asked: Callable[[], bool] = _no  # has this member been asked to stop? no exchange
    start: M | None = None
    device: str = "cpu"
    host: str = "algo-1"  # this member's, for lines of the log that name it
    hosts: int = 1  # how many there are, for settings that are meant a host each; a host may have several members
    seed: int = 0
    clock: Callable[[], float] = time.monotonic

    def stopping(self) -> bool:
        """True at every member as soon as one has been asked to stop; an exchange."""
        flag = np.array([self.asked()], np.float64)
        self.group.sum_(flag)
        return bool(flag[0] > 0)

    def grace(self, seconds: float) -> Callable[[], bool]:
        """A question that is true once this member has been asked to stop and so many seconds have passed since it
        first knew: what is quick is finished, and what is long does not cost the model. No exchange."""
        heard: list[float] = []

        def over() -> bool:
            if not heard and self.asked():
                heard.append(self.clock())
            return bool(heard) and self.clock() - heard[0] > seconds

        return over

    def in_step(self, batches: Iterator[R], width: int = 0, kind: Kind = "rows") -> Iterator[R]:
        """Batches, as many at every member: who has no more gets empty ones until all are through.

        Ends at all members after the same step when one is asked to stop. One exchange of two numbers a step.
        """
        empty: R = NONE[kind](width)
        while True:
            batch = next(batches, None)
            flags = np.array([batch is not None, self.asked()], np.float64)
            self.group.sum_(flags)
            if flags[0] == 0 or flags[1] > 0:
                return
            yield empty if batch is None else batch
