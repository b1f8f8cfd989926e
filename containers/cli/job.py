"""Running jobs: `algoport train` and `algoport validate`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli.look import Name, known
from algoport.containers.cli.progress import Screen
from algoport.containers.jobs import folder as folders

Train = Annotated[str | None, typer.Option(help="The rows to learn from: PATH or 'PATH;content type'.")]
Test = Annotated[str | None, typer.Option(help="The rows to score the model with.")]
Model = Annotated[str | None, typer.Option(help="A model to go on from: its folder or archive.")]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Another channel: 'NAME=PATH;content type'.")]
Settings = Annotated[list[str] | None, typer.Option("--hp", help="A hyperparameter: NAME=VALUE. Repeat it.")]


def validate(
    name: Name,
    train: Train = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    seconds: Annotated[float, typer.Option(help="How long to read the data for, at most.")] = 10.0,
) -> None:
    """Check settings and data in seconds, without training."""
    from algoport.containers.jobs.validate import findings

    name = known(name)
    channels = folders.inputs([("train", train), ("test", test), ("model", model)], channel or [])
    with tempfile.TemporaryDirectory(prefix="algoport-") as temporary:
        folder = Path(temporary) / "ml"
        folders.lay_out(folder, name, folders.hyperparameters(hp or []), channels)
        found = findings(name, folder, seconds, settings_only=not channels)
    if found.faults:
        raise UserError(found.faults)
    print("\n".join(found.notes))


def train(
    name: Name,
    output: Annotated[Path, typer.Option(help="The folder of the job: input, model, output.", show_default=False)],
    train: Train = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    hosts: Annotated[int, typer.Option(help="How many members share the work.", min=1)] = 1,
    docker: Annotated[bool, typer.Option("--docker", help="Run the image instead of the program here.")] = False,
    image: Annotated[str | None, typer.Option(help="Which image; algoport/NAME:cpu.")] = None,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Keep the state, and go on from it.")] = False,
) -> int:
    """Train a model. Ends with the job's exit code; Ctrl-C ends the job with the model it has."""
    name = known(name)
    if image and not docker:
        raise UserError("--image: is for jobs in containers; say --docker, too.")
    channels = folders.inputs([("train", train), ("test", test), ("model", model)], channel or [])
    folders.lay_out(output, name, folders.hyperparameters(hp or []), channels, linked=not docker)
    if checkpoints:
        (output / "checkpoints").mkdir(exist_ok=True)
    if docker:
        from algoport.containers.jobs.docker import run_hosts

        code = run_hosts(output.resolve(), image or f"algoport/{name}:cpu", channels, hosts)
    else:
        code = _run_here(name, output.resolve(), hosts)
    if code == 0:
        _tell_what_there_is(output)
    return code


def _run_here(name: str, folder: Path, hosts: int) -> int:
    environment = os.environ | {
        "ALGORITHM": name,
        "SAGEMAKER_BASE_DIR": str(folder),
        "ALGOPORT_LOCAL_MEMBERS": str(hosts),
        "PYTHONUNBUFFERED": "1",
    }
    with tempfile.TemporaryDirectory(prefix="algoport-") as meeting:
        # Members meet in a file: no port that another job on this machine might have.
        environment["ALGOPORT_RENDEZVOUS"] = f"file://{meeting}/members"
        return _job(environment)


def _job(environment: dict[str, str]) -> int:
    # -P: the current folder is the user's, and may hold another `algoport`.
    command = [sys.executable, "-P", "-m", "algoport.training"]
    # In a session of its own: Ctrl-C comes here, and is passed on once, as the request to stop that it is.
    job = subprocess.Popen(  # noqa: S603  (a list, no shell)
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return followed(job, [job])


def followed(shown: subprocess.Popen[str], jobs: Sequence[subprocess.Popen[str]]) -> int:
    """Show the log of one job until all have ended; the first code that is not 0, or 0."""
    with stops_passed_on(jobs), Screen() as screen:
        assert shown.stdout is not None
        for line in shown.stdout:
            screen.show(line.rstrip("\n"))
        codes = [job.wait() for job in jobs]
    return next((code if code > 0 else 128 - code for code in codes if code), 0)


@contextmanager
def stops_passed_on(jobs: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    """While entered, Ctrl-C and SIGTERM ask the jobs to stop; they end when they have written what they have."""

    def stop(number: int, frame: FrameType | None) -> None:
        for job in jobs:
            if job.poll() is None:
                job.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_what_there_is(folder: Path) -> None:
    files = sorted(path for path in (folder / "model").iterdir() if path.name[0] != ".")
    if not files:
        print("The job ended before there was a model.")
        return
    sizes = ", ".join(f"{path.name} ({path.stat().st_size:,} bytes)" for path in files)
    print(f"Model in {folder / 'model'}: {sizes}")
    typed = Path(sys.argv[0])
    shown = str(typed) if typed.name == "algoport" and not shutil.which("algoport") else "algoport"
    print(f"Ask it: {shown} predict {folder} FILE, or {shown} serve {folder}")
