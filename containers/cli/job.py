"""Running jobs: `algoport train` and `algoport validate`."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import control, options
from algoport.containers.cli.look import Name, checked_name
from algoport.containers.cli.options import (
    Channels,
    Cores,
    Instance,
    Memory,
    Model,
    Retries,
    Runtime,
    Settings,
    Spot,
    Test,
    Train,
    Validation,
)
from algoport.containers.cli.progress import Screen
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs import running
from algoport.containers.jobs.description import Description, Limits


def validate(
    name: Name,
    train: Train = None,
    validation: Validation = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    seconds: Annotated[float, typer.Option(help="How long to read the data for, at most.")] = 10.0,
) -> None:
    """Check settings and data in seconds, without training."""
    from algoport.containers.jobs.validate import findings

    name = checked_name(name)
    named = [("train", train), ("validation", validation), ("test", test), ("model", model)]
    channels = options.channels(named, channel or [])
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
    validation: Validation = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    hosts: Annotated[int, typer.Option(help="How many hosts share the work.", min=1)] = 1,
    docker: Annotated[bool, typer.Option("--docker", help="Run the image instead of the program here.")] = False,
    image: Annotated[str | None, typer.Option(help="Which image; algoport/NAME:cpu.")] = None,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Write checkpoints, and resume.")] = False,
    runtime: Runtime = None,
    memory: Memory = None,
    cores: Cores = None,
    detach: Annotated[bool, typer.Option("--detach", help="In the background: see `algoport jobs`.")] = False,
    job_name: Annotated[str | None, typer.Option("--name", help="What a detached job is called.")] = None,
    retries: Retries = 0,
    spot: Spot = False,
    wait: Annotated[float | None, typer.Option(help="Seconds until a spot job is stopped, run or not.")] = None,
    instance: Instance = None,
) -> int:
    """Train a model. Ends with the job's exit code; Ctrl-C ends the job with the model it has.

    With --detach the job waits for its share of the machine and runs in the background; --name, --retries, --spot,
    --wait and --instance are for such jobs.
    """
    name = checked_name(name)
    if image and not docker:
        raise UserError("--image: is for jobs in containers; say --docker, too.")
    given = options.size("--memory", memory)
    named = [("train", train), ("validation", validation), ("test", test), ("model", model)]
    description = Description(
        folder=output,
        algorithm=name,
        image=(image or f"algoport/{name}:cpu") if docker else None,
        hyperparameters=options.hyperparameters(hp or []),
        channels=options.channels(named, channel or []),
        hosts=hosts,
        limits=Limits(runtime=runtime, memory=given and given // hosts, cpus=cores and cores / hosts),
        checkpoints=output / "checkpoints" if checkpoints or spot else None,
    )
    scheduling = Scheduling(
        name=job_name, retries=retries, spot=spot, cores=cores, memory=given, wait=wait, instance=instance
    )
    if detach:
        scheduling.detach(description)
        return 0
    scheduling.check_attached()
    code = follow(description)
    if code == 0:
        _say_what_there_is(output)
    return code


@dataclass(frozen=True, kw_only=True)
class Scheduling:
    """How a job in the background is scheduled, as the options of a command say it."""

    name: str | None
    retries: int
    spot: bool
    cores: float | None
    memory: int | None
    wait: float | None
    instance: str | None

    def detach(self, description: Description) -> None:
        """Give the job to the control process."""
        options.check(description)
        control.detach(
            _absolute(description, self.name),
            retries=self.retries,
            spot=self.spot,
            cores=self.cores,
            memory=self.memory,
            wait=self.wait,
            instance=self.instance,
        )

    def check_attached(self) -> None:
        """`UserError` where an option stands that only jobs in the background have."""
        only = {"name": self.name, "retries": self.retries, "spot": self.spot, "wait": self.wait}
        for option, value in {**only, "instance": self.instance}.items():
            if value:
                raise UserError(f"--{option}: is for jobs in the background; say --detach, too.")


def follow(description: Description) -> int:
    """Run a job to its end, and show its log meanwhile; its exit code. Ctrl-C asks it to end."""
    options.check(description)
    job = running.start(description)
    with _stops_passed_on(job), Screen() as screen:
        job.wait(show=screen.show)
    return job.exit_code or 0


def _absolute(description: Description, name: str | None) -> Description:
    """The job as another process has to see it, whose current folder is another one."""
    channels = tuple(replace(channel, path=channel.path.absolute()) for channel in description.channels)
    checkpoints = description.checkpoints
    return replace(
        description,
        folder=description.folder.absolute(),
        channels=channels,
        checkpoints=checkpoints.absolute() if checkpoints is not None else None,
        name=name or description.name,
    )


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
