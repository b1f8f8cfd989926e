"""`algoport deploy` as its user meets it: in a process of its own, with servers that it starts, and that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from algoport.containers.cli import main
from tests.containers.deployment.deployed import QUICK, Deployed, deployed, load
from tests.serving.servers import free_port, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "first" / "model", offset=0.5)
    put(tmp_path / "second" / "model", offset=100)
    return tmp_path


def test_variants_are_served_from_several_instances_and_all_of_it_ends(folder: Path) -> None:
    with deployed(folder, "a=first:3", "b=second", "--instances", "2") as made:
        answers = [made.ask() for _ in range(8)]
        named = made.ask(**{"X-Amzn-SageMaker-Target-Variant": "b"})
        wrong = made.ask("1,2\n")
        count = len(made.servers())
        again = subprocess.run(
            [sys.executable, "-m", "algoport.containers.cli", "deploy", "first", "--port", str(made.port + 1)],
            cwd=folder,
            env=os.environ | QUICK | {"ALGOPORT_HOME": str(folder / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    shares = Counter((answer.headers["x-amzn-invoked-production-variant"], answer.text) for answer in answers)
    assert shares == {("a", "6.5,3\n"): 6, ("b", "106.0,3\n"): 2}
    assert (named.status_code, named.text, wrong.status_code, count) == (200, "106.0,3\n", 400, 4)
    assert (again.returncode, again.stderr.startswith("endpoint: an endpoint of that name runs already")) == (2, True)
    assert made.lines[0] == "Starting 4 instances." and made.lines[1].startswith("Serving a (")
    assert made.lines[-1].startswith("Answered 10 requests in ") and "9 with 200, 1 with 400; logs in" in made.lines[-1]


def test_instances_are_killed_under_load_and_every_request_is_answered(folder: Path) -> None:
    with deployed(folder, "first", "--instances", "2") as made:
        codes, kills = load(made, seconds=8, kills=2)

    assert kills >= 2 and codes[200] > 20, codes
    assert sum("is replaced" in line or "did not start" in line for line in made.lines) >= 1


def base_of(process: int) -> str:
    """The folder that was made for a server."""
    variables = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    return next(one for one in variables if one.startswith("SAGEMAKER_BASE_DIR=")).partition("=")[2]


def test_no_server_outlives_a_front_that_is_killed(folder: Path) -> None:
    with deployed(folder, "first", "--instances", "2") as made:
        before = made.servers()
        folders = [base_of(process) for process in before]
        made.process.kill()
        made.process.wait()
        end = time.monotonic() + 30
        while made.servers() and time.monotonic() < end:
            time.sleep(0.1)

    assert len(before) == 2 and not made.servers()
    while any(map(os.path.exists, folders)) and time.monotonic() < end:
        time.sleep(0.1)
    assert len(folders) == 2 and not any(map(os.path.exists, folders))


def test_who_asks_twice_to_end_it_need_not_wait(folder: Path) -> None:
    """For a request of a minute, which the first time is waited for."""
    with deployed(folder, "first", "--instances", "2") as made, ThreadPoolExecutor() as pool:
        asked = pool.submit(made.sleepy, 60)
        time.sleep(1)
        made.process.send_signal(signal.SIGINT)
        made.until("Ctrl-C again")
        with pytest.raises(subprocess.TimeoutExpired):
            made.process.wait(1)
        made.process.send_signal(signal.SIGINT)
        begin = time.monotonic()

        assert made.process.wait(50) == 0
        assert time.monotonic() - begin < 25
        assert asked.exception() is not None or asked.result().status_code >= 500


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere: must be the folder of a job, with model/ in it"),
        (["first", "b=second"], "first: must be NAME=MODEL[:WEIGHT], as an endpoint of several variants"),
        (["a=first", "a=second"], "a: is given twice; each variant has a name of its own."),
        (["a=first:-1", "b=second"], "a: its weight must be a number of at least 0; it is -1."),
        (["a=first:0", "b=second:0"], "One variant must have a weight above 0, or no request would be answered."),
        (["a_b=first"], "'a_b': the name of a variant must have 1 to 63 letters and digits"),
        (["first", "--instances", "3..2"], "--instances: must be 1 to 64, or two such numbers, the smaller first"),
        (["first", "--instances", "many"], "--instances: must be a number such as 2, or two such as 1..4"),
        (["first", "--instances", "²"], "--instances: must be a number such as 2, or two such as 1..4; it is '²'."),
        (["first", "--instances", "9" * 5000], "--instances: must be a number such as 2, or two such as 1..4"),
        (["first", "--timeout", "inf"], "--timeout: must be a number; it is inf."),
        (["first", "--hold", "nan"], "Invalid value for '--hold': Input should be greater than or equal to 0."),
        (["first", "--capture", "first/model/model.json/here"], "--capture: "),
        (["first", "--endpoint", "a/b"], "--endpoint: must have 1 to 63 letters and digits"),
        (["a=no-such-image=first"], "no-such-image: there is no such image on this machine."),
        (["first", "--env", "A"], "--env: must be NAME=VALUE; it is 'A'."),
        ([], "Say which model: its folder, or NAME=MODEL[:WEIGHT] for each variant."),
        (["first", "--bake", "1"], "--canary and --bake are for --update, by which a running endpoint changes."),
        (
            ["first", "--update", "--port", "81", "--hold", "2"],
            "--port and --hold: cannot change while an endpoint runs",
        ),
        (["first", "--update", "--canary", "x"], "--canary: must be percents such as 10 or 10,50; it is 'x'."),
        (["first", "--update", "--canary", "50,10"], "--canary: must be percents that rise, above 0 and below 100"),
        (["first", "--update"], "endpoint: no endpoint of that name runs; `algoport deploy MODEL --endpoint endpoint`"),
        (["--status", "--endpoint", "other"], "other: no endpoint of that name runs"),
        (["first", "--capture", "captured", "--capture-mode", "all"], "--capture-mode: must be one of Input, Output,"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    folder: Path, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALGORITHM_PATH", QUICK["ALGORITHM_PATH"])
    monkeypatch.setenv("ALGOPORT_HOME", str(folder / "home"))

    port = [] if "--update" in words else ["--port", str(free_port())]
    assert main(["deploy", *words, *port]) == 2

    said = capsys.readouterr()
    assert sentence in said.err and len(said.err.splitlines()) == 1 and not said.out


def test_a_model_that_cannot_start_ends_the_command_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "broken" / "model", broken=True)
    monkeypatch.chdir(folder)
    for name, value in (QUICK | {"ALGOPORT_HOME": str(folder / "home")}).items():
        monkeypatch.setenv(name, value)

    assert main(["deploy", "a=first", "b=broken", "--port", str(free_port())]) == 2

    said = capsys.readouterr()
    assert "Unable to load model" in said.err and len(said.err.splitlines()) == 1
    assert not Deployed(subprocess.Popen(["true"]), 0, folder / "log").servers()
