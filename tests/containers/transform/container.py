"""A container of a few lines that tests ask, and that says what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from algoport.containers.endpoints.server import Elsewhere
from algoport.containers.transform import inputs
from algoport.containers.transform.driver import Progress, Transform
from algoport.containers.transform.request import TransformRequest

Answer = Callable[[bytes, dict[str, str]], tuple[int, bytes, dict[str, str]]]
CSV = {"Content-Type": "text/csv"}


def lengths(body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """The length of each line; lines that begin with "bad" are refused, by their number as containers do."""
    lines = [line for line in body.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if line.startswith(b"bad"):
            return 400, json.dumps({"code": 400, "message": f"line {number}: {line.decode()!r} is bad."}).encode(), {}
    return 200, b"\n".join(b"%d" % len(line) for line in lines), {"Content-Type": headers.get("Accept", "text/csv")}


@dataclass
class Container:
    answer: Answer = lengths
    parameters: dict[str, Any] | None = None
    delay: Callable[[int], float] = lambda number: 0.0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most: int = 0  # requests at a time
    url: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[Container]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        container, lock, now = self, threading.Lock(), [0]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one packet, which nobody waits for another of

            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:
                if self.path == "/execution-parameters" and container.parameters is not None:
                    self._say(200, json.dumps(container.parameters).encode(), {})
                else:
                    self._say(200 if self.path == "/ping" else 404, b"", {})

            def do_POST(self) -> None:
                body = self._body()
                with lock:
                    number = len(container.bodies)
                    container.bodies.append(body)
                    container.headers.append(dict(self.headers))
                    now[0] += 1
                    container.most = max(container.most, now[0])
                time.sleep(container.delay(number))
                said = container.answer(body, dict(self.headers))
                with lock:
                    now[0] -= 1
                self._say(*said)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def _say(self, code: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def request(source: Path, output: Path, **more: Any) -> TransformRequest:
    """A request on CSV by lines, with other fields."""
    given = {
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3Uri": str(source)}},
            "ContentType": "text/csv",
            "SplitType": "Line",
            **more.pop("TransformInput", {}),
        },
        "TransformOutput": {"S3OutputPath": str(output), "AssembleWith": "Line", **more.pop("TransformOutput", {})},
        **more,
    }
    return TransformRequest.read(given)


def transform(container: Container, source: Path, output: Path, *, instances: int = 1, **more: Any) -> Progress:
    """What became of a transform by a container that runs."""
    options = {name: more.pop(name) for name in ("most", "keep_going", "again") if name in more}
    asked = request(source, output, **more)
    items = inputs.listed(asked.TransformInput.DataSource.S3DataSource, None)
    job = Transform(asked, items, output, model={"endpoint": "one"}, **options)
    try:
        job.run([Elsewhere(container.url)] * instances)
    finally:
        job.close()
    return job.progress
