"""`algoport pipeline`: two models of the stand-in in a row, served and in transform, and as a compose file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml

from algoport.containers.cli import main
from tests.containers.transform.test_command import QUICK, run
from tests.serving.servers import free_port, put

COMMAND = [sys.executable, "-m", "algoport.containers.cli", "pipeline"]
ROWS = "1,2,3\n4,5,6\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first answers two columns, sum and number of values, which the second takes for its row."""
    base = tmp_path_factory.mktemp("pipeline")
    put(base / "first" / "model", offset=0.5)
    put(base / "second" / "model", offset=100, width=2)
    (base / "rows.csv").write_text(ROWS)
    csv = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    containers = [
        {"ModelDataUrl": str(base / "first"), "Environment": csv},
        {"ModelDataUrl": f"file://{base}/second", "ContainerHostname": "last"},
    ]
    (base / "pipeline.json").write_text(json.dumps({"ModelName": "two", "Containers": containers}))
    return base


def test_a_row_is_served_as_one_and_ends_when_it_is_told_to(folder: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "pipeline.json", "--port", str(port)],
        cwd=folder,
        env=os.environ | QUICK,
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Serving container-1 (") and f"http://localhost:{port}/invocations" in line
        url = f"http://127.0.0.1:{port}"
        headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
        good = requests.post(f"{url}/invocations", ROWS, headers=headers, timeout=30)
        bad = requests.post(f"{url}/invocations", "1,2\n", headers=headers, timeout=30)
        ping = requests.get(f"{url}/ping", timeout=30)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)

    assert (good.status_code, good.text) == (200, "109.5,2\n118.5,2\n")
    assert bad.status_code == 400 and bad.json()["message"].startswith("container-1: Unable to evaluate payload")
    assert ping.status_code == 200 and code == 0


def test_a_row_is_what_transform_asks(folder: Path) -> None:
    done = run(folder, "pipeline.json", "rows.csv", "--output", "out", "--join")

    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "rows.csv.out").read_text() == "1,2,3,109.5,2\n4,5,6,118.5,2\n"
    assert (folder / "out" / ".transform" / "pipeline-1" / "last.log").exists()


def test_the_compose_file_has_all_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALGORITHM_PATH", QUICK["ALGORITHM_PATH"])

    assert main(["pipeline", "mine/one:1=first", "other=second", "--compose", "row.yaml", "--port", "9000"]) == 0

    services = yaml.safe_load((folder / "row.yaml").read_text())["services"]
    assert services["container-1"] == {
        "image": "mine/one:1",
        "command": ["serve"],
        "environment": {"SAGEMAKER_BIND_TO_PORT": "8081"},
        "volumes": [
            {"type": "bind", "source": str(folder / "first/model"), "target": "/opt/ml/model", "read_only": True}
        ],
    }
    assert services["front"]["ports"] == ["9000:8080"] and services["front"]["depends_on"] == [
        "container-1",
        "container-2",
    ]
    assert services["front"]["command"][-2:] == ["--stage", "container-2=container-2:8082"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["first"], "The pipeline: Containers: a pipeline has 2 to 15 containers; here are 1."),
        (["first"] * 16, "The pipeline: Containers: a pipeline has 2 to 15 containers; here are 16."),
        (["first", "nowhere"], "nowhere: must be the folder of a job, with model/ in it"),
        (["first", "second", "--compose", "x"], "container-1: a compose file needs an image for each container"),
        (["no-such-image=first", "second"], "no-such-image: there is no such image on this machine."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    folder: Path, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALGORITHM_PATH", QUICK["ALGORITHM_PATH"])

    assert main(["pipeline", *words]) == 2

    said = capsys.readouterr()
    assert sentence in said.err and len(said.err.splitlines()) == 1 and not said.out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"Containers": [{}, {"Image": "a"}]},
            "Containers.1: needs an Image, or a ModelDataUrl, the folder of a model.",
        ),
        ({"Containers": [{"Image": "a", "Mode": "MultiModel"}, {"Image": "b"}]}, "Containers.1.Mode: input should be"),
        ({"InferenceExecutionConfig": {"Mode": "Direct"}}, "Containers.1.ContainerHostname: is required where"),
        ({"Containers": [{"Image": "a", "ContainerHostname": "x"}] * 2}, "ContainerHostname: x is given twice."),
        (
            {"Containers": [{"Image": "a", "ContainerHostname": "x_"}, {"Image": "b"}]},
            "Containers.1.ContainerHostname: ",
        ),
        ({"Container": {}}, "Container: is no field of a pipeline."),
    ],
)
def test_what_a_file_cannot_say_is_one_sentence(
    change: dict[str, object], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps({"Containers": [{"Image": "a"}, {"Image": "b", "ContainerHostname": "last"}], **change}))

    assert main(["pipeline", str(path)]) == 2

    assert capsys.readouterr().err.startswith(f"{path}: {sentence}")


def test_a_row_that_cannot_start_leaves_nothing_running(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken" / "model").mkdir(parents=True)
    (tmp_path / "broken" / "model" / "model.json").write_text('{"algorithm": "sums"}')
    begin = time.monotonic()
    done = subprocess.run(
        [*COMMAND, str(folder / "first"), str(tmp_path / "broken")],
        env=os.environ | QUICK, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 2 and "the server does not start" in done.stderr and len(done.stderr.splitlines()) == 1
    assert time.monotonic() - begin < 100


def test_a_port_that_is_taken_is_told_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALGORITHM_PATH", QUICK["ALGORITHM_PATH"])
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert main(["pipeline", str(folder / "first"), str(folder / "second"), "--port", str(port)]) == 2

    assert capsys.readouterr().err == f"--port {port}: cannot be listened on: Address already in use. Choose another.\n"
