"""`algoport` as its user meets it: the command in a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from tests.conformance.example import Example
from tests.containers.conftest import NAME, ROOT
from tests.containers.engine import docker

Said = subprocess.CompletedProcess[str]
Algoport = Callable[..., Said]
COMMAND = [sys.executable, "-m", "algoport.containers.cli"]


@pytest.fixture
def algoport(tmp_path: Path) -> Algoport:
    def run(*words: object, **environment: str) -> Said:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """300 rows of three numbers and no label."""
    path = tmp_path / "rows.csv"
    random = np.random.default_rng(0)
    data = np.repeat([[0, 0, 0], [9, 9, 0], [0, 9, 9]], 100, axis=0) + random.normal(size=(300, 3))
    np.savetxt(path, random.permutation(data), "%.4f", ",")
    return path


def test_what_reads_a_command_may_end_before_it(algoport: Algoport) -> None:
    with subprocess.Popen([*COMMAND, "describe", "kmeans"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()

    assert (child.returncode, said) == (1, b"")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "kmeans", "--output", "/dev/null/job"], "/dev/null/job/input/config: not a directory, for user "),
        (["process", "p.py", "--output", "a" * 300], "/"),
        (
            ["label", "p.txt", "--task", "text", "--label", "a", "--output", "/proc/labels"],
            "/proc/labels/labels.jsonl: ",
        ),
    ],
)
def test_a_place_that_cannot_be_is_one_sentence(
    algoport: Algoport, tmp_path: Path, words: list[str], sentence: str
) -> None:
    for name in ("p.py", "p.txt"):
        (tmp_path / name).write_text("print(1)\n")

    done = algoport(*words)

    assert done.returncode == 2 and done.stderr.startswith(sentence), done.stderr
    assert len(done.stderr.splitlines()) == 1


SETTINGS = ("--hp", "k=3", "--hp", "feature_dim=3", "--hp", "mini_batch_size=100")


def unlabeled(path: Path) -> str:
    return f"{path};{'application/x-npy' if path.suffix == '.npy' else 'text/csv'};label_size=0"


def test_it_lists_what_there_is(algoport: Algoport) -> None:
    assert NAME in algoport("list").stdout
    (entry,) = (entry for entry in json.loads(algoport("list", "--json").stdout) if entry["name"] == NAME)
    assert entry["problem"] == "clustering"


def test_it_describes_an_algorithm_for_people_and_for_programs(algoport: Algoport) -> None:
    assert "a whole number at least 1; required. How many centers to find." in algoport("describe", NAME).stdout
    description = json.loads(algoport("describe", NAME, "--json").stdout)
    assert {entry["Name"] for entry in description["TrainingChannels"]} == {"train", "test"}


def test_the_help_says_each_command_in_one_whole_line(algoport: Algoport) -> None:
    lines = algoport("--help", COLUMNS="80").stdout.partition("Commands:")[2].strip().splitlines()

    assert len(lines) >= 20 and all(line.endswith(".") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["describe", "kmean"], "There is no algorithm 'kmean'. There are: "),
        (
            ["train", NAME, "--output", "job", "--train", "nowhere.csv"],
            "Channel 'train': there is nothing at nowhere.csv.",
        ),
        (["train", NAME, "--output", "job", "--hp", "k"], "--hp: must be NAME=VALUE; it is 'k'."),
        (
            ["train", NAME, "--output", "job", "--channel", "x"],
            "--channel: must be NAME=PATH[;content type]; it is 'x'.",
        ),
        (["train", NAME], "Missing option '--output'. See algoport train --help."),
        (["train", NAME, "--output", "job", "--hosts", "0"], "Invalid value for '--hosts'"),
        (["predict", "nowhere", "rows.csv"], "/nowhere: must be the folder of a job, with model/ in it"),
        (["serve", "nowhere"], "/nowhere: must be the folder of a job, with model/ in it"),
        (["new", "My Algorithm"], "'My Algorithm': a name has lower-case letters, digits and hyphens"),
        (["new", NAME], f"{NAME}: is the name of an algorithm that there is."),
        (["build", NAME, "--flavor", "tpu"], "--flavor: must be cpu or gpu; it is 'tpu'."),
        (
            ["train", NAME, "--output", "job", "--image", "mine"],
            "--image: is for jobs in containers; say --docker, too.",
        ),
        (["trian"], "Did you mean 'train'? See algoport --help."),
        (["frobnicate"], "No such command 'frobnicate'. See algoport --help."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(algoport: Algoport, words: list[str], sentence: str) -> None:
    done = algoport(*words)

    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stderr and len(done.stderr.splitlines()) == 1


def test_validation_names_every_fault_and_trains_nothing(algoport: Algoport, rows: Path) -> None:
    good = algoport("validate", NAME, *SETTINGS, "--train", unlabeled(rows))
    settings = algoport("validate", NAME, "--hp", "k=0", "--hp", "featuredim=3")
    data = algoport("validate", NAME, *SETTINGS, "--train", rows)
    kind = algoport("validate", NAME, *SETTINGS, "--train", f"{rows};application/json")

    assert good.returncode == 0 and "Channel 'train': 300 rows of 3 features, all readable." in good.stdout
    assert settings.returncode == 2 and len(settings.stderr.splitlines()) == 3
    assert kind.returncode == 2 and "Channel 'train': the content type must be one of text/csv" in kind.stderr
    assert data.returncode == 2 and "train/rows.csv, line 1: 2 numbers after the label" in data.stderr


def test_validation_of_a_long_channel_ends_in_the_time_given(algoport: Algoport, tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (8_000_000, 3)).flush()

    done = algoport("validate", NAME, *SETTINGS, "--train", unlabeled(path), "--seconds", "0.01")

    assert done.returncode == 0, done.stderr
    assert re.search(r"the first [\d,]+ rows of 3 features", done.stdout)


def test_a_job_leaves_a_model_that_predicts(algoport: Algoport, rows: Path, tmp_path: Path) -> None:
    done = algoport("train", NAME, "--train", unlabeled(rows), "--test", unlabeled(rows), *SETTINGS, "--output", "job")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "#quality_metric: host=algo-1, test msd" in done.stdout
    assert "\x1b" not in done.stdout and "\r" not in done.stdout

    asked = algoport("predict", "job", rows)

    model = Example(NAME).Model.load(tmp_path / "job" / "model")
    nearest = ((np.loadtxt(rows, delimiter=",")[:, None] - model.centers[None]) ** 2).sum(2).argmin(1)
    assert asked.returncode == 0, asked.stderr
    assert [entry["closest_cluster"] for entry in json.loads(asked.stdout)["predictions"]] == nearest.tolist()

    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress(rows.read_bytes()))
    assert algoport("predict", "job", packed).stdout == asked.stdout
    packed.write_bytes(packed.read_bytes()[:-9])
    damaged = algoport("predict", "job", packed)
    assert damaged.returncode == 2 and "rows.csv.gz: cannot be decompressed: " in damaged.stderr
    unnamed = rows.rename(tmp_path / "rows.txt")
    mute = algoport("predict", "job", unnamed)
    assert mute.returncode == 2 and "say it with --content-type" in mute.stderr
    unnamed.rename(rows)

    lines = algoport("predict", "job", rows, "--accept", "text/csv").stdout.splitlines()
    assert [float(line.split(",")[0]) for line in lines] == nearest.tolist()


@pytest.mark.parametrize("folder", ["job", "a model of any name"])
def test_a_model_is_served_until_it_is_stopped(algoport: Algoport, rows: Path, tmp_path: Path, folder: str) -> None:
    assert algoport("train", NAME, "--train", unlabeled(rows), *SETTINGS, "--output", "job").returncode == 0
    if folder != "job":
        (tmp_path / "job/model").rename(tmp_path / folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([*COMMAND, "serve", folder, "--port", str(port)], cwd=tmp_path, env=environment)
    try:
        asked = _answered(server, f"http://127.0.0.1:{port}/invocations", "9,9,0\n")
        assert len(asked["predictions"]) == 1
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def _answered(server: subprocess.Popen[bytes], url: str, body: str) -> Any:
    """The answer, as soon as somebody listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            return requests.post(url, body, headers={"Content-Type": "text/csv"}, timeout=10).json()
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"nobody listens; the exit code is {server.poll()}")


def test_several_members_find_the_model_of_one(algoport: Algoport, rows: Path, tmp_path: Path) -> None:
    for hosts in (1, 2):
        words = ("--output", f"job{hosts}", "--hosts", hosts)
        done = algoport("train", NAME, "--train", unlabeled(rows), *SETTINGS, *words)
        assert done.returncode == 0, done.stdout + done.stderr

    one, two = (Example(NAME).Model.load(tmp_path / f"job{hosts}" / "model").centers for hosts in (1, 2))
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)


def test_incremental_training_starts_from_a_model(algoport: Algoport, rows: Path) -> None:
    words = ("train", NAME, "--train", unlabeled(rows), *SETTINGS)
    assert algoport(*words, "--output", "first").returncode == 0

    done = algoport(*words, "--output", "second", "--model", "first/model")

    assert done.returncode == 0 and "incremental training from a model of 3 centers" in done.stdout, done.stdout


def test_a_failed_job_ends_with_its_code_and_its_sentence(algoport: Algoport, rows: Path, tmp_path: Path) -> None:
    done = algoport(
        "train", NAME, "--train", unlabeled(rows), "--hp", "k=900", "--hp", "feature_dim=3", "--output", "job"
    )

    assert done.returncode == 2
    assert "which is fewer than k, 900" in done.stdout.splitlines()[-1]
    assert "which is fewer than k, 900" in (tmp_path / "job/output/failure").read_text()


def test_a_folder_that_is_no_job_is_not_written_into(algoport: Algoport, rows: Path, tmp_path: Path) -> None:
    done = algoport("train", NAME, "--train", unlabeled(rows), *SETTINGS, "--output", tmp_path)

    assert done.returncode == 2 and "is neither empty nor the folder of a job" in done.stderr


def test_ctrl_c_ends_a_job_with_the_model_it_has(rows: Path, tmp_path: Path) -> None:
    words = ["train", NAME, "--train", unlabeled(rows), *SETTINGS, "--hp", "epochs=1000000", "--output", "job"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    job = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("#progress_metric"):
            break

    job.send_signal(signal.SIGINT)
    rest, _ = job.communicate(timeout=60)

    assert job.returncode == 0, rest
    assert "a stop was asked for" in rest
    assert (tmp_path / "job/model/model.json").is_file()


def test_on_a_terminal_there_is_a_bar(rows: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["train", NAME, "--train", unlabeled(rows), *SETTINGS, "--hp", "epochs=30", "--output", "job"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    job = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)

    shown = _everything(ours)

    assert job.wait(60) == 0, shown
    assert re.search(r"\d+ %", shown) and "#progress_metric" not in shown
    assert "#quality_metric" in shown


def _everything(terminal: int) -> str:
    """What a program writes to a terminal until it ends, which the terminal tells by an error."""
    parts, end = [], time.monotonic() + 120
    while time.monotonic() < end:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode(errors="replace")


@pytest.mark.docker
def test_the_image_trains_the_same_job(algoport: Algoport, rows: Path, tmp_path: Path, image: str) -> None:
    for hosts in (1, 2):
        words = ("--docker", "--image", image, "--hosts", hosts, "--output", f"job{hosts}")
        done = algoport("train", NAME, "--train", unlabeled(rows), *SETTINGS, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / f"job{hosts}/model/model.json").stat().st_uid == os.getuid()

    one, two = (Example(NAME).Model.load(tmp_path / f"job{hosts}" / "model").centers for hosts in (1, 2))
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)


@pytest.mark.docker
def test_a_lost_image_is_named(algoport: Algoport, rows: Path, image: str) -> None:
    done = algoport("train", NAME, "--train", rows, "--docker", "--image", "no/such:image", "--output", "job")

    assert done.returncode == 2
    assert "no/such:image: there is no such image on this machine" in done.stderr
    assert docker("image", "inspect", image).returncode == 0


def test_what_is_no_network_is_not_exported(algoport: Algoport, rows: Path) -> None:
    assert algoport("train", NAME, "--train", unlabeled(rows), *SETTINGS, "--output", "job").returncode == 0

    done = algoport("export", "job")

    assert done.returncode == 2 and "no network" in done.stderr
