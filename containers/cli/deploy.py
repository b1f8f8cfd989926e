"""Endpoints of several instances and variants: `algoport deploy`."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from algoport.algorithms.contract.errors import UserError

if TYPE_CHECKING:
    from algoport.containers.deployment.capture import CaptureSettings
    from algoport.containers.deployment.description import Description
    from algoport.containers.deployment.endpoint import Endpoint, Settings
    from algoport.containers.deployment.fleet import Say
    from algoport.containers.deployment.update import Plan

Variants = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]MODEL[:WEIGHT]…",
        help="A variant: its name, the folder of a job or model, IMAGE=FOLDER, or the file of a pipeline; its weight.",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Option("--endpoint", help="What the endpoint is called.")]
Port = Annotated[int, typer.Option(help="Where it listens.", min=1, max=65535)]
Instances = Annotated[str, typer.Option(help="How many a variant has: 2, or 1..4 between which it follows the load.")]
InFlight = Annotated[float, typer.Option(help="Of 1..4: requests in flight that an instance is to have.", min=0.1)]
CoolDown = Annotated[float, typer.Option(help="Of 1..4: seconds of less load before there are fewer.", min=0)]
Timeout = Annotated[float, typer.Option(help="Seconds that an instance may take for an answer.", min=0.1)]
Hold = Annotated[float, typer.Option(help="Seconds that a request waits for an instance to start.", min=0)]
Variables = Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE for all instances. Repeat it.")]
CaptureFolder = Annotated[Path | None, typer.Option("--capture", help="Write requests and answers below this folder.")]
Percent = Annotated[float, typer.Option("--capture-percent", help="How many of them.", min=0, max=100)]
CaptureMode = Annotated[str, typer.Option("--capture-mode", help="Input, Output or InputAndOutput.")]
Csv = Annotated[list[str], typer.Option("--capture-csv", help="A content type to capture as text. Repeat it.")]
Json = Annotated[list[str], typer.Option("--capture-json", help="A content type to capture as JSON. Repeat it.")]
Update = Annotated[bool, typer.Option("--update", help="Change the endpoint of that name that runs, and start none.")]
Canary = Annotated[str | None, typer.Option(help="Of --update: percents of the requests before all: 10, or 10,50.")]
Bake = Annotated[float | None, typer.Option(help="Of --update: seconds that each step is watched for errors.", min=0)]
Errors = Annotated[float, typer.Option(help="Of --update: percent more failures that roll it back.", min=0, max=100)]
Status = Annotated[bool, typer.Option("--status", help="Say how the endpoint of that name does, and start none.")]
BAKE = 60.0  # seconds that a canary is watched where nobody says how long


# Options that a running endpoint keeps as it was started.
_OF_START = ("port", "in_flight", "cool_down", "timeout", "hold", "capture", "capture_percent", "capture_mode",
         "capture_csv", "capture_json")  # fmt: skip


def deploy(
    context: typer.Context,
    variants: Variants = None,
    endpoint: Name = "endpoint",
    port: Port = 8080,
    instances: Instances = "1",
    in_flight: InFlight = 4.0,
    cool_down: CoolDown = 60.0,
    timeout: Timeout = 60.0,
    hold: Hold = 30.0,
    env: Variables = None,
    capture: CaptureFolder = None,
    capture_percent: Percent = 100.0,
    capture_mode: CaptureMode = "InputAndOutput",
    capture_csv: Csv = ["text/csv"],  # noqa: B006  (as typer wants it)
    capture_json: Json = ["application/json"],  # noqa: B006
    update: Update = False,
    canary: Canary = None,
    bake: Bake = None,
    errors: Errors = 5.0,
    status: Status = False,
) -> int:
    """Serve models from several instances, behind one front.

    The least busy instance is asked; one that ends is replaced, and requests are shared out over variants.
    """
    from algoport.containers.cli.options import variables
    from algoport.containers.cli.targets import variants_of
    from algoport.containers.deployment.description import bounds
    from algoport.containers.deployment.endpoint import Settings

    if status:
        return _ask(endpoint, {"do": "status"})
    if (canary is not None or bake is not None) and not update:
        raise UserError("--canary and --bake are for --update, by which a running endpoint changes.")
    if not variants:
        raise UserError("Say which model: its folder, or NAME=MODEL[:WEIGHT] for each variant.")
    wanted = variants_of(variants, bounds(instances), variables(env))
    if update:
        given = [name for name in _OF_START if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
        if given:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UserError(f"{options}: cannot change while an endpoint runs; end it, and start it with them.")
        plan = _plan(canary, bake, errors)
        return _ask(endpoint, {"do": "update", "variants": wanted.as_json(), "plan": plan.as_json()})
    import uvloop

    kinds = {"csv": capture_csv, "json": capture_json}
    with _folder(endpoint) as folder:
        settings = Settings(
            name=endpoint,
            port=port,
            logs=folder / "logs",
            timeout=timeout,
            hold=hold,
            in_flight=in_flight,
            cool_down=cool_down,
            capture=None if capture is None else _captured(capture, capture_percent, capture_mode, kinds),
        )
        shutil.rmtree(settings.logs, ignore_errors=True)
        return uvloop.run(_serve(wanted, settings, folder))  # sooner than asyncio's loop: one write an answer


def _plan(canary: str | None, bake: float | None, errors: float) -> Plan:
    from algoport.containers.deployment.update import Plan

    try:
        shares = tuple(float(text) / 100 for text in canary.split(",")) if canary is not None else ()
    except ValueError:
        raise UserError(f"--canary: must be percents such as 10 or 10,50; it is {canary!r}.") from None
    if bake is None:
        bake = BAKE if shares else 0.0
    return Plan(shares=shares, bake=bake, errors=errors / 100)


def _captured(folder: Path, percent: float, mode: str, kinds: Mapping[str, list[str]]) -> CaptureSettings:
    from algoport.containers.deployment.capture import MODES, CaptureSettings

    chosen = next((known for known in MODES if known == mode), None)
    if chosen is None:
        raise UserError(f"--capture-mode: must be one of {', '.join(MODES)}; it is {mode!r}.")
    lower = {name: [kind.lower() for kind in given] for name, given in kinds.items()}
    return CaptureSettings(folder=folder.absolute(), percent=percent, mode=chosen, **lower)


def _ask(name: str, asked: Mapping[str, Any]) -> int:
    """Have the process that runs an endpoint do something, and show what it says."""
    from algoport.containers.control.home import Home
    from algoport.containers.deployment import channel
    from algoport.containers.deployment.description import check_name

    check_name("--endpoint", name)
    folder = Home.from_environment().endpoints / name
    print(asyncio.run(channel.ask(folder, name, asked, lambda line: print(line, flush=True))))
    return 0


async def _serve(wanted: Description, settings: Settings, folder: Path) -> int:
    """Run an endpoint until somebody ends it."""
    from algoport.containers.cli.screen import Screen
    from algoport.containers.deployment.channel import Listener
    from algoport.containers.deployment.endpoint import Endpoint

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    with Screen() as screen:
        endpoint = Endpoint(wanted, settings, screen.say)
        hurried: list[asyncio.Task[None]] = []

        def end() -> None:
            """The first time everything is answered; the second time nothing more."""
            if stop.is_set():
                hurried.append(asyncio.create_task(endpoint.hurry()))
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        screen.watch(endpoint)
        stopping = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(endpoint.be_ready())
        began = time.monotonic()
        try:
            count = sum(variant.lowest for variant in wanted.variants)
            screen.say(f"Starting {count} instance{'s' * (count != 1)}.")
            await asyncio.wait([stopping, starting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                async with Listener(folder, _act(endpoint)):
                    names = ", ".join(f"{variant.name} ({variant.place})" for variant in wanted.variants)
                    screen.say(f"Serving {names} at http://localhost:{settings.port}/invocations; Ctrl-C ends it.")
                    await stopping
            screen.say("Ending, once what was asked is answered; Ctrl-C again ends it at once.")
        finally:
            for task in (stopping, starting):
                task.cancel()
            await endpoint.close()
    print(_summary(endpoint, time.monotonic() - began), flush=True)
    return 0


def _act(endpoint: Endpoint) -> Any:
    """What commands may ask of an endpoint that runs."""
    from algoport.containers.deployment.description import Description
    from algoport.containers.deployment.update import Plan

    async def act(asked: Mapping[str, Any], say: Say) -> str:
        if asked["do"] == "update":
            wanted = Description.from_json(asked["variants"])
            return await endpoint.update(wanted, Plan.from_json(asked["plan"]), say)
        for row in endpoint.rows():
            say(
                f"{row.variant}: {row.ready} of {row.wanted} instances, {100 * row.share:.0f} % of the requests, "
                f"{row.in_flight} in flight, {row.requests:,} answered of which {row.failures:,} failed, "
                f"{row.losses} replaced; {row.place}"
            )
        return f"{endpoint.settings.name}: at http://localhost:{endpoint.settings.port}/invocations."

    return act


def _summary(endpoint: Endpoint, seconds: float) -> str:
    codes = endpoint.front.metrics.codes
    said = ", ".join(f"{count:,} with {code}" for code, count in sorted(codes.items())) or "none"
    captured = "" if endpoint.capture is None else f"; {endpoint.capture.written:,} captured"
    logs = endpoint.settings.logs
    return f"Answered {sum(codes.values()):,} requests in {seconds:.1f} s: {said}{captured}; logs in {logs}."


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """The folder of an endpoint, which is this process's while entered; `UserError` where another one runs it."""
    from algoport.containers.control.home import Home
    from algoport.containers.deployment.description import check_name

    check_name("--endpoint", name)
    folder = Home.from_environment().endpoints / name
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{name}: an endpoint of that name runs already; change it with --update, or choose another name with "
                "--endpoint."
            ) from None
        yield folder
    finally:
        os.close(descriptor)
