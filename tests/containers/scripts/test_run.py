"""`algoport run`: scripts as jobs on this machine, on one host and on several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers.scripts.conftest import Said

Algoport = Callable[..., Said]

TOGETHER = """
import argparse, os, sys
import torch
from torch import distributed
parser = argparse.ArgumentParser()
parser.add_argument("--leave", type=int, default=-1)
leave = parser.parse_args().leave
distributed.init_process_group("gloo")
rank = distributed.get_rank()
number = torch.tensor([float(rank)])
distributed.all_reduce(number)
host = os.environ["SM_CURRENT_HOST"]
print(f"rank {rank} of {distributed.get_world_size()} on {host}: {number.item():g}", flush=True)
if rank == leave:
    sys.exit("left early")
if leave >= 0:
    distributed.barrier()
distributed.destroy_process_group()
"""


def test_a_script_is_a_job_with_a_model_a_log_and_metrics(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
    (tmp_path / "train.py").write_text(
        "import argparse, os\nfrom pathlib import Path\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--rate', type=float)\n"
        "rate = parser.parse_args().rate\n"
        "rows = Path(os.environ['SM_CHANNEL_TRAIN'], 'rows.csv').read_text()\n"
        "print(f'loss={rate * len(rows)};', os.environ['MINE'])\n"
        "Path(os.environ['SM_MODEL_DIR'], 'model.txt').write_text(rows)\n"
    )

    words = ("--train", "rows.csv", "--hp", "rate=0.5", "--env", "MINE=yes", "--metric", "loss=loss=([0-9.]+);")
    done = algoport("run", "train.py", *words, "--output", "job")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "loss=4.0; yes" in done.stdout.splitlines()
    assert "job/model: model.txt (8 bytes)" in done.stdout
    assert (tmp_path / "job/model/model.txt").read_text() == "1,2\n3,4\n"
    assert json.loads((tmp_path / "job/run/end.json").read_text())["state"] == "Completed"


def test_a_job_in_the_background_keeps_the_scripts_failure(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("raise SystemExit('no luck')\n")
    home = {"ALGOPORT_HOME": str(tmp_path / "home")}

    done = algoport("run", "train.py", "--output", "job", "--detach", "--name", "unlucky", "--cores", "1", **home)
    assert done.returncode == 0, done.stdout + done.stderr
    algoport("logs", "unlucky", "--follow", **home)
    report = json.loads(algoport("jobs", "unlucky", "--json", **home).stdout)

    assert report["TrainingJobStatus" if "TrainingJobStatus" in report else "state"] == "Failed"
    assert "no luck" in (tmp_path / "job/output/failure").read_text()


def test_torchrun_joins_the_processes_of_all_hosts(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(TOGETHER)

    done = algoport("run", "together.py", "--output", "job", "--hosts", "2", "--torchrun")

    assert done.returncode == 0, done.stdout + done.stderr
    logs = [(tmp_path / f"job/run/algo-{number}.log").read_text().splitlines() for number in (1, 2)]
    assert "rank 0 of 2 on algo-1: 1" in logs[0] and "rank 1 of 2 on algo-2: 1" in logs[1]


def test_the_exit_code_of_a_process_of_torchrun_is_the_jobs(algoport: Algoport, tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(
        TOGETHER.replace('sys.exit("left early")', "print('left early', file=sys.stderr) or os._exit(7)")
    )

    done = algoport("run", "together.py", "--output", "job", "--torchrun", "--hp", "leave=0")

    assert done.returncode == 7, done.stdout + done.stderr
    assert "ExitCode 7\n" in (failure := (tmp_path / "job/output/failure").read_text())
    assert "left early" in failure and "ChildFailedError" not in failure


FIRST = """
import os, signal, time
def late(*_):
    os.write(2, b"ValueError: came last\\n")  # at once, also where it comes in the middle of itself
    os._exit(9)
signal.signal(signal.SIGTERM, late)
rank, note = int(os.environ["RANK"]), os.environ["NOTE"]
if rank == 0:
    open(note + ".ready", "w").close()  # before that, who asks it to end would end it without a word
if rank == 1:
    while not os.path.exists(note + ".ready"):
        time.sleep(0.01)
    with open(note + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(note + ".new", note)
    raise ValueError("came first")
while not os.path.exists(note):
    time.sleep(0.01)
number = int(open(note).read())
while WAITS or os.path.exists(f"/proc/{number}"):
    time.sleep(0.01)
late()
"""


@pytest.mark.parametrize("waits", [True, False], ids=["ended by torchrun", "failing by itself"])
def test_of_several_processes_the_first_that_has_failed_is_the_failure(
    algoport: Algoport, tmp_path: Path, waits: bool
) -> None:
    (tmp_path / "first.py").write_text(FIRST.replace("WAITS", str(waits)))

    words = ("--processes", "2", "--env", f"NOTE={tmp_path / 'note'}", "--output", "job")
    done = algoport("run", "first.py", *words)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "ValueError: came last" in done.stdout
    failure = (tmp_path / "job/output/failure").read_text()
    assert failure.startswith("ExecuteUserScriptError:\nExitCode 1\n")
    assert "ValueError: came first" in failure and "came last" not in failure and failure.endswith('first.py"')


def test_a_shell_script_stays_as_closed_as_it_was(algoport: Algoport, tmp_path: Path) -> None:
    script = tmp_path / "code/go.sh"
    script.parent.mkdir()
    script.write_text("echo went\n")
    script.chmod(0o600)

    done = algoport("run", "code/go.sh", "--output", "job")

    assert done.returncode == 0 and "went" in done.stdout.splitlines()
    assert script.stat().st_mode & 0o777 == 0o711


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x.py"], "x.py: is no file; name the program to run, with --source where its code lies elsewhere."),
        (["x.py", "--source", "."], "The program: there is no x.py in "),
        (["../x.py", "--source", "."], "The program: must lie below the folder of the code; it is '../x.py'."),
        (["here.py", "--image", "mine"], "--image: is for jobs in containers; say --docker, too."),
        (["here.py", "--network"], "--network: is for jobs in containers; say --docker, too."),
        (["here.py", "--spot"], "--spot: is for jobs in the background; say --detach, too."),
        (["here.py", "--env", "MINE"], "--env: must be NAME=VALUE; it is 'MINE'."),
        (["here.py", "--metric", "a=b"], "Metric 'a': the regular expression must have a group for the value: 'b'."),
        (["here.py", "--python", "nothing"], "--python: must be a program that can be started; nothing is none."),
        (["here.py", "--train", "no.csv"], "Channel 'train': there is nothing at no.csv."),
        (["here.py", "--train", ";text/csv"], "Channel 'train': must be at a PATH; it is ';text/csv'."),
        (["here.py", "--channel", "rows="], "Channel 'rows': must be at a PATH; it is ''."),
        (["here.py", "--cores", "inf"], "--cores: must be a number; it is inf."),
        (["here.py", "--runtime", "nan"], "--runtime: must be a number; it is nan."),
        (["here.py", "--cores", "0"], "--cores: must be a number greater than 0; it is 0.0."),
        (["here.py", "--output", "here.py/job"], "here.py/job/"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    algoport: Algoport, tmp_path: Path, words: list[str], sentence: str
) -> None:
    (tmp_path / "here.py").write_text("print(1)\n")

    done = algoport("run", "--output", "job", *words)

    assert done.returncode == 2
    assert done.stderr.startswith(sentence) and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "job").exists()
