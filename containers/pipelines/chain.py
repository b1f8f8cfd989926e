"""A request through a row of containers: each gets the body that the one before has answered, and its content type.

Connections are the standard library's, as this runs within the images of algorithms, too, which have no other client.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

TARGET = "X-Amzn-SageMaker-Target-Container-Hostname"
PASSED = "x-amzn-sagemaker-"  # headers that every container gets
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
PLATFORM = 5 << 20  # bytes that SageMaker itself passes on between two containers
HEALTH = 1.8  # seconds for a container to say that it is healthy; the platform waits for two
WORDS = 2000  # characters of a refusal that are passed on


@dataclass(frozen=True)
class Link:
    """Where one container is."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Reply:
    """An answer of a container, or of the chain."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_answer(self) -> bool:
        """Whether it can be passed on."""
        return 200 <= self.status < 300


class Chain:
    """The containers of a pipeline, asked from many threads, each of which has connections of its own."""

    def __init__(self, links: Sequence[Link], *, direct: bool = False, timeout: float = 60.0) -> None:
        self.links, self.direct, self._timeout = list(links), direct, timeout
        self._local = threading.local()
        self.large: set[str] = set()  # containers whose answers were larger than SageMaker passes on

    def ask(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """The answer of the last container; the refusal of any, with its name before what it says."""
        if self.direct:
            return self._direct(body, headers)
        passed = {name: value for name, value in headers.items() if name.lower().startswith(PASSED)}
        kind, reply = headers.get("Content-Type"), Reply(500)
        for number, link in enumerate(self.links, 1):
            is_last = number == len(self.links)
            sent = {**passed, **({"Content-Type": kind} if kind else {})}
            if is_last and headers.get("Accept"):
                sent["Accept"] = headers["Accept"]
            reply = self._asked(link, "POST", "/invocations", body, sent, self._timeout)
            if not reply.is_answer:
                return refusal(reply.status, f"{link.name}: {_message(reply.body)}", reply.headers.get("Retry-After"))
            body, kind = reply.body, reply.headers.get("Content-Type")
            if len(body) > PLATFORM and not is_last:
                self.large.add(link.name)
        return reply

    def _direct(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        names = ", ".join(link.name for link in self.links)
        wanted = next((value for name, value in headers.items() if name.lower() == TARGET.lower()), None)
        link = next((link for link in self.links if link.name == wanted), None)
        if link is None:
            given = "not given" if wanted is None else repr(wanted[:100])
            return refusal(400, f"{TARGET}: must be one of {names}; it is {given}.")
        return self._asked(link, "POST", "/invocations", body, headers, self._timeout)

    def sick(self) -> str | None:
        """The first container that is not healthy; None where all are."""
        for link in self.links:
            if self._asked(link, "GET", "/ping", b"", {}, HEALTH).status != 200:
                return link.name
        return None

    def parameters(self) -> dict[str, object]:
        """What batch transform may ask of all of them: the least that any can do. Nothing where none says anything."""
        made: dict[str, object] = {}
        for link in self.links:
            reply = self._asked(link, "GET", "/execution-parameters", b"", {}, self._timeout)
            try:
                said = json.loads(reply.body) if reply.status == 200 else {}
            except ValueError:
                said = {}
            for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"):
                value, least = said.get(name), made.get(name)
                if isinstance(value, int):
                    made[name] = min(value, least) if isinstance(least, int) else value
            if "BatchStrategy" in said:
                known = str(made.get("BatchStrategy", said["BatchStrategy"]))
                is_single = known.lower().startswith("single")
                made["BatchStrategy"] = known if is_single else str(said["BatchStrategy"])
        return made

    def _asked(
        self, link: Link, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Reply:
        """What a container answers; a refusal of our own where it does not."""
        connections: dict[Link, HTTPConnection] = self._local.__dict__.setdefault("connections", {})
        for is_second in (False, True):
            known = connections.pop(link, None)
            connection = known or HTTPConnection(link.host, link.port)
            try:
                connection.timeout = timeout
                if connection.sock is not None:
                    connection.sock.settimeout(timeout)
                connection.request(method, path, body or None, {**headers, "Content-Length": str(len(body))})
                answer = connection.getresponse()
                reply = Reply(answer.status, answer.read(), dict(answer.getheaders()))
                if not answer.will_close:
                    connections[link] = connection
                return reply
            except TimeoutError:
                connection.close()
                return refusal(500, f"it does not answer within {timeout:g} seconds.")
            except (OSError, HTTPException):
                connection.close()
                if known is None or is_second:  # one that was open may have been closed since, which says nothing
                    return refusal(503, "it does not answer.", "1")
        raise AssertionError


def refusal(status: int, message: str, retry: str | None = None) -> Reply:
    """An answer that is none, in the form that containers give theirs."""
    kinds = {400: "BadRequestException", 413: "PayloadTooLarge", 503: "ServiceUnavailableException"}
    kind = kinds.get(status, "BadRequestException" if status < 500 else "InternalServerException")
    body = json.dumps({"code": status, "type": kind, "message": message}).encode()
    return Reply(status, body, {"Content-Type": "application/json", **({"Retry-After": retry} if retry else {})})


def _message(body: bytes) -> str:
    text = body[: 1 << 16].decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
        text = str(said["message"]) if isinstance(said, dict) and said.get("message") else text
    except (ValueError, RecursionError):
        pass
    return text[:WORDS] or "it gives no reason."
