"""What is wanted of jobs and what runs come together, whoever has begun it."""

from __future__ import annotations

from pathlib import Path

import pytest

from algoport.containers.control import waiting
from algoport.containers.control.home import Home
from algoport.containers.control.records import Request
from algoport.containers.control.store import TRAINING
from algoport.containers.jobs.description import Definition, Limits
from tests.containers.control.conftest import Control

WAITS = "trap 'echo stopped; exit 0' TERM; echo ready; sleep 100 & wait"
# Counts its starts in the folder of checkpoints, and is done at the second.
RESUMES = """
cd {folder}/checkpoints; echo >> starts
[ $(wc -l < starts) = 1 ] || {{ echo resumed; exit 0; }}
trap 'exit 0' TERM; echo ready; sleep 100 & wait
"""


def log(folder: Path) -> str:
    path = folder / "run" / "algo-1.log"
    return path.read_text() if path.exists() else ""


def test_a_job_runs_and_its_metrics_are_recorded(control: Control) -> None:
    control.submit("a", "echo loss=3; echo loss=1.5", metrics=(Definition(name="loss", regex=r"loss=(\S+)"),))

    assert control.end("a") == ["Completed"]

    row = control.row("a")
    assert row.outcome["metrics"] == {"loss": [3, 1.5]} and row.outcome["code"] == 0
    (attempt,) = control.store.attempts("a")
    assert attempt.cpu is not None and attempt.peak and attempt.spoke is not None
    assert [what for _, what, _ in control.store.events(TRAINING, "a")] == [
        "Pending",
        "Starting",
        "InProgress",
        "Completed",
    ]


def test_hyperparameters_and_folders_reach_a_program(control: Control) -> None:
    folder = control.submit("a", 'echo "$SM_HP_ETA $SM_MODEL_DIR $1 $2"', hyperparameters={"eta": "0.5"})

    assert control.end("a") == ["Completed"]

    assert log(folder) == f"0.5 {folder}/model 0.5 \n"  # $0 of the shell is --eta


def test_what_does_not_fit_waits_and_nobody_overtakes(control: Control) -> None:
    control.submit("one", WAITS)
    control.submit("both", "true", cores=2)
    control.submit("later", "true")
    control.until(lambda: "ready" in log(control._base / "one"))
    for _ in range(5):
        control.controller.step()

    assert [control.row(name).state for name in ("one", "both", "later")] == ["InProgress", "Pending", "Pending"]

    control.store.ask_to_stop(TRAINING, "one", "Stopped")
    assert control.end("one", "both", "later") == ["Stopped", "Completed", "Completed"]
    assert "stopped" in log(control._base / "one")


def test_a_job_that_waits_is_stopped_without_a_start(control: Control) -> None:
    control.submit("one", WAITS, cores=2)
    control.submit("waits", "true")
    control.until(lambda: control.row("one").state == "InProgress")

    control.store.ask_to_stop(TRAINING, "waits", "Stopped")

    assert control.end("waits") == ["Stopped"]
    assert control.row("waits").attempt == 0


@pytest.mark.parametrize(("retries", "state", "starts"), [(0, "Failed", 1), (1, "Failed", 2), (2, "Completed", 3)])
def test_a_failure_that_is_nobodys_mistake_is_retried(control: Control, retries: int, state: str, starts: int) -> None:
    script = 'cd "$SM_MODEL_DIR"/../checkpoints; echo >> starts; [ $(wc -l < starts) -gt 2 ] || exit 7'
    folder = control.submit("a", script, retries=retries)

    assert control.end("a") == [state]

    assert (control.row("a").attempt, len((folder / "checkpoints/starts").read_text())) == (starts, starts)
    assert [attempt.code for attempt in control.store.attempts("a")] == [7, 7, 0][:starts]


def test_a_mistake_of_the_user_is_not_retried(control: Control) -> None:
    control.submit("a", "echo 'ClientError: k must be 1' > $SM_OUTPUT_DIR/failure; exit 2", retries=3)

    assert control.end("a") == ["Failed"]

    assert control.row("a").attempt == 1
    assert control.row("a").outcome["failure"] == "ClientError: k must be 1\n"


def test_an_interrupted_spot_job_resumes_from_its_checkpoints(control: Control, home: Home) -> None:
    folder = control.submit("a", RESUMES.format(folder=control._base / "a"), spot=True)
    control.until(lambda: "ready" in log(folder))

    control.store.ask_to_stop(TRAINING, "a", "Interrupted")

    assert control.end("a") == ["Completed"]
    assert [attempt.reason for attempt in control.store.attempts("a")] == ["Interrupted", None]
    lines = list(waiting.lines(control.store, home, "a", follow=False))
    assert lines == ["ready", "resumed"], "of both attempts"


def test_a_spot_job_makes_room_for_one_on_demand(control: Control) -> None:
    folder = control.submit("spot", RESUMES.format(folder=control._base / "spot"), spot=True, cores=2)
    control.until(lambda: "ready" in log(folder))

    control.submit("demand", "true")

    assert control.end("demand", "spot") == ["Completed", "Completed"]
    assert control.row("spot").attempt == 2
    assert (control.row("demand").ended or 0) <= (control.row("spot").ended or 0)


def test_what_a_user_has_stopped_is_not_resumed(control: Control) -> None:
    folder = control.submit("a", WAITS, spot=True)
    control.until(lambda: "ready" in log(folder))
    control.store.ask_to_stop(TRAINING, "a", "Interrupted")

    assert control.store.ask_to_stop(TRAINING, "a", "Stopped")

    assert control.end("a") == ["Stopped"]


def test_a_spot_job_whose_wait_is_over_is_stopped(control: Control) -> None:
    control.submit("a", WAITS, spot=True, wait=0.5)

    assert control.end("a") == ["Stopped"]

    assert control.row("a").outcome["secondary"] == "MaxWaitTimeExceeded"


def test_the_runtime_counts_all_attempts(control: Control) -> None:
    folder = control.submit("a", WAITS, spot=True, limits=Limits(runtime=1.5, grace=10))
    control.until(lambda: "ready" in log(folder))
    control.store.ask_to_stop(TRAINING, "a", "Interrupted")

    assert control.end("a") == ["Stopped"]

    assert control.row("a").outcome["secondary"] == "MaxRuntimeExceeded"
    assert sum(attempt.seconds for attempt in control.store.attempts("a")) < 10


def test_another_controller_adopts_what_runs(control: Control) -> None:
    folder = control.submit("a", WAITS, metrics=(Definition(name="said", regex="(1)"),))
    control.until(lambda: "ready" in log(folder))

    control.controller = control.another()
    control.controller.step()

    assert control.row("a").state == "InProgress" and control.row("a").attempt == 1
    control.store.ask_to_stop(TRAINING, "a", "Stopped")
    assert control.end("a") == ["Stopped"]


def test_a_start_that_was_broken_off_is_completed(control: Control) -> None:
    """Whatever the last thing was that the killed process has done: the store says Starting, and no more."""
    control.submit("a", "echo once")
    row = control.row("a")
    control.store.change(TRAINING, row, "Starting", attempt=1, started=1.0)
    from algoport.containers.control.records import Attempt

    control.store.set_attempt("a", Attempt(number=1, started=1.0))

    assert control.end("a") == ["Completed"]
    assert log(control._base / "a") == "once\n"


def test_a_job_whose_folder_is_gone_has_failed(control: Control) -> None:
    import shutil

    folder = control.submit("a", WAITS)
    control.until(lambda: "ready" in log(folder))
    guard = Request.from_json(control.row("a").request)
    control.store.ask_to_stop(TRAINING, guard.description.name, "Stopped")
    control.controller.step()
    shutil.rmtree(folder)
    control.controller = control.another()

    assert control.end("a") == ["Failed"]
    assert "is not the folder of a job" in control.row("a").outcome["failure"]


def test_one_that_cannot_be_started_says_why(control: Control, tmp_path: Path) -> None:
    folder = control.submit("a", "true")
    folder.mkdir(parents=True)
    (folder / "theirs").touch()

    assert control.end("a") == ["Failed"]

    assert "is neither empty nor the folder of a job" in control.row("a").outcome["failure"]
    assert list(folder.iterdir()) == [folder / "theirs"]
