"""The beginning of a job as `train` would run it, for what only the algorithm's own checks find; it leaves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import AlgoportError, Stopped
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared import compiled
from algoport.training.channels import label_places
from algoport.training.channels.opening import Opening
from algoport.training.configuration import Configuration
from algoport.training.places import Places
from algoport.training.run import Parts

TRAIN = "train"
GRACE = 1.0  # seconds that a trial goes on when all training records were read: what is checked of all comes then


def findings(places: Places, job: Configuration, parts: Parts, start: Any, seconds: float) -> list[str]:
    """What `fit` refuses of settings, records and the model to start from, as it would in the job itself.

    `fit` is asked to stop when it has read the training channel once, or when time is up.
    """
    compiled.prepare()
    watch = _Watch(time.monotonic() + seconds)
    opening = Opening(places, job, parts.algorithm, Alone())
    try:
        sources: Mapping[str, Any] = {name: _Watched(own, watch) for name, own in opening.sources().items()}
        with label_places(sources):
            parts.fit(
                contract.Job(
                    hyperparameters=job.settings,
                    channels=sources,
                    files=opening.files(),
                    stop_requested=watch.is_over,
                    start=start,
                    hosts=len(job.hosts.names),
                    seed=job.seed,
                )
            )
    except Stopped:
        return []
    except AlgoportError as error:
        return error.findings
    return []


@dataclass
class _Watch:
    """When a trial ends."""

    end: float  # by the clock that is not set

    def is_over(self) -> bool:
        """Whether it is to stop."""
        return time.monotonic() > self.end

    def read_whole(self) -> None:
        """All training records have been handed out."""
        self.end = min(self.end, time.monotonic() + GRACE)


class _Watched:
    """A source that says when the training channel was read."""

    def __init__(self, source: Any, watch: _Watch) -> None:
        self._source = source
        self._read: Callable[[], None] = watch.read_whole if source.name == TRAIN else lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def batches(self, rows: int, **how: Any) -> Any:
        """A pass."""
        yield from self._source.batches(rows, **how)
        self._read()

    def all(self) -> Any:
        """All records."""
        whole = self._source.all()
        self._read()
        return whole
