"""Running jobs: `algoport train` and `algoport validate`."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import options
from algoport.containers.cli.look import Name, checked_name
from algoport.containers.cli.options import Channels, Model, Settings, Test, Train
from algoport.containers.cli.progress import Screen
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs import running
from algoport.containers.jobs.description import Description


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

    name = checked_name(name)
    channels = options.channels([("train", train), ("test", test), ("model", model)], channel or [])
    with tempfile.TemporaryDirectory(prefix="algoport-") as temporary:
        description = Description(
            folder=Path(temporary) / "ml",
            algorithm=name,
            hyperparameters=options.hyperparameters(hp or []),
            channels=channels,
        )
        description.check()
        folders.lay_out(description)
        report = findings(name, description.folder, seconds, settings_only=not channels)
    if report.faults:
        raise UserError(report.faults)
    print("\n".join(report.notes))


def train(
    name: Name,
    output: Annotated[Path, typer.Option(help="The folder of the job: input, model, output.", show_default=False)],
    train: Train = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    hosts: Annotated[int, typer.Option(help="How many hosts share the work.", min=1)] = 1,
    docker: Annotated[bool, typer.Option("--docker", help="Run the image instead of the program here.")] = False,
    image: Annotated[str | None, typer.Option(help="Which image; algoport/NAME:cpu.")] = None,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Write checkpoints, and resume.")] = False,
) -> int:
    """Train a model. Ends with the job's exit code; Ctrl-C ends the job with the model it has."""
    name = checked_name(name)
    if image and not docker:
        raise UserError("--image: is for jobs in containers; say --docker, too.")
    job = running.start(
        Description(
            folder=output,
            algorithm=name,
            image=(image or f"algoport/{name}:cpu") if docker else None,
            hyperparameters=options.hyperparameters(hp or []),
            channels=options.channels([("train", train), ("test", test), ("model", model)], channel or []),
            hosts=hosts,
            checkpoints=output / "checkpoints" if checkpoints else None,
        )
    )
    with _stops_passed_on(job), Screen() as screen:
        job.wait(show=screen.show)
    code = job.exit_code or 0
    if code == 0:
        _say_what_there_is(output)
    return code


@contextmanager
def _stops_passed_on(job: running.Running) -> Iterator[None]:
    """While entered, Ctrl-C and SIGTERM ask the job to stop; it ends when it has written what it has."""

    def stop(number: int, frame: FrameType | None) -> None:
        job.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_what_there_is(folder: Path) -> None:
    files = sorted(path for path in (folder / "model").iterdir() if path.name[0] != ".")
    if not files:
        print("The job ended before there was a model.")
        return
    sizes = ", ".join(f"{path.name} ({path.stat().st_size:,} bytes)" for path in files)
    print(f"Model in {folder / 'model'}: {sizes}")
    typed = Path(sys.argv[0])
    shown = str(typed) if typed.name == "algoport" and not shutil.which("algoport") else "algoport"
    print(f"Ask it: {shown} predict {folder} FILE, or {shown} serve {folder}")
