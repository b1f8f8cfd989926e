"""Jobs as processes on this machine: one `train` a host, each below a guard that outlives who started it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from algoport.algorithms.shared import machine
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs import guard, processing, program
from algoport.containers.jobs.description import Description
from algoport.containers.jobs.script import LAUNCHER

JOB, HOST, FOLDER = "ALGOPORT_JOB", "ALGOPORT_HOST", "ALGOPORT_JOB_FOLDER"  # labels of a process: its environment
GUARD = Path(guard.__file__)
BOTH = (signal.SIGTERM, signal.SIGINT)
# -P: the current folder is the user's, and may hold another `algoport`.
TRAIN = (sys.executable, "-P", "-m", "algoport.training")


@dataclass(frozen=True)
class Label:
    """What a process or a container says of itself: host of which job, and where its folder is."""

    job: str
    host: str
    folder: Path


@dataclass(frozen=True)
class Usage:
    """What a host has used."""

    cpu: float  # seconds that processors were busy for it
    peak: int  # bytes: the largest process, or all of a container


class Processes:
    """The hosts of a job as processes; also of one that somebody else has started."""

    pause = 0.05  # seconds between two looks

    def __init__(self, description: Description) -> None:
        self._description = description
        self._own: dict[str, subprocess.Popen[bytes]] = {}  # started here, and so to be waited for here

    def check(self) -> None:
        """There is nothing that could be missing."""

    def start(self) -> None:
        """Start all hosts: their guards, and when all of these are noted, all commands at once."""
        gate, opener = os.pipe()
        try:
            for number, host in enumerate(self._description.host_names):
                self._start(number, host, gate)
            os.write(opener, b"." * self._description.hosts)  # at once: fewer bytes than a pipe may divide
        finally:
            os.close(gate)
            os.close(opener)

    def has_started(self) -> bool | None:
        """Whether the commands run or did; None while guards are there of which nobody knows yet what they will do."""
        run, hosts = self._description.run, self._description.host_names
        if any((run / f"{host}.start").exists() or (run / f"{host}.end").exists() for host in hosts):
            return True
        if any(self._number(host) is not None for host in hosts):
            return None
        # Read again: the last guard may have begun and ended between the two looks.
        return any((run / f"{host}.start").exists() for host in hosts)

    def _start(self, number: int, host: str, gate: int) -> None:
        run = self._description.run
        memory = str(self._description.limits.memory or 0)
        words = _words(self._description, host)
        # Blocked until the guard can pass them on: a signal that comes while it starts is not lost, nor ends it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, BOTH)
        try:
            with open(run / f"{host}.log", "ab") as log:
                process = subprocess.Popen(  # noqa: S603  (a list, no shell)
                    [sys.executable, "-P", str(GUARD), str(run / f"{host}.end"), memory, str(gate), *words],
                    env=self._environment(number, host),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(gate,),
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._own[host] = process
        folders.write(run / f"{host}.json", {"pid": process.pid, "started": start_time(process.pid)})

    def _environment(self, number: int, host: str) -> dict[str, str]:
        description, limits = self._description, self._description.limits
        cores = limits.cpus or machine.cores() / description.hosts
        ours = {
            "ALGORITHM": description.algorithm or "",
            "SAGEMAKER_BASE_DIR": str(description.base(host)),
            "ALGOPORT_CORES": str(max(1, int(cores))),
            "TRAINING_JOB_NAME": description.name,
            JOB: description.name,
            HOST: host,
            FOLDER: str(description.folder.absolute()),
            "PYTHONUNBUFFERED": "1",
        }
        if limits.memory is not None:
            ours["ALGOPORT_MEMORY"] = str(limits.memory)
        if description.hosts > 1:
            # Hosts meet in a file: no port that another job on this machine might have.
            ours["ALGOPORT_RENDEZVOUS"] = f"file://{description.run / 'members'}"
            gpus = sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
            ours |= {"CUDA_VISIBLE_DEVICES": str(number % gpus)} if gpus else {}
        theirs = program.environment(description, host) if description.program else {}
        if description.processing is not None:
            ours |= processing.environment(description.base(host))
        if description.script is not None and description.script.python is not None:
            ours["ALGOPORT_SCRIPT_PYTHON"] = description.script.python
        return {**os.environ, "ALGOPORT_LOCAL_MEMBERS": "1", **theirs, **description.environment, **ours}

    def is_running(self, host: str) -> bool:
        """Whether that host's processes are still there."""
        process = self._own.get(host)
        if process is not None:
            return process.poll() is None
        number = self._number(host)
        return number is not None

    def code(self, host: str) -> int:
        """The exit code of a host that has ended; 137 where it was killed and nobody could write the code."""
        end = folders.read(self._description.run / f"{host}.end") or {}
        code = end.get("code")
        return code if isinstance(code, int) else 128 + signal.SIGKILL

    def usage(self, host: str) -> Usage | None:
        """What a host that has ended has used; None where it was killed with its guard."""
        end = folders.read(self._description.run / f"{host}.end") or {}
        cpu, peak = end.get("cpu"), end.get("peak")
        return Usage(float(cpu), int(peak)) if cpu is not None and peak is not None else None

    def stop(self, host: str) -> None:
        """Ask a host to end."""
        number = self._number(host)
        if number is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)

    def kill(self, host: str) -> None:
        """End a host and all its processes at once."""
        number = self._number(host)
        if number is None:
            return
        # torchrun's processes, for one, are in groups of their own.
        for each in guard.descendants(number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(number, signal.SIGKILL)

    def close(self) -> None:
        """Nothing is left of processes that have ended."""
        for name in ("members", "members.port"):
            (self._description.run / name).unlink(missing_ok=True)

    def _number(self, host: str) -> int | None:
        """The process of a host's guard, if it is that very one and has not ended."""
        noted = folders.read(self._description.run / f"{host}.json")
        if noted is None:  # whoever started it may have been killed before it could write that
            return next((number for number, label in labeled_of(self._description.name) if label.host == host), None)
        pid, started = noted.get("pid"), noted.get("started")
        return pid if isinstance(pid, int) and started is not None and start_time(pid) == started else None


def _words(description: Description, host: str) -> tuple[str, ...]:
    """What a host runs."""
    if description.script is not None and description.processing is not None:
        return description.processing.words(description.base(host), description.script)
    if description.script is not None:
        return (*LAUNCHER, "train")
    return program.words(description) if description.program else TRAIN


def start_time(pid: int) -> str | None:
    """When a process began, in the words of the system; None where there is none of that number, or it has ended.

    Together with the number this identifies a process, as numbers are given again.
    """
    if not Path("/proc/self/stat").exists():
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None  # noqa: S603
    try:
        # The name, in parentheses, may hold anything; the state follows it, and the start is the 22nd field.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def labeled_guards() -> Iterator[tuple[int, Label]]:
    """The guards that run on this machine, of jobs that anybody of this user has started, by their labels."""
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            number = int(entry)
            if os.getsid(number) != number:
                continue
            parts = Path(f"/proc/{entry}/environ").read_bytes().decode(errors="replace").split("\0")
            label = _label(dict(part.split("=", 1) for part in parts if "=" in part))
            if label is not None and start_time(number) is not None:
                yield number, label


def labeled_of(job: str) -> Iterator[tuple[int, Label]]:
    """Those of one job."""
    return ((number, label) for number, label in labeled_guards() if label.job == job)


def _label(environment: Mapping[str, str]) -> Label | None:
    try:
        return Label(environment[JOB], environment[HOST], Path(environment[FOLDER]))
    except KeyError:
        return None
