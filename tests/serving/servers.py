"""A running `serve`, and what tests ask it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from algoport.algorithms.shared import artifact
from tests import compilations

ROOT = Path(__file__).parents[2]
STANDINS = Path(__file__).parent / "standins"
CSV, JSON, LINES, PROTOBUF = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
)


def put(folder: Path, *, offset: float = 0.0, width: int = 3, **facts: Any) -> Path:
    """A model of the stand-in."""
    artifact.save(folder, {"offset": np.array([offset])}, {"algorithm": "sums", "width": width, **facts})
    return folder


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, seconds: float = 30) -> Server:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/ping", timeout=2).status_code == 200:
                    return self
            time.sleep(0.02)
        raise AssertionError(f"not healthy; exit code {self.process.poll()}:\n{self.output}")

    def ended(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in path.read_text().split()]

    def ask(self, body: Any, kind: str | None = CSV, accept: str | None = JSON, **more: Any) -> requests.Response:
        headers = {"Content-Type": kind, "Accept": accept, **more.pop("headers", {})}
        path = more.pop("path", "/invocations")
        return requests.post(self.url + path, data=body, headers=headers, timeout=60, **more)

    def sleepy(self, seconds: float, **more: Any) -> requests.Response:
        """A request whose answer takes that long."""
        body = {"instances": [{"features": [1, 2, 3]}], "configuration": {"sleep": seconds}}
        return self.ask(json.dumps(body), JSON, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=60, **more)

    def raw(self, text: bytes, seconds: float = 10) -> bytes:
        """What comes back, to the end of the connection, for bytes that need be no HTTP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
            output = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    output += piece
            return output


def start(base: Path, **more: str) -> Server:
    """`serve` on an ml folder, not waited for."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SAGEMAKER_", "ALGOPORT_"))
    }
    port = free_port()
    ours = {
        "ALGORITHM": "sums",
        "ALGORITHM_PATH": str(STANDINS),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "PYTHONPATH": str(ROOT),
    }
    base.mkdir(parents=True, exist_ok=True)
    log = base / "serve.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "algoport.serving", "serve"],
            env={**environment, **ours, **compilations.inherited(), **more},
            cwd=base,
            stdout=out,
            stderr=out,
        )
    return Server(process, port, log)


@contextlib.contextmanager
def serving(base: Path, **more: str) -> Iterator[Server]:
    """A healthy `serve` for the length of the block."""
    server = start(base, **more)
    try:
        yield server.wait()
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(15)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def message(response: requests.Response, code: int) -> str:
    """The sentence of a refused request, which has the shape of every error."""
    assert response.status_code == code, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body["code"] == code and body["type"] and set(body) == {"code", "type", "message"}
    return str(body["message"])
