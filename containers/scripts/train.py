"""`train` in script mode: fetch the code, install what it asks for, run it, and say how it ended."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.containers.scripts import environment, failures, job, launch, packages, running, source
from algoport.training import environment as numbers
from algoport.training import failure, log
from algoport.training.places import Places, hand_over


def main() -> int:
    """Run the program of the ml folder; its exit code, or 2 where the job's user can correct what keeps it from
    running, else 1."""
    places = Places.from_environment()
    log.start()
    signal.signal(signal.SIGTERM, _give_up)  # until the program runs, which hears of it then
    try:
        faults = numbers.faults()
        if faults:
            raise UserError(faults)
        return _run(job.read(places))
    except Exception as error:
        return failure.report(error, places.failure)
    finally:
        hand_over(places.outputs())


def _give_up(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(script: job.ScriptJob) -> int:
    places = script.places
    source.provide(script.code, script.submitted)
    for folder in (places.model, places.output / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="algoport-packages-") as temporary:
        python = environment.python()
        package = launch.is_package(script)
        if packages.wants(script.code):
            python = packages.install(script.code, Path(temporary) / "python", python, package=package)
        launch.await_first(script)
        variables = environment.variables(script) | _for_torch(script)
        notes = Path(temporary) / "processes"
        notes.mkdir()
        command = launch.command(script, python, notes)
        log.note(f"Training Env: {variables['SM_TRAINING_ENV']}")
        log.note(f"Invoking user script: {' '.join(command)}")
        sys.stdout.flush()
        end = running.run(command, script.code, os.environ | variables)
        if script.torchrun:
            end = running.noted(notes, launch.processes(script), end)
            command = launch.called(command)
    return _ended(end, command, places)


def _for_torch(script: job.ScriptJob) -> dict[str, str]:
    """Where the processes of several hosts find each other, for gloo and NCCL, and how many cores each has."""
    if len(script.hosts.names) == 1 and not script.torchrun:
        return {}
    interface = environment.interface(script)
    named = {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface} if interface else {}
    if script.torchrun:  # which else has each compute on one core, and says so at length
        named["OMP_NUM_THREADS"] = str(max(1, machine.cores() // launch.processes(script)))
    return {name: value for name, value in named.items() if name not in os.environ}


def _ended(end: running.End, command: list[str], places: Places) -> int:
    if end.code == 0:
        log.note("Reporting training SUCCESS")
        try:
            (places.output / "success").touch()
        except OSError:
            log.warn(f"{places.output}: cannot be written to, and gets no file `success`.")
        return 0
    if end.stopped and end.code == 128 + 15:
        log.note("The program was stopped, as was asked for.")
        return end.code
    log.note(f"Reporting training FAILURE: exit code {end.code}")
    failures.write(places.failure, end, command)
    return end.code
