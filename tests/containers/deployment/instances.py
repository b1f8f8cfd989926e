"""Instances of a few lines, in threads of this process, and an endpoint's front before them without a network."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from algoport.containers.deployment.configuration import Configuration, Place, Routing
from algoport.containers.deployment.description import Variant
from algoport.containers.deployment.fleet import Fleet
from algoport.containers.deployment.front import Front
from algoport.containers.endpoints.server import Served

Bytes = Callable[[bytes], bytes | None]


def said(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A response as it is on the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/csv", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Fake:
    """A server that answers what `answer` makes of a body; None: it closes the connection without a word."""

    answer: Bytes = said
    ping: str = "200 OK"
    delay: float = 0.0  # seconds until it listens
    fault_: str | None = None
    hang_up: bool = False  # whether it closes the connection after an answer
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    url: str = ""
    closed: bool = False

    def start(self) -> Fake:
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                # Lines end with an empty one; where the client has closed its end, reading gives no more bytes at all.
                while head := b"".join(takewhile(lambda line: line not in (b"\r\n", b""), self.rfile)):
                    size = next(
                        (int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"Content-Length")),
                        0,
                    )
                    body = self.rfile.read(size)
                    if head.startswith(b"GET /ping"):
                        self.wfile.write(said(b"", fake.ping))
                        continue
                    fake.bodies.append(body)
                    fake.heads.append(head)
                    reply = fake.answer(body)
                    if reply is None:
                        return
                    self.wfile.write(reply)
                    if fake.hang_up:
                        return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._dead, self._serving = threading.Event(), threading.Event()
        if self.fault_ is None:
            self._server = Server(("127.0.0.1", 0), Handler)
            self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
            threading.Thread(target=self._serve, daemon=True).start()
        else:
            self.url = "http://127.0.0.1:1"
        return self

    def _serve(self) -> None:
        if not self._dead.wait(self.delay):
            self._serving.set()
            self._server.serve_forever(0.01)

    def die(self, why: str = "it was killed") -> None:
        """End as a process does that is killed."""
        self.fault_ = why
        self._dead.set()
        if self._serving.is_set():
            self._server.shutdown()
        self._server.server_close()

    def fault(self) -> str | None:
        return self.fault_

    def kill(self) -> None:
        self.die()

    def close(self) -> None:
        self.closed = True
        if self.fault_ is None:
            self.die()


class Rack:
    """Launches the fakes that a test has prepared, in their order, and then plain ones."""

    def __init__(self, *fakes: Fake) -> None:
        self.all, self._next, self._lock = list(fakes), 0, threading.Lock()

    def launch(self, name: str) -> Fake:
        with self._lock:
            if self._next == len(self.all):
                self.all.append(Fake())
            fake = self.all[self._next]
            self._next += 1
        return fake.start()


def variant(name: str = "one", **more: Any) -> Variant:
    return Variant(name=name, served=Served(image=name), **more)


def fleet(rack: Rack, wanted: int = 1, name: str = "one", lines: list[str] | None = None) -> Fleet:
    return Fleet(name, rack.launch, wanted=wanted, say=(lines if lines is not None else []).append, patience=60)


def front(*places: Place, **more: Any) -> Front:
    return Front(Routing(Configuration(places)), **{"timeout": 60.0, "hold": 60.0, **more})


async def ask(
    app: Front,
    body: bytes = b"1,2\n",
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"text/csv"),),
    path: str = "/invocations",
    method: str = "POST",
) -> tuple[int, dict[str, str], bytes]:
    """What a client is answered; `ConnectionError` where the answer breaks off."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
    if sent[-1].get("more_body") or sent[-1]["type"] != "http.response.body":
        raise ConnectionError
    made = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], made, b"".join(message["body"] for message in sent[1:])


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
