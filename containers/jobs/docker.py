"""Jobs in containers: one for each host, on a network of their own where there are several.

Containers are named for their job and host, and carry labels, so that they are found again. A container is left until
its log and its exit code have been taken down.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs import processing
from algoport.containers.jobs.description import Description
from algoport.containers.jobs.processes import Label, Usage

_GROUPS = Path("/sys/fs/cgroup")
JOB, HOST, FOLDER = "algoport.job", "algoport.host", "algoport.folder"


class Containers:
    """The hosts of a job as containers; also of one that somebody else has started."""

    pause = 0.3  # seconds between two looks, each of which asks the engine

    def __init__(self, description: Description) -> None:
        self._description = description
        self._logs: dict[str, subprocess.Popen[bytes]] = {}

    def check(self) -> None:
        """`UserError` where there is no Docker or no such image; `PlatformError` where no engine answers."""
        if shutil.which("docker") is None:
            raise UserError("A job of an image needs Docker, and there is no program 'docker' on this machine.")
        image = self._description.image or ""
        answer = _docker("image", "inspect", image, check=False)
        if "Cannot connect" in answer.stderr:
            raise PlatformError(f"Docker does not answer: {answer.stderr.strip()}")
        if answer.returncode:
            made = "make script" if self._description.script is not None else "algoport build"
            raise UserError(f"{image}: there is no such image on this machine; `{made}` makes it.")

    def start(self) -> None:
        """Start all hosts; of a job whose start was broken off, those that have not been started."""
        image = self._description.image or ""
        if self._description.hosts > 1:
            labels = ("--label", f"{JOB}={self._description.name}")
            _unless_there(_docker("network", "create", *labels, self._network, check=False))
        try:
            for number, host in enumerate(self._description.host_names):
                if self._state(host) is None:
                    _unless_there(_docker(*self._command(number, host, image), check=False))
            for host in self._description.host_names:
                if (self._state(host) or {}).get("Status") == "created":
                    _docker("start", self._name(host))
                self._follow(host)
        except BaseException:
            self._remove()
            raise

    def has_started(self) -> bool | None:
        """Whether all containers were started."""
        ends = [(self._description.run / f"{host}.end").exists() for host in self._description.host_names]
        states = [self._state(host) for host in self._description.host_names]
        return all(
            end or (state is not None and state.get("Status") != "created")
            for end, state in zip(ends, states, strict=True)
        )

    def _command(self, number: int, host: str, image: str) -> list[str]:
        description, limits = self._description, self._description.limits
        base = description.base(host)
        words = [
            "create",
            "--name",
            self._name(host),
            "--env",
            f"TRAINING_JOB_NAME={description.name}",
            "--user",
            f"{os.geteuid()}:{os.getegid()}",
        ]
        for label, value in ((JOB, description.name), (HOST, host), (FOLDER, description.folder.absolute())):
            words += ["--label", f"{label}={value}"]
        words += bind(base, str(folders.INSIDE))
        if description.checkpoints is not None:
            words += bind(description.checkpoints.absolute(), str(folders.INSIDE / "checkpoints"))
        for channel in description.channels:
            for name, source in channel.placed(number, description.hosts).items():
                words += bind(source, f"{folders.INSIDE}/input/data/{name}", "readonly")
        words += _code(description, number)
        for name, value in description.environment.items():
            words += ["--env", f"{name}={value}"]
        if limits.memory is not None:
            words += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)]
        if limits.cpus is not None:
            words += ["--cpus", f"{limits.cpus:g}"]
        if description.hosts > 1:
            words += ["--network", self._network, "--network-alias", host, "--hostname", host]
        elif not description.network:
            words += ["--network", "none"]
        return [*words, image, *_asked(description)]

    def _follow(self, host: str) -> None:
        """Take the log down while it comes, whoever reads it, and however long this process lives."""
        with open(self._description.run / f"{host}.log", "wb") as log:
            self._logs[host] = subprocess.Popen(  # noqa: S603
                ["docker", "logs", "--follow", self._name(host)],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_running(self, host: str) -> bool:
        """Whether the container is there and has not ended. Of one that has, log and exit code are taken down."""
        if (self._description.run / f"{host}.end").exists():
            return False
        state = self._state(host)
        if state is not None and state.get("Status") in ("created", "running", "paused", "restarting"):
            return True
        self._take_down(host, state)
        return False

    def _take_down(self, host: str, state: dict[str, Any] | None) -> None:
        follower = self._logs.pop(host, None)
        if follower is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                follower.wait(10)
        path = self._description.run / f"{host}.log"
        if state is not None and follower is None:  # adopted, and perhaps nobody followed the log
            beside = path.with_name(f".{path.name}")
            with open(beside, "wb") as log:
                subprocess.run(  # noqa: S603
                    ["docker", "logs", self._name(host)],  # noqa: S607
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            os.replace(beside, path)
        code = state.get("ExitCode") if state is not None else None
        known = {"code": code if isinstance(code, int) else 137, "time": time.time()}
        folders.write(self._description.run / f"{host}.end", known)

    def code(self, host: str) -> int:
        """The exit code of a host that has ended."""
        return int((folders.read(self._description.run / f"{host}.end") or {}).get("code", 137))

    def usage(self, host: str) -> Usage | None:
        """What a host has used until it was last looked at: a container that has ended leaves no figures."""
        path = self._description.run / f"{host}.usage"
        usage = _used(self._identity(host)) if not (self._description.run / f"{host}.end").exists() else None
        if usage is not None:
            folders.write(path, {"cpu": usage.cpu, "peak": usage.peak})
            return usage
        noted = folders.read(path)
        return Usage(float(noted["cpu"]), int(noted["peak"])) if noted is not None else None

    def _identity(self, host: str) -> str:
        """The engine's own name of a container; empty where there is none."""
        answer = _docker("inspect", "--format", "{{.Id}}", self._name(host), check=False)
        return answer.stdout.strip() if answer.returncode == 0 else ""

    def stop(self, host: str) -> None:
        """Ask a host to end."""
        _docker("kill", "--signal", "TERM", self._name(host), check=False)

    def kill(self, host: str) -> None:
        """End a host at once."""
        _docker("kill", self._name(host), check=False)

    def close(self) -> None:
        """Remove what is left of containers that have ended, and their network."""
        self._remove()

    def _remove(self) -> None:
        names = [self._name(host) for host in self._description.host_names]
        _docker("rm", "--force", "--volumes", *names, check=False)
        if self._description.hosts > 1:
            _docker("network", "rm", self._network, check=False)

    def _state(self, host: str) -> dict[str, Any] | None:
        """What the engine says of the container; None where it knows none of the name."""
        answer = _docker("inspect", "--format", "{{json .State}}", self._name(host), check=False)
        if answer.returncode:
            if "no such" in answer.stderr.lower():
                return None
            raise PlatformError(f"Docker does not answer: {answer.stderr.strip()}")
        state: dict[str, Any] = json.loads(answer.stdout)
        return state

    def _name(self, host: str) -> str:
        return f"{self._description.name}-{host}"

    @property
    def _network(self) -> str:
        return self._description.name


def _code(description: Description, number: int) -> list[str]:
    """The words that show a script's code to a container, and what it reads where it is for processing."""
    script, words = description.script, list[str]()
    if script is None:
        return []
    if description.processing is not None:
        for path, source in description.processing.placed(number, description.hosts, script).items():
            words += bind(source, f"{processing.PLACE}/input/{path}", "readonly")
        return [*words, "--entrypoint", "python3"]
    return [] if script.is_archive else bind(script.source.absolute(), f"{folders.INSIDE}/code", "readonly")


def _asked(description: Description) -> tuple[str, ...]:
    """What a container is asked to do."""
    if description.processing is not None and description.script is not None:
        return description.processing.in_container(description.script)
    return description.command


def bind(source: Path, target: str, *more: str) -> list[str]:
    """The words that show a place of this machine to a container, whatever letters are in its name."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", *more])
    return ["--mount", text.getvalue()]


def labeled_containers() -> Iterator[Label]:
    """The hosts of jobs whose containers the engine still has, whether they run or not."""
    asked = ["ps", "--all", "--no-trunc", "--filter", f"label={JOB}", "--format", "{{json .ID}}"]
    names = [json.loads(line) for line in _docker(*asked).stdout.splitlines()]
    if names:
        for line in _docker("inspect", "--format", "{{json .Config.Labels}}", *names).stdout.splitlines():
            labels = json.loads(line)
            yield Label(labels[JOB], labels.get(HOST, ""), Path(labels.get(FOLDER, "")))


def digest(image: str) -> str | None:
    """The content address of an image that is on this machine."""
    answer = _docker("image", "inspect", "--format", "{{.Id}}", image, check=False)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _used(identity: str) -> Usage | None:
    """What the kernel has counted for a container: control groups of version 2, then of version 1.

    None where there is no such group, or where this process does not see it.
    """
    if not identity:
        return None
    for group in (_GROUPS / "system.slice" / f"docker-{identity}.scope", _GROUPS / "docker" / identity):
        with contextlib.suppress(OSError, ValueError, KeyError):
            words = (group / "cpu.stat").read_text().split()
            busy = int(dict(zip(words[::2], words[1::2], strict=False))["usage_usec"]) / 1e6
            return Usage(busy, int((group / "memory.peak").read_text()))
    with contextlib.suppress(OSError, ValueError):
        nanoseconds = int((_GROUPS / "cpuacct/docker" / identity / "cpuacct.usage").read_text())
        peak = int((_GROUPS / "memory/docker" / identity / "memory.max_usage_in_bytes").read_text())
        return Usage(nanoseconds / 1e9, peak)
    return None


def _unless_there(answer: subprocess.CompletedProcess[str]) -> None:
    """Raise what the engine has refused, but that what is to be made is there already: whoever was about to make it was
    killed, and its request carried out all the same."""
    refused = answer.stderr.lower()
    if answer.returncode and not ("already in use" in refused or "already exists" in refused):
        raise PlatformError(f"docker: {answer.stderr.strip()}")


def _docker(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if check and done.returncode:
        raise PlatformError(f"docker {words[0]}: {done.stderr.strip()}")
    return done
