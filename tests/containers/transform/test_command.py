"""`algoport transform` as its user meets it: the command in a process of its own, with a server that it starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algoport.containers.cli import main
from tests.containers.conftest import ROOT
from tests.containers.transform.container import Container
from tests.serving.servers import STANDINS, put

COMMAND = [sys.executable, "-m", "algoport.containers.cli", "transform"]
QUICK = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "ALGORITHM_PATH": str(STANDINS), "PYTHONPATH": str(ROOT)}
Done = subprocess.CompletedProcess[str]


def run(folder: Path, *words: object) -> Done:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=os.environ | QUICK,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the stand-in, which answers with the sum of a row, and rows with a name before three numbers."""
    base = tmp_path_factory.mktemp("command")
    put(base / "job" / "model", offset=0.5)
    rows = np.random.default_rng(0).integers(0, 99, (1000, 3))
    (base / "rows").mkdir()
    for part in range(3):
        lines = (f"r{part}-{number},{a},{b},{c}" for number, (a, b, c) in enumerate(rows[part::3]))
        (base / "rows" / f"part-{part}.csv").write_text("\n".join(lines) + "\n")
    return base


def sums(folder: Path) -> str:
    lines = folder.read_text().splitlines()
    return "".join(f"{name},{sum(map(int, row)) + 0.5}\n" for name, *row in (line.split(",") for line in lines))


def servers(folder: Path) -> Iterator[int]:
    """The processes that serve the model there."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            base = next(word for word in words if word.startswith(b"SAGEMAKER_BASE_DIR="))
            link = Path(base.partition(b"=")[2].decode()) / "model"
            if link.is_symlink() and Path(os.readlink(link)) == folder / "job" / "model":
                yield int(entry)
        except (OSError, StopIteration):
            continue


def test_names_stay_with_their_answers_and_the_command_says_where_these_lie(folder: Path) -> None:
    done = run(
        folder, "job", "rows", "--output", "out", "--join", "--input-filter", "$[1:]", "--output-filter", "$[0,4]"
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Results in out: 3 of 3 objects, 1,000 records, ")
    assert "\x1b" not in done.stdout and "\r" not in done.stdout
    for part in range(3):
        out = (folder / "out" / f"part-{part}.csv.out").read_text()
        assert out == sums(folder / "rows" / f"part-{part}.csv")
    assert not list(servers(folder))

    again = run(
        folder, "job", "rows", "--output", "out", "--join", "--input-filter", "$[1:]", "--output-filter", "$[0,4]"
    )
    assert again.stdout.startswith("Results in out: 3 of 3 objects, 3 of them before, 0 records, ")


def test_a_request_of_the_api_is_carried_out(folder: Path) -> None:
    (folder / "request.json").write_text(
        json.dumps(
            {
                "TransformJobName": "sums",
                "ModelName": "any",
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder}/rows/part-1"}},
                    "ContentType": "text/csv",
                    "SplitType": "Line",
                },
                "TransformOutput": {"S3OutputPath": f"file://{folder}/by-request", "Accept": "application/jsonlines"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
                "DataProcessing": {"InputFilter": "$[1:]"},
            }
        )
    )

    done = run(folder, "job", "--request", "request.json")

    assert done.returncode == 0, done.stderr
    lines = (folder / "by-request" / "part-1.csv.out").read_text().splitlines()
    answers = [next(iter(json.loads(line).values())) for line in lines]
    assert answers == [float(line.split(",")[1]) for line in sums(folder / "rows" / "part-1.csv").splitlines()]
    assert (folder / "by-request" / ".transform" / "server-2.log").exists()


def test_a_record_that_is_refused_is_told_with_its_file_and_line(folder: Path) -> None:
    (folder / "bad.csv").write_text("1,2,3\n4,5,6\n7,8\n1,1,1\n")

    done = run(folder, "job", "bad.csv", "--output", "refused")
    lenient = run(folder, "job", "bad.csv", "--output", "refused", "--keep-going")

    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("bad.csv, line 3: the container refuses it (400): ") and done.stderr.count("\n") == 1
    assert lenient.returncode == 0 and "1 records refused, named in *.errors.jsonl" in lenient.stdout
    assert (folder / "refused" / "bad.csv.out").read_text() == "6.5,3\n15.5,3\n3.5,3\n"
    assert json.loads((folder / "refused" / "bad.csv.errors.jsonl").read_text())["line"] == 3


def test_an_endpoint_that_runs_is_asked_and_a_stop_leaves_what_can_be_resumed(folder: Path) -> None:
    with Container(delay=lambda number: 0.05).running() as container:
        words = [container.url, "rows", "--output", "stopped", "--records", "10"]
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, env=os.environ | QUICK, text=True, stdout=subprocess.PIPE
        )
        while len(container.bodies) < 8:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        asked = len(container.bodies)
        done = run(folder, *words)

    assert process.returncode == 130 and said.startswith("Stopped: 0 of 3 objects, "), said
    assert done.returncode == 0, done.stderr
    assert asked < 40 and len(container.bodies) <= 102 + 1
    for part in range(3):
        rows = (folder / "rows" / f"part-{part}.csv").read_text().splitlines()
        out = (folder / "stopped" / f"part-{part}.csv.out").read_text()
        assert out == "".join(f"{len(line)}\n" for line in rows)


def test_a_driver_that_is_killed_leaves_no_server(folder: Path) -> None:
    words = [*COMMAND, "job", "rows", "--output", "killed"]
    process = subprocess.Popen(words, cwd=folder, env=os.environ | QUICK, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not list(servers(folder)) and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()

    while list(servers(folder)) and time.monotonic() < end:
        time.sleep(0.02)

    assert not list(servers(folder))


def test_the_help_says_what_each_option_is_for() -> None:
    done = run(ROOT, "--help")

    assert done.returncode == 0 and "--keep-going" in done.stdout and "OBJECT.errors.jsonl" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere", "rows", "--output", "x"], "/nowhere: must be the folder of a job, with model/ in it"),
        (["job", "nothing", "--output", "x"], "nothing: there are no objects whose names begin so."),
        (["job", "rows"], "--output: is required, the folder for the outputs"),
        (["job", "--output", "x"], "Say which objects: a file, a folder, or --request"),
        (["job", "rows", "--output", "x", "--split", "Lines"], "TransformInput.SplitType: input should be 'None'"),
        (["job", "rows", "--output", "x", "--join", "--accept", "text/plain"], "DataProcessing: Accept must be the"),
        (["job", "rows", "--output", "x", "--request", "gone.json"], "gone.json: cannot be read: No such file"),
        (["job", "rows", "--output", "x", "--env", "A"], "--env: must be NAME=VALUE; it is 'A'."),
        (["http://127.0.0.1:9", "rows", "--output", "x"], "http://127.0.0.1:9: its /ping does not answer 200"),
        (["job", "rows", "--output", "x", "--image", "no-such-image"], "no-such-image: there is no such image"),
        (
            ["job", "s3://bucket/rows", "--output", "x"],
            "s3://bucket/rows: say with --objects which folder stands for S3",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    folder: Path, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)

    code = main(["transform", *words])

    said = capsys.readouterr()
    assert code == 2 and sentence in said.err and len(said.err.splitlines()) == 1, said.err
    assert not said.out and not (folder / "x").exists()
