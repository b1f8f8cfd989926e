"""The store and the stepped controller of training jobs, with that of tuning jobs before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from algoport.containers.control.records import Request
from algoport.containers.control.store import ENDED, TUNING
from algoport.containers.jobs.description import Definition, Description, Limits
from algoport.containers.tuning.controller import Tunings
from algoport.containers.tuning.history import Job, jobs_of
from algoport.containers.tuning.request import Tuning
from algoport.containers.tuning.space import Range
from tests.containers.control.conftest import Control, control, home, store

__all__ = ["Search", "control", "home", "store"]

ECHO = 'echo "loss=$SM_HP_X"'


class Search:
    """A tuning job of shell programs, whose objective they print."""

    def __init__(self, control: Control, base: Path) -> None:
        self.control, self._base = control, base
        self.tunings = Tunings(control.store, control.controller)

    def make(self, name: str = "t", script: str = ECHO, **more: Any) -> Tuning:
        description = Description(
            folder=self._base / name,
            name=name,
            program=("/bin/sh", "-c", script),
            metrics=(Definition(name="loss", regex=r"loss=(\S+)"),),
            limits=Limits(grace=10),
        )
        ranges = more.pop("ranges", (Range(name="x", kind="Continuous", low=0, high=1, scale="Linear"),))
        request = Request(description=description, cores=1, retries=more.pop("retries", 0))
        facts = {"strategy": "Random", "jobs": 4, "parallel": 2, "objective": "loss", "goal": "Minimize", **more}
        return Tuning(name=name, job=request, ranges=ranges, **facts)

    def run(self, tuning: Tuning) -> tuple[str, str, list[Job]]:
        """State, why it has ended, and its jobs."""
        self.control.store.submit(TUNING, tuning.name, tuning.to_json())
        return self.end(tuning)

    def end(self, tuning: Tuning, also: Callable[[], object] = lambda: None) -> tuple[str, str, list[Job]]:
        def over() -> bool:
            also()
            self.tunings.step()
            row = self.control.store.get(TUNING, tuning.name)
            return row is not None and row.state in ENDED

        self.control.until(over)
        row = self.control.store.get(TUNING, tuning.name)
        assert row is not None
        return row.state, row.outcome["secondary"], self.jobs(tuning)

    def jobs(self, tuning: Tuning) -> list[Job]:
        return jobs_of(self.control.store, tuning.name, tuning, lambda name: {})


@pytest.fixture
def search(control: Control, tmp_path: Path) -> Search:
    return Search(control, tmp_path / "searches")
