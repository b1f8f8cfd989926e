"""Programs of one's own: `algoport run`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import job, options
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
from algoport.containers.jobs.description import Definition, Description, Limits
from algoport.containers.jobs.script import Script

IMAGE = "algoport/script:cpu"

Environment = Annotated[list[str] | None, typer.Option("--env", help="A variable of the script's: NAME=VALUE.")]
Image = Annotated[str | None, typer.Option(help=f"Which image, with --docker; {IMAGE}.")]
Python = Annotated[str | None, typer.Option(help="Which Python runs it here; that of the active environment.")]
Docker = Annotated[bool, typer.Option("--docker", help="Run it in a container.")]
Network = Annotated[bool, typer.Option("--network", help="With --docker: let it reach the network.")]
Source = Annotated[Path | None, typer.Option(help="The folder or archive of its code; the folder it lies in.")]


def run(
    script: Annotated[str, typer.Argument(help="The program: a .py or .sh file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="The folder of the job: input, model, output.", show_default=False)],
    source: Source = None,
    train: Train = None,
    validation: Validation = None,
    test: Test = None,
    model: Model = None,
    channel: Channels = None,
    hp: Settings = None,
    env: Environment = None,
    metric: Annotated[list[str] | None, typer.Option(help="A metric in its log: 'NAME=REGEX' with a group.")] = None,
    hosts: Annotated[int, typer.Option(help="How many hosts share the work.", min=1)] = 1,
    torchrun: Annotated[bool, typer.Option("--torchrun", help="Start it by torchrun, on all hosts.")] = False,
    processes: Annotated[int | None, typer.Option(help="Processes a host, by torchrun.", min=1)] = None,
    python: Python = None,
    docker: Docker = False,
    image: Image = None,
    network: Network = False,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Keep a folder for checkpoints.")] = False,
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
    """Run a script as a training job.

    It finds its data, folders and hyperparameters as in SageMaker's script mode: hyperparameters as arguments, all else
    in variables SM_…; requirements.txt beside it is installed. Ends with the script's own exit code. Ctrl-C is SIGTERM
    to the script. With --detach the job waits for its share of the machine and runs in the background; --name,
    --retries, --spot, --wait and --instance are for such jobs.
    """
    check_docker(docker, image, network)
    given = options.size("--memory", memory)
    named = [("train", train), ("validation", validation), ("test", test), ("model", model)]
    description = Description(
        folder=output,
        script=described(script, source, python, torchrun=torchrun or processes is not None, processes=processes),
        image=(image or IMAGE) if docker else None,
        hyperparameters=options.hyperparameters(hp or []),
        channels=options.channels(named, channel or []),
        environment=options.pairs("--env", env or []),
        metrics=tuple(
            Definition(name=name, regex=regex) for name, regex in options.pairs("--metric", metric or []).items()
        ),
        hosts=hosts,
        network=network,
        limits=Limits(runtime=runtime, memory=given and given // hosts, cpus=cores and cores / hosts),
        checkpoints=output / "checkpoints" if checkpoints or spot else None,
    )
    scheduling = job.Scheduling(
        name=job_name, retries=retries, spot=spot, cores=cores, memory=given, wait=wait, instance=instance
    )
    if detach:
        scheduling.detach(description)
        return 0
    scheduling.check_attached()
    code = job.follow(description)
    if code == 0:
        _say_what_there_is(output)
    return code


def check_docker(docker: bool, image: str | None, network: bool) -> None:
    """`UserError` where options for containers stand without --docker."""
    for option, value in {"--image": image, "--network": network}.items():
        if value and not docker:
            raise UserError(f"{option}: is for jobs in containers; say --docker, too.")


def described(
    script: str,
    source: Path | None,
    python: str | None = None,
    *,
    torchrun: bool = False,
    processes: int | None = None,
) -> Script:
    """The script as a job has it. Without a source its code is the folder that it lies in; without a Python it is that
    of the activated environment, or else the one that runs this."""
    if source is None:
        path = Path(script)
        if not path.is_file():
            raise UserError(
                f"{script}: is no file; name the program to run, with --source where its code lies elsewhere."
            )
        source, script = path.absolute().parent, path.name
    active = any(os.environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    asked = python or ("python" if active else sys.executable)
    python = shutil.which(asked)
    if python is None:
        raise UserError(f"--python: must be a program that can be started; {asked} is none.")
    return Script(entry=script, source=source.absolute(), torchrun=torchrun, processes=processes, python=python)


def _say_what_there_is(folder: Path) -> None:
    for name in ("model", "output/data"):
        files = [path for path in sorted((folder / name).rglob("*")) if path.is_file()]
        if files:
            sizes = ", ".join(
                f"{path.relative_to(folder / name)} ({path.stat().st_size:,} bytes)" for path in files[:8]
            )
            print(f"{folder / name}: {sizes}{', …' if len(files) > 8 else ''}")
    print(f"The job is in {folder}, its log in {folder / 'run'}.")
