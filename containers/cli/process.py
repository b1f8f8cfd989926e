"""Programs that prepare or judge data: `algoport process`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import job, options
from algoport.containers.cli.options import Cores, Memory, Runtime
from algoport.containers.cli.script import (
    IMAGE,
    Docker,
    Environment,
    Image,
    Network,
    Python,
    Source,
    check_docker,
    described,
)
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description, Limits
from algoport.containers.jobs.processing import Processing, message


def process(
    script: Annotated[str, typer.Argument(help="The program: a .py or .sh file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="The folder of the job.", show_default=False)],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the program is given, after --.")] = None,
    source: Source = None,
    input: Annotated[list[str] | None, typer.Option("--input", help="What it reads: NAME=PATH.")] = None,
    shared: Annotated[list[str] | None, typer.Option("--shared", help="The same, shared out to hosts.")] = None,
    result: Annotated[list[str] | None, typer.Option("--result", help="What it makes: the NAME of a folder.")] = None,
    env: Environment = None,
    hosts: Annotated[int, typer.Option(help="How many hosts share the work.", min=1)] = 1,
    python: Python = None,
    docker: Docker = False,
    image: Image = None,
    network: Network = False,
    runtime: Runtime = None,
    memory: Memory = None,
    cores: Cores = None,
) -> int:
    """Run a script as a processing job.

    It reads /opt/ml/processing/input/NAME and writes /opt/ml/processing/output/NAME, whose place in the job's folder is
    put into its arguments where it runs on this machine. Ends with the script's own exit code.
    """
    check_docker(docker, image, network)
    given = options.size("--memory", memory)
    whole = [_input("--input", text, False) for text in input or []]
    parts = [_input("--shared", text, True) for text in shared or []]
    description = Description(
        folder=output,
        script=described(script, source, python),
        processing=Processing(inputs=(*whole, *parts), results=tuple(result or []), arguments=tuple(arguments or [])),
        image=(image or IMAGE) if docker else None,
        environment=options.pairs("--env", env or []),
        hosts=hosts,
        network=network,
        limits=Limits(runtime=runtime, memory=given and given // hosts, cpus=cores and cores / hosts),
    )
    code = job.follow(description)
    for host in description.host_names:
        said = message(description.base(host))
        if said:
            print(said)
    if code == 0:
        others = f", and of other hosts in {output / 'hosts'}" if hosts > 1 else ""
        print(f"Results in {output / 'processing' / 'output'}{others}.")
    return code


def _input(option: str, text: str, shared: bool) -> Channel:
    name, equals, place = text.partition("=")
    if not equals or not name or not place.strip():
        raise UserError(f"{option}: must be NAME=PATH; it is {text!r}.")
    sharing = {"distribution": "ShardedByS3Key"} if shared else {}
    return Channel(name=name, path=Path(place).expanduser(), **sharing)  # type: ignore[arg-type]
