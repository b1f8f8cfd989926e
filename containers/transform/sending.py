"""Requests to one endpoint, asked again where that may help; and which record it is that is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import urllib3

from algoport.algorithms.contract.errors import one_line
from algoport.containers.transform.joining import Processing, Unfit
from algoport.containers.transform.output import Failure
from algoport.containers.transform.request import media_of

CONNECT = 10.0  # seconds for a connection
LONGEST = 30.0  # seconds between two tries
WORDS = 500  # characters of a message that are passed on
# Codes that are not about a record: the whole request is of no use here. 413 is about how many there are.
WHOLE = (401, 403, 404, 405, 406, 411, 415)
BUSY = (429, 503)
_BLOCK = 1 << 20
Reply = TypeVar("Reply")


class Lost(Exception):
    """The endpoint does not answer, or not in time; it may later, unless it has ended."""

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


class Refused(Exception):
    """The endpoint answers, and not with a result."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Answer:
    """What came back."""

    body: bytes
    content_type: str


class Client:
    """One endpoint, from as many threads as there are connections."""

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        connections: int,
        timeout: float,
        retries: int,
        fault: Callable[[], str | None],
        stopped: threading.Event,
    ) -> None:
        self._url, self._headers, self._retries = url, headers, retries
        self._fault, self._stopped = fault, stopped
        wait = urllib3.Timeout(connect=CONNECT, read=timeout)
        # Retries are made here: they depend on what the endpoint says, and end with the transform.
        self._pool = urllib3.PoolManager(maxsize=connections, block=True, timeout=wait, retries=False)

    def send(self, body: bytes, *, patient: bool = True) -> Answer:
        """The answer. Raises `Refused` and `Lost`. Without patience an error of the endpoint's own is not tried again,
        as it has been for the records before."""

        def once() -> Answer:
            reply = self._pool.request("POST", f"{self._url}/invocations", body=body, headers=self._headers)
            _check(reply, reply.data)
            return Answer(b"" if reply.status == 204 else reply.data, reply.headers.get("Content-Type", ""))

        return self._tried(once, patient)

    def stream(self, open_: Callable[[], BinaryIO], into: Path) -> int:
        """Send a body of any size in chunks, and write the answer to a file; how long that is."""

        def once() -> int:
            with open_() as source, open(into, "wb") as file:
                blocks = iter(lambda: source.read(_BLOCK), b"")
                reply = self._pool.request(
                    "POST", f"{self._url}/invocations", body=blocks, headers=self._headers, preload_content=False
                )
                try:
                    if reply.status >= 300:
                        _check(reply, reply.read(_BLOCK))
                    return sum(file.write(block) for block in reply.stream(_BLOCK))
                finally:
                    reply.release_conn()

        return self._tried(once, patient=True)

    def parameters(self) -> dict[str, Any]:
        """What `/execution-parameters` says, where it says anything."""
        try:
            reply = self._pool.request("GET", f"{self._url}/execution-parameters", headers=self._headers)
            said = json.loads(reply.data) if reply.status == 200 else {}
        except (urllib3.exceptions.HTTPError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _tried(self, once: Callable[[], Reply], patient: bool) -> Reply:
        pause = 0.25
        for number in range(self._retries + 1):
            wait = pause * 2**number
            try:
                return once()
            except _Reply as reply:
                is_last = number == self._retries or not (reply.status in BUSY or (patient and reply.status >= 500))
                if is_last and reply.status in BUSY:
                    raise Lost(f"the endpoint is too busy ({reply.status}): {reply.message}") from None
                if is_last:
                    raise Refused(reply.status, reply.message) from None
                wait = max(wait, reply.pause)
            except urllib3.exceptions.HTTPError as error:
                fault = self._fault()
                if fault or number == self._retries:
                    raise Lost(fault or f"{self._url} does not answer: {_reason(error)}", ended=bool(fault)) from None
            if self._stopped.wait(min(wait, LONGEST)):
                break
        raise Lost("the transform was stopped.")

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()


class _Reply(Exception):
    """An answer that is none."""

    def __init__(self, status: int, message: str, pause: float) -> None:
        super().__init__(message)
        self.status, self.message, self.pause = status, message, pause


def _check(reply: urllib3.BaseHTTPResponse, body: bytes) -> None:
    if 200 <= reply.status < 300:
        return
    after = reply.headers.get("Retry-After", "")
    raise _Reply(reply.status, _message(body), float(after) if after.isdigit() else 0.0)


def _message(body: bytes) -> str:
    """What a container says of why: the message of its JSON, or its text."""
    text = body[: 1 << 16].decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
        text = str(said["message"]) if isinstance(said, dict) and said.get("message") else text
    except (ValueError, RecursionError):
        pass
    return one_line(text, WORDS) or "it gives no reason"


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "there was no answer in time"
    return one_line(str(error).rpartition(": ")[2] or type(error).__name__, WORDS)


Records = Sequence[tuple[int, bytes]]


@dataclass(frozen=True)
class Asking:
    """How the records of a request come to their part of the output."""

    client: Client
    processing: Processing
    newline: bool  # whether a line ends behind each answer
    keep_going: bool

    def whole(self, body: bytes, records: Callable[[], Records]) -> tuple[bytes, list[Failure]]:
        """The output of a request, and the records of it that have none. Where it is refused, it is cut in halves until
        the records that are to blame are alone; without `keep_going` the first of them is all that is looked for.

        Raises `Lost`, and `Refused` where it is no record that is to blame.
        """
        try:
            return self._one(body, patient=True), []
        except (Refused, Unfit) as error:
            if isinstance(error, Refused) and error.status in WHOLE:
                raise
            parts = records()
            if not parts:
                return b"", []
            if len(parts) == 1:
                return b"", [_failure(parts[0][0], error)]
            if isinstance(error, Unfit) and not self.keep_going:
                return b"", [_failure(parts[min(error.number, len(parts) - 1)][0], error)]
        results: list[bytes] = []
        failures: list[Failure] = []
        for result, failure in self._halves(parts):
            results.append(result)
            failures += [failure] if failure else []
        return b"".join(results), failures

    def _halves(self, parts: Records) -> Iterator[tuple[bytes, Failure | None]]:
        middle = len(parts) // 2
        for half in (parts[:middle], parts[middle:]):
            try:
                yield self._one(b"".join(body for _, body in half), patient=False), None
            except (Refused, Unfit) as error:
                if len(half) == 1:
                    yield b"", _failure(half[0][0], error)
                    if not self.keep_going:
                        return
                    continue
                for result, failure in self._halves(half):
                    yield result, failure
                    if failure and not self.keep_going:
                        return

    def _one(self, body: bytes, *, patient: bool) -> bytes:
        answer = self.client.send(self.processing.request(body), patient=patient)
        if self.processing.reads_answers and answer.body and media_of(answer.content_type) != self.processing.media:
            raise Refused(
                415,
                f"it answers with {answer.content_type or 'no content type'}, where {self.processing.media} is needed",
            )
        result = self.processing.result(body, answer.body)
        return result + b"\n" if self.newline and result and not result.endswith(b"\n") else result


def _failure(record: int, error: Refused | Unfit) -> Failure:
    if isinstance(error, Refused):
        return Failure(record, error.message, error.status)
    return Failure(record, str(error), by_container=False)
