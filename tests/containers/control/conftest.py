"""A store, and a controller that the test steps; jobs are shell programs of a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from algoport.containers.control.controller import Jobs
from algoport.containers.control.home import Home
from algoport.containers.control.records import Request, Row
from algoport.containers.control.scheduler import Machine
from algoport.containers.control.store import ENDED, TRAINING, Store
from algoport.containers.jobs import running
from algoport.containers.jobs.description import Description, Limits

PATIENCE = 60.0  # seconds that any of these jobs may take


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ALGOPORT_HOME", str(tmp_path / "home"))
    return Home.from_environment()


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store(home.store)
    yield store
    store.close()


class Control:
    """A control process of two cores and 1,000 bytes, without the process."""

    def __init__(self, store: Store, base: Path) -> None:
        self.store, self._base = store, base
        self.controller = self.another()

    def another(self) -> Jobs:
        """A controller that has only the store, as after the first one was killed."""
        return Jobs(self.store, Machine(cores=2, memory=1000))

    def submit(self, name: str, script: str, *, cores: float = 1, **more: Any) -> Path:
        folder = self._base / name
        described = {key: more.pop(key) for key in list(more) if key in Description.__dataclass_fields__}
        description = Description(
            **{
                "folder": folder,
                "name": name,
                "program": ("/bin/sh", "-c", script),
                "limits": Limits(grace=10),
                "checkpoints": folder / "checkpoints",
                **described,
            }
        )
        request = Request(description=description, cores=cores, **more)
        request.check()
        self.store.submit(TRAINING, name, request.to_json())
        return folder

    def row(self, name: str) -> Row:
        row = self.store.get(TRAINING, name)
        assert row is not None
        return row

    def until(self, condition: Callable[[], object]) -> None:
        """Step until it holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, [(row.name, row.state) for row in self.store.all(TRAINING)]
            self.controller.step()
            time.sleep(0.01)

    def end(self, *names: str) -> list[str]:
        """The states of jobs when they have ended."""
        self.until(lambda: all(self.row(name).state in ENDED for name in names))
        return [self.row(name).state for name in names]


@pytest.fixture
def control(store: Store, tmp_path: Path) -> Iterator[Control]:
    control = Control(store, tmp_path / "jobs")
    yield control
    for row in store.unfinished(TRAINING):
        folder = Request.from_json(row.request).description.folder
        if (folder / "run" / "job.json").exists():
            job = running.adopt(folder)
            for host in job.description.host_names:
                job._engine.kill(host)
            job.wait(5)
