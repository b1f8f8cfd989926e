"""A Docker Engine as tests use it: containers of the image under test, from the outside."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 120  # seconds for a job or a start; many times what they take


def docker(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *map(str, words)], text=True, capture_output=True, timeout=PATIENCE * 5, check=False
    )
    assert not check or done.returncode == 0, f"docker {' '.join(map(str, words))}:\n{done.stdout}{done.stderr}"
    return done


@dataclass(frozen=True)
class Container:
    """One that was started and is left to run."""

    name: str

    @property
    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    @property
    def running(self) -> bool:
        return docker("inspect", "-f", "{{.State.Running}}", self.name).stdout.strip() == "true"

    def end(self) -> int:
        """Wait for its end; the exit code."""
        return int(docker("wait", self.name).stdout)

    def says(self, words: str) -> None:
        """Wait until the log has these words."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if words in self.log:
                return
            assert self.running, f"{self.name} ended before it said {words!r}:\n{self.log}"
            time.sleep(0.05)
        raise AssertionError(f"{self.name} never said {words!r}:\n{self.log}")

    def ask(
        self,
        path: str,
        body: str | bytes | None = None,
        content_type: str = "text/csv",
        method: str = "",
        accept: str = "*/*",
    ) -> Answer:
        """A request from inside the container, so that it works without a network."""
        sent = base64.b64encode(body if isinstance(body, bytes) else (body or "").encode()).decode()
        done = docker("exec", self.name, "python", "-c", _ASK, path, method, content_type, accept, sent, check=False)
        return Answer(**json.loads(done.stdout)) if done.returncode == 0 else Answer(status=0, body=done.stderr)

    def healthy(self) -> None:
        """Wait for the first healthy answer to a ping."""
        end = time.monotonic() + PATIENCE
        while self.ask("/ping").status != 200:
            assert self.running and time.monotonic() < end, f"{self.name} is not healthy:\n{self.log}"
            time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


_ASK = """
import base64, json, sys, urllib.error, urllib.request
path, method, kind, accept, body = sys.argv[1:]
body = base64.b64decode(body) or None
headers = {"Content-Type": kind, "Accept": accept}
request = urllib.request.Request("http://127.0.0.1:8080" + path, body, headers, method=method or None)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps({"status": answer.status, "body": answer.read().decode()}))
"""


@dataclass
class Engine:
    """The Docker Engine with the image under test."""

    image: str
    names: list[str] = field(default_factory=list)

    def run(self, *words: object, options: tuple[object, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        return docker("run", "--rm", *options, self.image, *words, check=False)

    def start(self, *words: object, options: tuple[object, ...] = ()) -> Container:
        """Start a container and leave it running; it is removed when the test ends."""
        name = f"algoport-test-{uuid.uuid4().hex[:10]}"
        self.names.append(name)
        docker("run", "-d", "--name", name, *options, self.image, *words)
        return Container(name)

    @contextlib.contextmanager
    def network(self) -> Iterator[str]:
        name = f"algoport-test-{uuid.uuid4().hex[:10]}"
        docker("network", "create", name)
        try:
            yield name
        finally:
            self.clear()
            docker("network", "rm", name)

    def clear(self) -> None:
        if self.names:
            docker("rm", "-f", "-v", *self.names, check=False)
        self.names.clear()


def mounted(folder: Path) -> tuple[object, ...]:
    return ("-v", f"{folder}:/opt/ml")
