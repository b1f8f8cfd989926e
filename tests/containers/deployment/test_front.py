"""The front: what reaches instances and clients, and what becomes of a request whose instance fails."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from algoport.containers.deployment.configuration import Place
from algoport.containers.deployment.front import Front
from tests.containers.deployment.instances import Fake, Rack, ask, fleet, front, said, variant

BUSY = said(b'{"code": 503}', "503 Service Unavailable", "Retry-After: 7")


@asynccontextmanager
async def single(rack: Rack, wanted: int = 1, **more: float) -> AsyncIterator[Front]:
    """A front before one variant, all of whose instances are ready."""
    instances = fleet(rack, wanted)
    await instances.be_ready()
    try:
        yield front(Place(variant(), instances), **more)
    finally:
        await instances.close(1)


def test_a_body_and_the_headers_of_the_contract_pass_and_no_others() -> None:
    async def run() -> None:
        reply = said(b"9\n", "200 OK", "X-Amzn-SageMaker-Custom-Attributes: a=1", "Server: mine", "X-Other: 1")
        rack = Rack(Fake(lambda body: reply))
        given = [
            (b"content-type", b"text/csv"),
            (b"accept", b"text/csv"),
            (b"x-amzn-sagemaker-inference-id", b"7"),
            (b"cookie", b"secret"),
            (b"host", b"outside"),
        ]
        async with single(rack) as app:
            code, headers, body = await ask(app, b"\x00\xff", given)

        assert (code, body, rack.all[0].bodies) == (200, b"9\n", [b"\x00\xff"])
        assert headers == {
            "content-type": "text/csv",
            "x-amzn-sagemaker-custom-attributes": "a=1",
            "x-amzn-invoked-production-variant": "one",
            "content-length": "2",
        }
        head = rack.all[0].heads[0].decode()
        assert "x-amzn-sagemaker-inference-id: 7" in head and "cookie" not in head and "outside" not in head

    uvloop.run(run())


def test_a_request_whose_instance_is_lost_is_answered_by_another_one() -> None:
    async def run() -> None:
        rack = Rack(Fake(lambda body: None), Fake())
        async with single(rack, wanted=2) as app:
            codes = [(await ask(app))[0] for _ in range(4)]

        assert codes == [200] * 4
        assert len(rack.all[0].bodies) >= 1 and len(rack.all[1].bodies) == 4

    uvloop.run(run())


def test_a_request_that_ends_its_instances_is_sent_twice_and_then_refused() -> None:
    async def run() -> None:
        rack = Rack(*(Fake(lambda body: None) for _ in range(3)))
        async with single(rack, wanted=3) as app:
            code, headers, body = await ask(app)

        assert code == 503 and headers["retry-after"] == "1"
        assert json.loads(body)["message"] == "one: its connection has broken off."
        assert sum(len(fake.bodies) for fake in rack.all) == 2

    uvloop.run(run())


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    async def run() -> None:
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n1,2"
        rack = Rack(Fake(lambda body: half, hang_up=True), Fake())
        async with single(rack, wanted=2) as app:
            answers = [await ask(app) for _ in range(3)]

        assert rack.all[0].bodies
        assert [(code, body) for code, _, body in answers] == [(200, b"1,2\n")] * 3

    uvloop.run(run())


def test_an_instance_that_is_full_leaves_its_request_to_another_one() -> None:
    async def run() -> None:
        rack = Rack(Fake(lambda body: BUSY), Fake(lambda body: BUSY))
        async with single(rack, wanted=2) as app:
            code, headers, _ = await ask(app)
            rack.all[1].answer = said
            others = [(await ask(app))[0] for _ in range(2)]

        assert (code, headers["retry-after"]) == (503, "7")
        assert others == [200, 200]

    uvloop.run(run())


def test_an_answer_of_unknown_length_is_passed_on_and_one_that_breaks_off_ends_as_one() -> None:
    async def run() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        rack = Rack(Fake(lambda body: head + b"3\r\n1,2\r\n1\r\n\n\r\n0\r\n\r\n"))
        async with single(rack) as app:
            answers = [await ask(app), await ask(app)]
            rack.all[0].answer, rack.all[0].hang_up = lambda body: head + b"3\r\n1,2\r\n", True
            with pytest.raises(ConnectionError):
                await ask(app)
            inside = app._routing.current.fleets[0].in_flight

        assert [(code, body) for code, _, body in answers] == [(200, b"1,2\n")] * 2
        assert not inside

    uvloop.run(run())


def test_an_instance_that_takes_too_long_is_given_up() -> None:
    async def run() -> None:
        waiting = asyncio.get_running_loop()
        gate = asyncio.Event()

        def wait(body: bytes) -> bytes:
            asyncio.run_coroutine_threadsafe(gate.wait(), waiting).result(10)
            return said(body)

        async with single(Rack(Fake(wait)), timeout=0.1) as app:
            code, _, body = await ask(app)
            gate.set()

        assert code == 504 and json.loads(body)["message"] == "one: no answer within 0.1 seconds."

    uvloop.run(run())


def test_requests_are_shared_out_by_weight_and_a_variant_may_be_named() -> None:
    async def run() -> None:
        racks = {"a": Rack(), "b": Rack(), "c": Rack()}
        fleets = {name: fleet(rack, name=name) for name, rack in racks.items()}
        for one in fleets.values():
            await one.be_ready()
        weights = {"a": 3.0, "b": 1.0, "c": 0.0}
        app = front(*(Place(variant(name, weight=weights[name]), one) for name, one in fleets.items()))

        counted = Counter([(await ask(app))[1]["x-amzn-invoked-production-variant"] for _ in range(40)])
        named = await ask(app, headers=[(b"x-amzn-sagemaker-target-variant", b"c")])
        unknown = await ask(app, headers=[(b"x-amzn-sagemaker-target-variant", b"d")])
        for one in fleets.values():
            await one.close(1)

        assert counted == {"a": 30, "b": 10}
        assert named[1]["x-amzn-invoked-production-variant"] == "c"
        message = "x-amzn-sagemaker-target-variant: must be one of a, b, c; it is 'd'."
        assert unknown[0] == 400 and json.loads(unknown[2])["message"] == message

    uvloop.run(run())


def test_other_paths_are_those_of_a_container() -> None:
    async def run() -> None:
        rack = Rack(Fake(lambda body: said(b"{}")))
        async with single(rack) as app:
            await ask(app)
            ping = await ask(app, path="/ping", method="GET")
            parameters = await ask(app, path="/execution-parameters", method="GET")
            metrics = await ask(app, path="/metrics", method="GET")
            wrong = [
                (await ask(app, path="/ping"))[0],
                (await ask(app, method="GET"))[0],
                (await ask(app, path="/"))[0],
            ]
            await app._routing.current.places["one"].fleet.close(1)
            sick = (await ask(app, path="/ping", method="GET"))[0]

        assert (ping[0], parameters[0], parameters[2], wrong, sick) == (200, 200, b"{}", [405, 405, 404], 503)
        assert b'algoport_endpoint_requests_total{code="200",variant="one"} 1.0' in metrics[2]
        assert b'algoport_endpoint_instances_ready{variant="one"} 1.0' in metrics[2]

    uvloop.run(run())


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async def run() -> None:
        async with single(Rack()) as app:
            code, _, body = await ask(app, headers=[(b"content-length", b"104857601")])
            app._bytes = app._budget
            full = await ask(app, headers=[(b"content-length", b"4")])

        assert code == 413 and "104,857,600 bytes" in json.loads(body)["message"]
        assert full[0] == 503 and full[1]["retry-after"] == "1"

    uvloop.run(run())


def trickling(parts: list[bytes], then: asyncio.Event) -> Any:
    """A client that sends these, and then nothing until it is told to go on."""
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await then.wait()
        return {"type": "http.disconnect"}

    return receive


def test_bodies_that_trickle_in_count_from_their_first_byte_on() -> None:
    async def run() -> None:
        async with single(Rack()) as app:
            app._budget, end, sent = 1000, asyncio.Event(), list[dict[str, Any]]()

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": []}
            slow = asyncio.create_task(app(scope, trickling([b"1" * 900], end), send))
            await asyncio.sleep(0.05)
            full = await ask(app, b"1" * 200)
            fits = await ask(app, b"1" * 90)
            end.set()
            await slow
            after = await ask(app, b"1" * 1000)

        assert (full[0], full[1]["retry-after"], fits[0], after[0], sent) == (503, "1", 200, 200, [])
        assert app._bytes == 0

    uvloop.run(run())


def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with single(Rack()) as app:
            sent = list[dict[str, Any]]()

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": []}
            await app(scope, trickling([b"1", b"2"], asyncio.Event()), send)

        assert sent[0]["status"] == 408 and (b"connection", b"close") in sent[0]["headers"]
        assert json.loads(sent[1]["body"])["message"] == "The body comes too slowly."
        assert app._bytes == 0

    monkeypatch.setattr("algoport.serving.arrival.PATIENCE", 0.1)
    uvloop.run(run())
