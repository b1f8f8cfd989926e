"""Jobs of the running mean, a stand-in that needs no kernels and fails where its settings say so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.containers.jobs import running
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description
from tests.training.jobs import QUICK, STANDINS, csv, digits

Describe = Callable[..., Description]
PATIENCE = 60  # seconds that any of these jobs may take


@pytest.fixture
def describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Describe]:
    """A job on the digits in three files. Whatever runs when the test ends is killed."""
    monkeypatch.setenv("ALGORITHM_PATH", str(STANDINS))
    rows = tmp_path / "digits"
    rows.mkdir()
    for number, part in enumerate(np.array_split(digits(), 3)):
        (rows / f"part-{number}.csv").write_bytes(csv(part))
    made = []

    def description(*, settings: dict[str, object] | None = None, channel: dict[str, Any] | None = None, **more: Any):
        train = Channel(name="train", path=rows, **{"content_type": "text/csv;label_size=0", **(channel or {})})
        made.append(
            Description(
                **{
                    "folder": tmp_path / "job",
                    "algorithm": "running-mean",
                    "hyperparameters": {k: str(v) for k, v in {"feature_dim": 64, **(settings or {})}.items()},
                    "channels": (train,),
                    "environment": QUICK,
                    **more,
                }
            )
        )
        return made[-1]

    yield description
    for one in made:
        if (one.run / "job.json").exists():
            job = running.adopt(one.folder)
            for host in one.host_names:
                job._engine.kill(host)
            job.wait(5)


LONG = {"epochs": 1_000_000, "pause": 0.01}


def until(job: running.Running, words: str) -> None:
    """Wait until the first host's log has these words."""
    lines = []
    for line in job.lines(until=time.monotonic() + PATIENCE):
        lines.append(line)
        if words in line:
            return
    raise AssertionError("\n".join([f"the log never said {words!r}:", *lines]))
