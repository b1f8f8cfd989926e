"""Real jobs on this machine: from a description to a model, and every other way in which one ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact
from algoport.containers.jobs import folder, processes, running
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Definition, Description, Limits
from tests.conformance.example import Example
from tests.containers.jobs.conftest import LONG, PATIENCE, Describe, until
from tests.training.jobs import digits


def mean(folder: Path) -> np.ndarray:
    return artifact.load(folder / "model")[0]["mean"]


def guard(description: Description, host: str = "algo-1") -> int:
    return int(json.loads((description.run / f"{host}.json").read_text())["pid"])


def test_a_job_leaves_a_model_and_its_metrics(tmp_path: Path) -> None:
    """K-means on three clouds, which it finds."""
    random = np.random.default_rng(0)
    clouds = np.array([[0, 0, 0], [9, 9, 0], [0, 9, 9]])
    np.save(tmp_path / "rows.npy", np.repeat(clouds, 100, axis=0) + random.normal(size=(300, 3)))
    rows = Channel(name="train", path=tmp_path / "rows.npy", content_type="application/x-npy;label_size=0")
    test = Channel(name="test", path=rows.path, content_type=rows.content_type)
    settings = {"k": "3", "feature_dim": "3", "mini_batch_size": "100"}
    description = Description(
        folder=tmp_path / "job", algorithm="kmeans", hyperparameters=settings, channels=(rows, test)
    )

    job = running.start(description)
    lines: list[str] = []
    state = job.wait(show=lines.append)

    assert state == "Completed" and job.exit_code == 0 and job.failure is None, "\n".join(lines)
    assert lines[0] == "Docker entrypoint called with argument(s): train"
    assert job.metrics["test:msd"] == pytest.approx([3], rel=0.1)
    centers = Example("kmeans").Model.load(tmp_path / "job/model").centers
    assert sorted(np.round(centers).tolist()) == sorted(clouds.tolist())
    assert not list(processes.labeled_of(description.name))


def test_a_stop_leaves_the_model_that_there_is(describe: Describe) -> None:
    job = running.start(describe(settings=LONG))
    until(job, "#progress_metric")
    assert job.state == "InProgress" and job.exit_code is None

    job.stop()
    job.stop()

    assert job.wait(PATIENCE) == "Stopped"
    assert (job.exit_code, job.reason, job.failure) == (0, "Stopped", None)
    assert mean(job.description.folder).shape == (64,)


def test_a_job_whose_time_is_up_is_asked_to_stop(describe: Describe) -> None:
    job = running.start(describe(settings=LONG, limits=Limits(runtime=4)))

    assert job.wait(PATIENCE) == "Stopped"

    assert (job.exit_code, job.reason) == (0, "MaxRuntimeExceeded")
    assert 4 <= job.seconds < 20
    assert mean(job.description.folder).shape == (64,)


def test_one_that_does_not_heed_a_stop_is_killed_after_its_grace(describe: Describe) -> None:
    """It sleeps within a step, and looks for a stop between two."""
    job = running.start(describe(settings={"pause": 1000}, limits=Limits(grace=0.5)))
    until(job, "Final configuration")
    time.sleep(0.5)

    job.stop()

    assert job.wait(PATIENCE) == "Stopped"
    assert job.exit_code == 137 and not any((job.description.folder / "model").iterdir())
    assert not list(processes.labeled_of(job.description.name)), "nothing is left of it"


@pytest.mark.parametrize(
    ("fault", "code", "begin"),
    [
        ("user", 2, "ClientError: train/part-3.csv, line 121: not a row of numbers"),
        ("bug", 1, "AlgorithmError: IndexError: index 7 is out of bounds"),
        ("kill", 1, "InternalServerError: Training was killed (SIGKILL, exit code 137)"),
    ],
)
def test_a_failed_job_says_why(describe: Describe, fault: str, code: int, begin: str) -> None:
    job = running.start(describe(settings={"fault": fault}))

    assert job.wait(PATIENCE) == "Failed"

    assert job.exit_code == code
    assert (job.failure or "").startswith(begin)
    assert job.reason is None


def test_one_that_was_killed_with_all_its_processes_has_failed(describe: Describe) -> None:
    job = running.start(describe(settings=LONG))
    until(job, "#progress_metric")

    os.killpg(guard(job.description), signal.SIGKILL)

    assert job.wait(PATIENCE) == "Failed"
    assert job.exit_code == 137
    assert job.failure == "Host algo-1 was ended by SIGKILL (exit code 137), and left no word on why."


def test_a_fault_is_named_before_anything_is_touched(describe: Describe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hosts: must be from 1 to 64; it is 0"):
        running.start(describe(hosts=0))

    assert not (tmp_path / "job").exists()


def test_the_folder_of_a_job_that_runs_is_left_alone(describe: Describe) -> None:
    job = running.start(describe(settings=LONG))

    with pytest.raises(UserError, match="is the folder of a job that has not ended"):
        running.start(describe())

    assert job.state == "InProgress"


@pytest.mark.parametrize("distribution", ["FullyReplicated", "ShardedByS3Key"])
def test_two_hosts_find_the_mean_of_all_rows(describe: Describe, distribution: str) -> None:
    job = running.start(describe(hosts=2, channel={"distribution": distribution}))

    assert job.wait(PATIENCE) == "Completed", "\n".join(job.lines())

    base = job.description.folder
    np.testing.assert_allclose(mean(base), digits().mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert not list((base / "hosts/algo-2/model").iterdir()), "only the first host writes the model"
    assert any("host algo-2 (2 of 2)" in line for line in job.lines("algo-2"))


def test_a_stop_ends_both_hosts_with_a_model(describe: Describe) -> None:
    job = running.start(describe(hosts=2, settings=LONG))
    until(job, "#progress_metric")

    job.stop()

    assert job.wait(PATIENCE) == "Stopped" and job.exit_code == 0
    assert mean(job.description.folder).shape == (64,)


def test_a_lost_host_is_named(describe: Describe) -> None:
    job = running.start(describe(hosts=2, settings=LONG))
    until(job, "#progress_metric")

    os.killpg(guard(job.description, "algo-2"), signal.SIGKILL)

    assert job.wait(PATIENCE) == "Failed"
    assert (job.failure or "").startswith("InternalServerError: Lost host algo-2")


STARTS = """
import json, os, signal, sys
from algoport.containers.jobs import running
from algoport.containers.jobs.description import Description
job = running.start(Description.from_json(json.loads(sys.argv[1])))
os.kill(os.getpid(), signal.SIGKILL)
"""


def started_by_somebody_else(description: Description) -> None:
    """Who is gone at once."""
    text = json.dumps(description.to_json())
    done = subprocess.run([sys.executable, "-P", "-c", STARTS, text], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_job_outlives_who_started_it_and_is_found_again(describe: Describe) -> None:
    description = describe(settings=LONG)
    started_by_somebody_else(description)

    job = running.adopt(description.folder)

    assert job.description == description
    until(job, "#progress_metric")
    assert job.state == "InProgress"
    job.stop()
    assert job.wait(PATIENCE) == "Stopped" and job.exit_code == 0
    assert running.adopt(description.folder).state == "Stopped", "and so it is for whoever comes later"


def test_it_is_found_by_its_label_where_nothing_was_noted(describe: Describe) -> None:
    """Whoever starts a job may be killed between the start of a process and the note of its number."""
    description = describe(settings=LONG)
    started_by_somebody_else(description)
    number = guard(description)
    (description.run / "algo-1.json").unlink()

    (process,) = processes.labeled_of(description.name)
    job = running.adopt(process[1].folder)

    assert process == (number, processes.Label(description.name, "algo-1", description.folder))
    assert job.state == "InProgress"
    job.stop()
    assert job.wait(PATIENCE) == "Stopped"


def test_a_number_that_somebody_else_has_now_is_not_taken_for_the_job(describe: Describe) -> None:
    job = running.start(describe())
    assert job.wait(PATIENCE) == "Completed"
    (job.description.run / "end.json").unlink()
    another = {"pid": os.getpid(), "started": "1"}
    (job.description.run / "algo-1.json").write_text(json.dumps(another))

    later = running.adopt(job.description.folder)
    later.stop()

    assert later.state == "Stopped", "and this process, whose number it is, goes on"


def test_there_is_no_job_where_none_was_started(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of a job that was started"):
        running.adopt(tmp_path)


def test_what_is_in_the_environment_reaches_the_job(describe: Describe) -> None:
    job = running.start(describe(environment={"ALGOPORT_PIPE_TIMEOUT": "never"}, channel={"mode": "File"}))
    assert job.wait(PATIENCE) == "Failed" and "ALGOPORT_PIPE_TIMEOUT" in (job.failure or "")

    limits = Limits(cpus=1, memory=4 << 30)
    environment = processes.Processes(describe(limits=limits, environment={"A": "b"}))._environment(0, "algo-1")

    assert (environment["A"], environment["ALGOPORT_CORES"], environment["ALGOPORT_MEMORY"]) == ("b", "1", str(4 << 30))


def test_what_has_most_is_killed_where_memory_runs_out(describe: Describe) -> None:
    job = running.start(describe(settings=LONG, limits=Limits(memory=60 << 20)))

    assert job.wait(PATIENCE) == "Failed"

    assert (job.failure or "").startswith("InternalServerError: Training was killed (SIGKILL, exit code 137)")
    assert "the limit is 60 MiB" in (job.failure or "")


def test_metrics_are_those_of_the_algorithm_and_those_that_are_asked_for(describe: Describe) -> None:
    own = Definition(name="share", regex=r"completed (\S+) %")
    job = running.start(describe(settings={"epochs": 2}, metrics=(own,)))
    assert job.wait(PATIENCE) == "Completed"

    values = job.metrics

    assert values["share"] == [50, 100] and len(values["train:norm"]) == 2


def program(folder: Path, text: str, **more: Any) -> Description:
    (folder / "program.py").write_text(text)
    return Description(folder=folder / "job", program=(sys.executable, str(folder / "program.py")), **more)


def alive(number: int) -> bool:
    return processes.start_time(number) is not None


# One that goes away from its parent, as a service does, and says its number.
DAEMON = """
import subprocess, sys
text = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); rows = b'1' * %d; time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", text], start_new_session=True)
print("number", child.pid, flush=True)
"""


def number_in(job: running.Running) -> int:
    until(job, "number ")
    return next(int(line.split()[1]) for line in job.lines(until=0.0) if line.startswith("number "))


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    job = running.start(program(tmp_path, DAEMON % 0))

    assert job.wait(PATIENCE) == "Completed" and not alive(number_in(job))


def test_a_program_is_killed_with_what_it_has_in_other_sessions(tmp_path: Path) -> None:
    text = f"{DAEMON % 0}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n"
    job = running.start(program(tmp_path, text, limits=Limits(grace=0.3)))
    number = number_in(job)

    job.stop()

    assert job.wait(PATIENCE) == "Stopped" and job.exit_code == 137 and not alive(number)


def test_memory_is_limited_in_other_sessions_too(tmp_path: Path) -> None:
    text = f"{DAEMON % (300 << 20)}\nsys.exit(child.wait())\n"
    job = running.start(program(tmp_path, text, limits=Limits(memory=200 << 20)))

    assert job.wait(PATIENCE) == "Failed" and not alive(number_in(job))


def test_of_several_hosts_the_first_that_has_failed_is_the_jobs_failure(tmp_path: Path) -> None:
    """The second host fails first, and takes longer to end."""
    description = program(tmp_path, "")
    hosts = Description(folder=description.folder, algorithm="kmeans", hosts=2)
    now = time.time()
    for host, code, ended, wrote in (("algo-1", 1, now + 5, now + 4), ("algo-2", 7, now + 9, now)):
        word = hosts.base(host) / "output" / "failure"
        word.parent.mkdir(parents=True)
        word.write_text(f"of {host}")
        os.utime(word, (wrote, wrote))
        hosts.run.mkdir(exist_ok=True)
        folder.write(hosts.run / f"{host}.end", {"code": code, "time": ended})
    folder.write(hosts.run / "job.json", {"description": hosts.to_json(), "started": now})

    job = running.adopt(hosts.folder)

    assert (job.state, job.exit_code, job.failure) == ("Failed", 7, "of algo-2")
