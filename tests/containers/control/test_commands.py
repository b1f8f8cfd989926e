"""`algoport jobs`, `logs`, `stop` and `train --detach` as their user meets them."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from algoport.containers.cli import main
from algoport.containers.control import process, waiting
from algoport.containers.control.home import Home
from algoport.containers.control.store import TRAINING, Store
from tests import worked
from tests.containers.control.conftest import PATIENCE, Control
from tests.containers.control.test_controller import WAITS, log


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    said = worked.run("jobs.md", tmp_path)

    assert said.count("Docker entrypoint called with argument(s): train") == 2
    assert "2 jobs, recorded in" in said and "six: Completed, Completed" in said
    assert "Managed Spot Training savings: 70.0%" in said
    report = json.loads(said[said.rindex("\n{") :])
    assert report["HyperParameters"] == {"k": "6", "feature_dim": "3"} and report["Data"].startswith("sha256:")
    assert report["Usage"]["memory_given"] == 2 << 30 and report["Usage"]["memory_peak"] > 50 << 20


def control_process(home: Home) -> int:
    """Its number, when it has begun."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        words = home.log.read_text().split() if home.log.exists() else []
        if "begins," in words:
            return int(words[len(words) - words[::-1].index("begins,") - 2])
        time.sleep(0.05)
    raise AssertionError("no control process has begun")


def test_a_job_outlives_the_control_process_and_is_followed_by_the_next(
    control: Control, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = control.submit("a", WAITS)
    process.ensure(home)
    os.kill(control_process(home), signal.SIGKILL)
    control.until(lambda: "ready" in log(folder))

    assert main(["stop", "a"]) == 0
    row = waiting.ended(control.store, home, TRAINING, "a")

    assert (row.state, row.attempt) == ("Stopped", 1)
    assert main(["logs", "a"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["ready", "stopped"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["jobs", "nobody"], "There is no job 'nobody'. `algoport jobs` lists those there are."),
        (["jobs", "firts"], "There is no job 'firts'. Did you mean first?"),
        (["logs", "nobody"], "There is no job 'nobody'. `algoport jobs` lists those there are."),
        (["stop", "first"], "first: has ended already, as Completed."),
        (["stop", "--interrupt", "second"], "second: is no spot job, and would not be started again; stop it without"),
        (["train", "kmeans", "--output", "x", "--spot"], "--spot: is for jobs in the background; say --detach, too."),
        (["train", "kmeans", "--output", "x", "--memory", "much"], "--memory: must be a number of bytes such as 512M"),
        (["train", "kmeans", "--output", "x", "--detach", "--cores", "9999"], "cores: must be at most "),
        (["train", "kmeans", "--output", "x", "--detach", "--wait", "5"], "wait: is for spot jobs; say --spot, too."),
        (["train", "kmeans", "--output", "x", "--detach", "--instance", "big"], "--instance: must be one of the table"),
        (["train", "kmeans", "--output", "x", "--detach", "--name", "first"], "There is a training job of the name"),
        (["train", "kmeans", "--output", "x", "--detach", "--name", "a b"], "name: must have 1 to 63 letters"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str],
    sentence: str,
    store: Store,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "ensure", lambda home: None)
    description = {"folder": "/nowhere", "name": "first", "program": ["true"]}
    store.submit(TRAINING, "first", {"description": description, "cores": 1}, state="Completed")
    store.submit(TRAINING, "second", {"description": description | {"name": "second"}, "cores": 1})

    assert main(words) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(sentence), said
    assert not (tmp_path / "x").exists() and len(store.all(TRAINING)) == 2
