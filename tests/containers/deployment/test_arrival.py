"""Heads of requests that have no end, or come too slowly, at an endpoint's port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
import uvloop

from algoport.containers.deployment import arrival
from algoport.containers.deployment.arrival import Connection
from algoport.containers.deployment.endpoint import _bound, _Server
from tests.containers.deployment.instances import free_port

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


async def echo(scope: dict[str, object], receive: object, send: object) -> None:
    """Answers with how long a body was."""
    assert callable(receive) and callable(send)
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def connected(servers: list[uvicorn.Server] | None = None) -> AsyncIterator[Streams]:
    port = free_port()
    config = uvicorn.Config(echo, http=Connection, loop="none", ws="none", lifespan="off", log_config=None)
    server = _Server(config)
    if servers is not None:
        servers.append(server)
    serving = asyncio.create_task(server.serve(sockets=[_bound(port)]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
    return head.split()[1], await reader.readexactly(int(size))


def test_a_head_without_an_end_is_refused() -> None:
    async def run() -> None:
        async with connected() as (reader, writer):
            writer.write(POST)
            for _ in range(30):
                await writer.drain()
                writer.write(b"X-A: " + b"a" * 10_000)
                await asyncio.sleep(0.001)
                if reader._buffer:  # type: ignore[attr-defined]
                    break
            assert await answered(reader) == (b"400", b"The head of the request is too long.")
            assert await reader.read() == b""

    uvloop.run(run())


def test_long_bodies_and_requests_one_after_the_other_are_no_long_heads() -> None:
    async def run() -> None:
        async with connected() as (reader, writer):
            for size in (3, 1_000_000, 0, 200_000):
                writer.write(POST + b"Content-Length: %d\r\n\r\n" % size + b"1" * size)
                assert await answered(reader) == (b"200", b"%d" % size)

    uvloop.run(run())


@pytest.mark.parametrize("sent", [b"", POST], ids=["nothing", "half a head"])
def test_a_connection_that_sends_no_request_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "UNUSED", 0.2)
    monkeypatch.setattr(arrival, "PATIENCE", 0.2)

    async def run() -> None:
        async with connected() as (reader, writer):
            writer.write(sent)
            async with asyncio.timeout(10):
                assert await reader.read() == b""

    uvloop.run(run())


def test_a_request_after_a_slow_answer_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "UNUSED", 0.2)
    monkeypatch.setattr(arrival, "PATIENCE", 0.2)

    async def run() -> None:
        async with connected() as (reader, writer):
            for _ in range(2):
                writer.write(POST + b"Content-Length: 2\r\n\r\n1")
                await asyncio.sleep(0.4)
                writer.write(b"1")
                assert await answered(reader) == (b"200", b"2")
                await asyncio.sleep(0.4)

    uvloop.run(run())


def test_an_answer_in_two_parts_is_not_held_back_until_the_first_is_acknowledged() -> None:
    async def run() -> None:
        servers = list[uvicorn.Server]()
        async with connected(servers) as (reader, writer):
            writer.write(POST + b"Content-Length: 1\r\n\r\n1")
            await answered(reader)
            (connection,) = servers[0].server_state.connections
            assert isinstance(connection, Connection)
            client = connection.transport.get_extra_info("socket")

            assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    uvloop.run(run())
