"""What clients of an endpoint ask: the paths of a container, before all of its instances.

An ASGI application, which uvicorn runs. A request is read as a whole, so that it can be sent once more where the
instance that has it ends. Predictions leave nothing behind, and clients of SageMaker repeat them as well.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from algoport.algorithms.shared import machine
from algoport.containers.deployment.configuration import Place, Routing
from algoport.containers.deployment.connection import Answer, Headers, Lost
from algoport.containers.deployment.fleet import Unavailable
from algoport.containers.deployment.instance import Instance
from algoport.containers.deployment.metrics import Metrics
from algoport.containers.pipelines.chain import refusal
from algoport.serving.arrival import Pace

LIMIT = 100 << 20  # bytes of a body
NOTED = 8 << 20  # bytes of an answer that is captured although its length was not known
SENT = 2  # times that a request is sent where its answer is lost
UNREACHED = 8  # times that it is tried where nobody has read it
TARGET = b"x-amzn-sagemaker-target-variant"
INVOKED = b"x-amzn-invoked-production-variant"
PASSED = b"x-amzn-sagemaker-"
TO_INSTANCE = frozenset((b"content-type", b"content-encoding", b"accept"))
TO_CLIENT = frozenset((b"content-type", b"content-encoding", b"retry-after", b"x-amzn-sagemaker-custom-attributes"))
SLOW = 408

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Capture(Protocol):
    """Who writes down what was asked and answered."""

    def wants(self) -> bool:
        """Whether the next one is of the sample."""
        ...

    def note(self, variant: str, asked: Headers, body: bytes, answer: Answer) -> None:
        """Write down one."""
        ...


class TooLarge(Exception):
    """A body is larger than allowed, or all bodies are more than there is memory for."""


class Front:
    """The application."""

    def __init__(self, routing: Routing, *, timeout: float, hold: float, capture: Capture | None = None) -> None:
        self.metrics, self.is_open = Metrics(routing), True
        self._routing, self._timeout, self._hold, self._capture = routing, timeout, hold, capture
        self._budget = max(2 * LIMIT, (machine.memory_limit() or 1 << 34) // 4)
        self._bytes = 0  # of all bodies that are here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if path == "/invocations" and method == "POST":
            await self._invoke(scope["headers"], receive, send)
            return
        await _send(send, await self._other(method, path))

    async def _other(self, method: str, path: str) -> Answer:
        """What is no prediction."""
        if path in ("/ping", "/metrics", "/execution-parameters", "/invocations"):
            if method != "GET" or path == "/invocations":
                return _refusal(405, f"{method[:20]} is not a method of {path}.")
            if path == "/ping":
                return self._ping()
            if path == "/metrics":
                body, kind = self.metrics.page()
                return Answer(200, [(b"content-type", kind.encode())], body)
            return await self._answer(None, b"GET", b"/execution-parameters", (), b"")
        return _refusal(404, f"There is nothing at {path[:200]}.")

    def _ping(self) -> Answer:
        """Healthy while each variant that gets requests has an instance that is, or may have none."""
        for place in self._routing.current.places.values():
            if place.variant.weight > 0 and place.fleet.wanted and not place.fleet.ready:
                return _refusal(503, f"{place.variant.name}: no instance is ready.")
        return Answer(200) if self.is_open else _refusal(503, "The endpoint ends.")

    async def _invoke(self, headers: Headers, receive: Receive, send: Send) -> None:
        began, place = time.perf_counter(), None
        size = 0

        def hold(total: int) -> None:
            """So much of it is here; what trickles in counts from its first byte on."""
            nonlocal size
            if self._bytes + total - size > self._budget:
                raise TooLarge
            self._bytes, size = self._bytes + total - size, total

        try:
            body = await _body(headers, receive, hold)
            target = next((value.decode("latin-1") for name, value in headers if name == TARGET), None)
            place = self._routing.choose(target)
            if place is None:
                known = ", ".join(self._routing.names)
                answer = _refusal(400, f"{TARGET.decode()}: must be one of {known}; it is {(target or '')[:100]!r}.")
            else:
                passed = [pair for pair in headers if pair[0] in TO_INSTANCE or pair[0].startswith(PASSED)]
                answer = await self._answer(place, b"POST", b"/invocations", passed, body)
                if self._capture is not None and answer.status // 100 == 2 and self._capture.wants():
                    answer = _noted(answer, partial(self._capture.note, place.variant.name, passed, body))
        except ConnectionError:  # the client has gone
            return
        except TooLarge as error:
            answer = _refusal(413 if error.args else 503, *(error.args or ("Too many bytes wait to be answered.",)))
        except TimeoutError:
            answer = _refusal(SLOW, "The body comes too slowly.")
        except Lost as error:
            answer = _refusal(503, f"The instance is lost: {error}.")
        except Exception:
            traceback.print_exc(file=sys.stderr)
            answer = _refusal(500, "The endpoint has failed; its log says why.")
        finally:
            self._bytes -= size
        self.metrics.done(place, answer.status, time.perf_counter() - began)
        await _send(send, answer, None if place is None else place.variant.name.encode())

    async def _answer(self, place: Place | None, method: bytes, path: bytes, headers: Headers, body: bytes) -> Answer:
        """What an instance answers; a refusal of our own where none does."""
        if place is None:
            place = self._routing.choose(None)
            assert place is not None  # one variant has a weight
            counted = False
        else:
            counted = True
        answer = await self._tried(place, method, path, headers, body)
        if counted:
            place.fleet.count(failed=answer.status >= 400)
        return answer

    async def _tried(self, place: Place, method: bytes, path: bytes, headers: Headers, body: bytes) -> Answer:
        fleet, tried, full = place.fleet, set[Instance](), None
        reason, sent, unreached = "", 0, 0
        end = time.monotonic() + self._hold
        while sent < SENT and unreached < UNREACHED:
            try:
                instance = await fleet.choose(tried, max(0.0, end - time.monotonic()))
            except Unavailable as error:
                return full or _refusal(503, f"{place.variant.name}: {reason or error}.")
            if full is not None and instance in tried:
                break
            tried.add(instance)
            instance.enter()
            try:
                answer = await instance.ask(method, path, headers, body, self._timeout)
            except TimeoutError:
                instance.doubt()
                return _refusal(504, f"{place.variant.name}: no answer within {self._timeout:g} seconds.")
            except Lost as error:
                instance.doubt()
                reason = str(error)
                sent, unreached = sent + error.is_sent, unreached + (not error.is_sent)
                continue
            finally:
                instance.leave()
            if answer.rest is not None:
                answer = _inside(answer, instance)
            if answer.status != 503:
                return answer
            answer = await _whole(answer)
            full, sent = answer, sent + 1  # it is full, and another one may not be
        return full or _refusal(503, f"{place.variant.name}: {reason}.")


async def _body(headers: Headers, receive: Receive, hold: Callable[[int], None]) -> bytes:
    """All of a request's body. Raises `TooLarge`, `TimeoutError` where it comes too slowly, and `ConnectionError` where
    the client does not send all of it."""
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    if announced.isdigit() and int(announced) > LIMIT:
        raise TooLarge(f"The body has more than {LIMIT:,} bytes.")
    parts, pace = [], Pace(asyncio.get_running_loop().time)
    pace.count(0)
    while True:
        async with asyncio.timeout_at(pace.deadline):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        parts.append(part)
        pace.count(len(part))
        if pace.size > LIMIT:
            raise TooLarge(f"The body has more than {LIMIT:,} bytes.")
        hold(pace.size)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _inside(answer: Answer, instance: Instance) -> Answer:
    """The same; its request is in the instance until all of it was passed on."""
    finish = answer.release

    def release() -> None:
        if finish is not None:
            finish()
        instance.leave()

    instance.enter()
    return replace(answer, release=release)


def _noted(answer: Answer, note: Callable[[Answer], None]) -> Answer:
    """The same; it is noted when all of it was passed on, unless it is longer than is worth it."""
    rest = answer.rest
    if rest is None:
        note(answer)
        return answer

    async def passed_on() -> AsyncIterator[bytes]:
        parts, size = [], 0
        async for part in rest:
            size += len(part)
            if size <= NOTED:
                parts.append(part)
            yield part
        if size <= NOTED:
            note(Answer(answer.status, answer.headers, b"".join(parts)))

    return replace(answer, rest=passed_on())


async def _whole(answer: Answer) -> Answer:
    """The same, all of which is here."""
    if answer.rest is None:
        return answer
    try:
        body = b"".join([part async for part in answer.rest])
    finally:
        if answer.release is not None:
            answer.release()
    return Answer(answer.status, answer.headers, body)


async def _send(send: Send, answer: Answer, variant: bytes | None = None) -> None:
    headers = [pair for pair in answer.headers if pair[0] in TO_CLIENT]
    if variant is not None:
        headers.append((INVOKED, variant))
    if answer.status == 503 and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", b"1"))
    if answer.status == SLOW:  # the rest of the body is not waited for
        headers.append((b"connection", b"close"))
    if answer.rest is None:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    elif (length := answer.header(b"content-length")) is not None:
        headers.append((b"content-length", length))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.rest is not None:
            async for part in answer.rest:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": answer.body})
    except Lost:
        pass  # the server closes the connection, by which the client sees that this was not all
    finally:
        if answer.release is not None:
            answer.release()


def _refusal(status: int, message: str) -> Answer:
    made = refusal(status, message)
    return Answer(status, _encoded(made.headers.items()), made.body)


def _encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
