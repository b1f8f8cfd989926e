"""From a job to the command that runs its program: as it is, or on several hosts and processes by torchrun."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time
from pathlib import Path

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.scripts import environment, running
from algoport.containers.scripts.job import ScriptJob
from algoport.training import environment as numbers
from algoport.training import log

PORT = 7777  # MASTER_PORT
ELASTIC = Path(__file__).with_name("elastic.py")
WORKER = (sys.executable, "-I", "-S", running.__file__)  # the standard library and nothing of the user's
PATIENCE = 900.0  # seconds until the first host's name must resolve; ALGOPORT_RENDEZVOUS_TIMEOUT
PAUSE = 30.0  # seconds at most between two looks


def is_package(job: ScriptJob) -> bool:
    """Whether the code is a package, and its program one of the package's."""
    return not job.entry.endswith(".sh") and (job.code / "setup.py").is_file()


def command(job: ScriptJob, python: str, notes: Path) -> list[str]:
    """The words that start the program, in the folder of the code; processes of torchrun leave their `notes`.
    `UserError` where there is no such program."""
    program = job.code / job.entry
    if is_package(job):
        words = ["-m", job.entry.removesuffix(".py").replace("/", ".")]
    elif not program.is_file():
        near = ", ".join(sorted(path.name for path in job.code.iterdir() if path.is_file())[:8])
        raise UserError(f"sagemaker_program: there is no {job.entry} in {job.code}, which has {near or 'no files'}.")
    else:
        words = [job.entry]
    arguments = environment.words(job.hyperparameters)
    if job.torchrun:
        if not is_package(job) and not job.entry.endswith(".py"):
            raise UserError(f"sagemaker_program: torchrun starts Python programs, and {job.entry} is none.")
        process = [*WORKER, str(notes), python, "-u", *words, *arguments]
        return [python, str(ELASTIC), *_torchrun(job), "--no-python", *process]
    if is_package(job) or job.entry.endswith(".py"):
        return [python, *words, *arguments]
    _make_executable(program)
    return ["/bin/sh", "-c", shlex.join([f"./{job.entry}", *arguments])]


def called(command: list[str]) -> list[str]:
    """The words of the program itself, without those of torchrun."""
    return command[command.index(running.__file__) + 2 :]


def _make_executable(program: Path) -> None:
    if os.access(program, os.X_OK):
        return
    try:
        program.chmod(program.stat().st_mode | 0o111)
    except OSError as error:
        raise UserError(f"{program}: cannot be made executable: {error.strerror}.") from None


def _torchrun(job: ScriptJob) -> list[str]:
    """The options of `torch.distributed.run`."""
    hosts = len(job.hosts.names)
    options = [f"--nnodes={hosts}", f"--nproc_per_node={processes(job)}"]
    if hosts == 1:
        return [*options, "--standalone"]
    address, port = _master(job)
    return [*options, f"--node_rank={job.hosts.index}", f"--master_addr={address}", f"--master_port={port}"]


def processes(job: ScriptJob) -> int:
    """How many processes torchrun starts on each host."""
    return job.processes or environment.gpus() or 1


def _master(job: ScriptJob) -> tuple[str, int]:
    """Where the processes meet: at the first host. Hosts that are processes of one machine agree on a free port by a
    file, so that no other job on it may have it."""
    file = os.environ.get("ALGOPORT_RENDEZVOUS", "").removeprefix("file://")
    if not file:
        return job.hosts.names[0], numbers.port("MASTER_PORT", PORT)
    note = Path(f"{file}.port")
    if job.hosts.index == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        beside = note.with_suffix(".new")
        beside.write_text(str(port))
        os.replace(beside, note)
        return "127.0.0.1", port
    end = time.monotonic() + numbers.seconds("ALGOPORT_RENDEZVOUS_TIMEOUT", PATIENCE)
    while not note.exists():
        if time.monotonic() > end:
            raise PlatformError(f"Host {job.hosts.names[0]} did not say at which port the hosts meet.")
        time.sleep(0.05)
    return "127.0.0.1", int(note.read_text())


def await_first(job: ScriptJob) -> None:
    """Wait until the first host's name resolves: names of hosts may come late. `PlatformError` where it never does."""
    if len(job.hosts.names) == 1 or "ALGOPORT_RENDEZVOUS" in os.environ or os.environ.get("SM_STUDIO_LOCAL_MODE"):
        return
    first, pause = job.hosts.names[0], 0.1
    end = time.monotonic() + numbers.seconds("ALGOPORT_RENDEZVOUS_TIMEOUT", PATIENCE)
    while True:
        try:
            socket.getaddrinfo(first, None)
            return
        except OSError as error:
            if time.monotonic() + pause > end:
                raise PlatformError(f"Host {first}: its name does not resolve: {error.strerror or error}.") from None
            log.note(f"Waiting for host {first}: its name does not resolve yet.")
        time.sleep(pause)
        pause = min(2 * pause, PAUSE)
