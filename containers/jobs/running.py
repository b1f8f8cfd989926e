"""A job that runs: its log, its state, its end, and how it is stopped; started here, or found again.

What is true stands in the job's folder and with the processes or containers; an object of this module only looks. So
whoever has started a job may end, and somebody else may take it over: `adopt(folder)`.
"""

from __future__ import annotations

import contextlib
import math
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs import pipes
from algoport.containers.jobs.description import Description
from algoport.containers.jobs.docker import Containers
from algoport.containers.jobs.processes import Processes, Usage

State = Literal["InProgress", "Stopping", "Completed", "Failed", "Stopped"]
ENDED: tuple[State, ...] = ("Completed", "Failed", "Stopped")
# Why a job was asked to stop, in the words that DescribeTrainingJob has for it.
STOPPED, OVERTIME, LOST, INTERRUPTED = "Stopped", "MaxRuntimeExceeded", "HostFailed", "Interrupted"
PATIENCE = 60.0  # seconds that hosts may go on after one has failed: they find out whom they lost, and say so


class Engine(Protocol):
    """Where hosts run."""

    pause: float

    def check(self) -> None:
        """Raise an error where it cannot start the job."""

    def start(self) -> None:
        """Start all hosts."""

    def has_started(self) -> bool | None:
        """Whether all hosts were started, of a job whose start may have been broken off; None while this is open."""

    def usage(self, host: str) -> Usage | None:
        """What a host has used, where that is known."""

    def is_running(self, host: str) -> bool:
        """Whether it has not ended."""

    def code(self, host: str) -> int:
        """The exit code of one that has."""

    def stop(self, host: str) -> None:
        """Ask it to end."""

    def kill(self, host: str) -> None:
        """End it at once."""

    def close(self) -> None:
        """Remove what is left when all have ended."""


@dataclass(frozen=True)
class Observation:
    """A value of a metric that a line of the log reports."""

    name: str
    value: float


def start(description: Description) -> Running:
    """Lay the folder out and start the job. `UserError` with all that is wrong, before anything is touched."""
    description.check()
    if (description.run / "job.json").exists() and adopt(description.folder).state not in ENDED:
        raise UserError(f"{description.folder}: is the folder of a job that has not ended.")
    engine = _engine(description)
    engine.check()
    folders.lay_out(description, linked=description.image is None)
    _note(description)
    return _launch(description, engine)


def complete(folder: Path) -> Running | None:
    """The job of a folder whose start was broken off, as whoever started it was killed: adopted where it has started,
    else started now. None while this cannot be told; ask again. `UserError` where its folder was not laid out."""
    job = adopt(folder)
    started = job._engine.has_started()
    if started is None:
        return None
    if started:
        return job
    pipes.stop(job.description)
    _note(job.description)
    return _launch(job.description, job._engine)


def _launch(description: Description, engine: Engine) -> Running:
    """Start a job whose folder is laid out and noted."""
    pipes.feed(description)
    try:
        engine.start()
    except BaseException:
        for host in description.host_names:
            engine.kill(host)
        pipes.stop(description)
        raise
    return Running(description, engine)


def adopt(folder: Path) -> Running:
    """The job of a folder, whoever has started it, whether it runs or has ended; `UserError` where there is none."""
    noted = folders.read(folder.absolute() / "run" / "job.json")
    if noted is None:
        raise UserError(f"{folder}: is not the folder of a job that was started.")
    description = Description.from_json(noted["description"])
    return Running(description, _engine(description))


class Running:
    """A job that was started. `poll` looks, and sees to the limits; the rest is what was seen."""

    def __init__(self, description: Description, engine: Engine) -> None:
        self.description = description
        self._engine = engine
        self._started = float((folders.read(description.run / "job.json") or {}).get("started", time.time()))

    def poll(self) -> State:
        """The state now. Asks a job to stop whose time is up or that has lost a host, and kills one that was asked and
        has not ended within its grace; so it is to be called from time to time."""
        ended = self._ended
        if ended is not None:
            state: State = ended["state"]
            return state
        hosts = [host for host in self.description.host_names if self._engine.is_running(host)]
        if not hosts:
            return self._close()
        limit, now = self.description.limits.runtime, time.time()
        if limit is not None and now > self._started + limit:
            self.stop(OVERTIME)
        if len(hosts) < self.description.hosts and self._has_lost(now):
            self.stop(LOST)
        asked = self._asked
        if asked is None:
            return "InProgress"
        if now > asked["time"] + self.description.limits.grace:
            for host in hosts:
                self._engine.kill(host)
        return "Stopping"

    @property
    def state(self) -> State:
        """The state now, as `poll` gives it."""
        return self.poll()

    def stop(self, why: str = STOPPED) -> None:
        """Ask the job to end with the model it has. Returns at once; asked again, it changes nothing."""
        if self._asked is not None or self._ended is not None:
            return
        folders.write(self.description.run / "stop.json", {"time": time.time(), "why": why})
        for host in self.description.host_names:
            if self._engine.is_running(host):
                self._engine.stop(host)

    def wait(self, seconds: float | None = None, show: Callable[[str], None] | None = None) -> State:
        """The state at the end, or after so many seconds; until then each line of the first host's log is shown."""
        until = None if seconds is None else time.monotonic() + seconds
        for line in self.lines(until=until):
            if show is not None:
                show(line)
        return self.poll()

    def lines(self, host: str | None = None, until: float | None = None) -> Iterator[str]:
        """The log of a host, the first where none is named, from its beginning to its end, each line as it comes.

        Ends early at a time of `time.monotonic`, if one is given.
        """
        path = self.description.run / f"{host or self.description.host_names[0]}.log"
        rest, at = b"", 0
        while True:
            over = self.poll() in ENDED  # before the log is read: what came until then is read below
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as log:
                log.seek(at)
                while part := log.read(1 << 20):
                    at += len(part)
                    *whole, rest = (rest + part).split(b"\n")
                    yield from (line.decode(errors="backslashreplace") for line in whole)
            if over or (until is not None and time.monotonic() > until):
                break
            time.sleep(self._engine.pause)
        if rest and over:
            yield rest.decode(errors="backslashreplace")

    @property
    def exit_code(self) -> int | None:
        """That of the host that failed first, or 0; None while the job runs."""
        return self._ended["code"] if self.poll() in ENDED and self._ended is not None else None

    @property
    def reason(self) -> str | None:
        """Why the job was asked to stop, if it was."""
        return str(self._asked["why"]) if self._asked is not None else None

    @property
    def failure(self) -> str | None:
        """What a failed job says of why: its own words, or what is known from outside; None of one that has not."""
        return self._ended["failure"] if self.poll() == "Failed" and self._ended is not None else None

    @property
    def seconds(self) -> float:
        """How long it has run, or did."""
        end = self._ended["time"] if self._ended is not None else time.time()
        return float(end) - self._started

    @property
    def metrics(self) -> dict[str, list[float]]:
        """All values so far in the first host's log, by the metric's name, in their order."""
        values: dict[str, list[float]] = {}
        search = searcher(self.description)
        for line in self.lines(until=0.0):
            for one in search(line):
                values.setdefault(one.name, []).append(one.value)
        return values

    @property
    def pause(self) -> float:
        """Seconds between two looks at it, which cost little where it runs as processes."""
        return self._engine.pause

    @property
    def usage(self) -> dict[str, Usage]:
        """What each host has used, of those of which it is known."""
        used = {host: self._engine.usage(host) for host in self.description.host_names}
        return {host: usage for host, usage in used.items() if usage is not None}

    @property
    def _asked(self) -> dict[str, Any] | None:
        return folders.read(self.description.run / "stop.json")

    @property
    def _ended(self) -> dict[str, Any] | None:
        return folders.read(self.description.run / "end.json")

    def _end(self, host: str) -> dict[str, Any] | None:
        return folders.read(self.description.run / f"{host}.end")

    def _has_lost(self, now: float) -> bool:
        """Whether a host has failed, so long ago that the others should have ended, too."""
        ends = [end for host in self.description.host_names if (end := self._end(host)) is not None]
        return any(end["code"] and now > end["time"] + PATIENCE for end in ends)

    def _close(self) -> State:
        """Note how the job has ended, and remove what is left of it."""
        codes = {host: self._engine.code(host) for host in self.description.host_names}
        failed, why = self._failed(codes), self.reason
        code, failure = codes[failed[0]] if failed else 0, self._failure(failed)
        state: State = "Completed" if code == 0 else "Failed"
        # What was killed after its grace has stopped all the same; a mistake that came to light meanwhile has failed.
        if why in (STOPPED, OVERTIME) and (code == 0 or failure is None):
            state = "Stopped"
        self._engine.close()
        pipes.stop(self.description)
        known = failure or (_from_outside(failed[0], code) if state == "Failed" else None)
        end = {"state": state, "code": code, "failure": known, "time": time.time()}
        folders.write(self.description.run / "end.json", end)
        return state

    def _failed(self, codes: dict[str, int]) -> list[str]:
        """Hosts that have failed, the first one first: by when they have written why, or else by when they have ended.
        Those that have lost another go on for a while, or end sooner than it does."""
        times = dict[str, float]()
        for host, code in codes.items():
            if code:
                end = self._end(host)
                times[host] = float(end["time"]) if end is not None else math.inf
                with contextlib.suppress(OSError):
                    times[host] = min(times[host], self._word(host).stat().st_mtime)
        return sorted(times, key=lambda host: times[host])

    def _failure(self, failed: list[str]) -> str | None:
        """The words of the first that has left any: the others' are on having lost it."""
        written = [self._word(host) for host in failed if self._word(host).is_file()]
        return written[0].read_text(errors="replace") if written else None

    def _word(self, host: str) -> Path:
        return self.description.base(host) / "output" / "failure"


def searcher(description: Description) -> Callable[[str], Iterator[Observation]]:
    """What finds the metrics of a job in a line of its log."""
    patterns = [(one.name, re.compile(one.regex)) for one in description.metrics]
    if description.algorithm is not None:
        from algoport.training.metrics import definitions

        declared = definitions(algorithms.find(description.algorithm))
        patterns += [(one["Name"], re.compile(one["Regex"])) for one in declared]

    def search(line: str) -> Iterator[Observation]:
        # The original platform stores control characters as # and three octal digits, and its expressions know them so.
        escaped = _CONTROL.sub(lambda match: f"#{ord(match[0]):03o}", line)
        for name, pattern in patterns:
            match = pattern.search(line) or (pattern.search(escaped) if escaped != line else None)
            if match:
                with contextlib.suppress(ValueError):
                    yield Observation(name, float(match.group(1)))

    return search


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _from_outside(host: str, code: int) -> str:
    if code > 128 and code - 128 in set(signal.Signals):
        return (
            f"Host {host} was ended by {signal.Signals(code - 128).name} (exit code {code}), and left no word on why."
        )
    return f"Host {host} ended with exit code {code}, and left no word on why; its log may say."


def _engine(description: Description) -> Engine:
    return Processes(description) if description.image is None else Containers(description)


def _note(description: Description) -> None:
    noted = {"description": description.to_json(), "started": time.time()}
    folders.write(description.run / "job.json", noted)
