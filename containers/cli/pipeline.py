"""Containers in a row: `algoport pipeline`."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import PlatformError, UserError

Stages = Annotated[
    list[str],
    typer.Argument(
        help="In their order: the folder of a job or model, or IMAGE=FOLDER; or one file with a CreateModel request.",
        show_default=False,
    ),
]
Port = Annotated[int, typer.Option(help="Where it listens.", min=1, max=65535)]
Compose = Annotated[Path | None, typer.Option(help="Write this file for `docker compose`, and start nothing.")]
FrontImage = Annotated[str, typer.Option(help="Of --compose: an image in which algoport is installed.")]
Timeout = Annotated[float, typer.Option(help="Seconds that one container may take.", min=0.1)]
LOOK = 0.2  # seconds between two looks whether all of it still runs


def pipeline(
    stages: Stages,
    port: Port = 8080,
    compose: Compose = None,
    front_image: FrontImage = "algoport/base:cpu",
    timeout: Timeout = 60.0,
) -> int:
    """Serve two to fifteen models in a row, as one.

    Each gets the answer of the one before, with its content type.
    """
    from algoport.containers.cli.targets import pipeline_of
    from algoport.containers.pipelines.compose import compose as file_of
    from algoport.containers.pipelines.started import Started

    row = pipeline_of(stages)
    if compose is not None:
        text = file_of(row, front=front_image, port=port)
        beside = compose.with_name(f".{compose.name}.part")
        try:
            beside.write_text(text)
            os.replace(beside, compose)
        except OSError as error:
            raise UserError(f"{compose}: cannot be written: {error.strerror}.") from None
        print(f"{compose}: {len(row.stages)} containers and the front. Start it: docker compose -f {compose} up")
        return 0
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with tempfile.TemporaryDirectory(prefix="algoport-pipeline-") as logs:
            started = Started(row, Path(logs), port=port, timeout=timeout)
            try:
                names = ", ".join(f"{stage.name} ({stage.served.name})" for stage in row.stages)
                print(f"Serving {names} at http://localhost:{port}/invocations; Ctrl-C ends it.", flush=True)
                while not asked:
                    fault = started.fault()
                    if fault is not None:
                        raise PlatformError(fault)
                    time.sleep(LOOK)
            finally:
                started.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
