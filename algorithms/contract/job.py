"""All that `fit` is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.checkpoints import Checkpoints, NoCheckpoints
from algoport.algorithms.contract.group import Alone, Group, agreed, total
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.algorithms.contract.reporter import Reporter
from algoport.algorithms.contract.source import Source

H = TypeVar("H", bound=Settings)
M = TypeVar("M")
B = TypeVar("B")


def _no() -> bool:
    return False


class Deadline:
    """When what is left of a job must end at one member: never, until a stop is asked for, and some seconds after
    that. What is quick is finished, and what is long does not cost the model. It makes no exchange."""

    def __init__(self, stop_requested: Callable[[], bool], seconds: float, clock: Callable[[], float]) -> None:
        self.stop_requested = stop_requested
        self._seconds, self._clock = seconds, clock
        self._since: float | None = None  # when this member first knew

    def __call__(self) -> bool:
        """True once time is up."""
        if self._since is None and self.stop_requested():
            self._since = self._clock()
        return self._since is not None and self._clock() - self._since > self._seconds


@dataclass(frozen=True, kw_only=True)
class Job(Generic[H, M]):
    """All that `fit` is given. `Job(hyperparameters=…, channels=…)` is a whole job on one member."""

    hyperparameters: H
    channels: Mapping[str, Source[Any]]
    files: Mapping[str, Auxiliary] = field(default_factory=dict)  # of channels of plain files
    group: Group = field(default_factory=Alone)
    reporter: Reporter = field(default_factory=Reporter)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    stop_requested: Callable[[], bool] = _no  # has this member been asked to stop? no exchange
    start: M | None = None  # the model that incremental training starts from
    device: str = "cpu"
    hosts: int = 1  # how many there are, for a batch that is meant a host each; a host may have several members
    seed: int = 0
    clock: Callable[[], float] = time.monotonic

    @property
    def batch(self) -> int:
        """How many records a step takes, of all members together, by the setting that is declared for it."""
        return self.hyperparameters.batch_of(self.hosts)

    def stopping(self) -> bool:
        """True at every member as soon as one has been asked to stop; an exchange."""
        return agreed(self.group, self.stop_requested())

    def grace(self, seconds: float) -> Deadline:
        """The deadline of what is left, so many seconds after this member first knows that it is asked to stop."""
        return Deadline(self.stop_requested, seconds, self.clock)

    def in_step(self, batches: Iterator[B], empty: B, save: Callable[[], None] | None = None) -> Iterator[B]:
        """Batches, as many at every member: who has no more gets `empty` until all are through.

        Ends at all members after the same step when one is asked to stop. After a step, `save` is called at all
        members where a checkpoint is due. One exchange of three numbers a step.
        """
        steps = 0
        while True:
            batch = next(batches, None)
            due = save is not None and steps > 0 and self.checkpoints.due()
            more, stop, dues = total(self.group, batch is not None, self.stop_requested(), due)
            if save is not None and dues:
                save()
            if not more or stop:
                return
            yield empty if batch is None else batch
            steps += 1
