"""An endpoint in this process, on a port, with instances of a few lines: its number of instances, and its updates."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import requests
import uvloop

from algoport.containers.deployment.capture import CaptureSettings
from algoport.containers.deployment.description import Description, Variant
from algoport.containers.deployment.endpoint import Endpoint, Settings
from algoport.containers.deployment.update import Plan
from algoport.containers.endpoints.server import Served
from tests.containers.deployment.instances import Fake, free_port, said, variant


@contextlib.asynccontextmanager
async def running(description: Description, folder: Path, lines: list[str], **more: object) -> AsyncIterator[Endpoint]:
    settings = Settings(name="one", port=free_port(), logs=folder / "logs", timeout=60, hold=60, **more)  # type: ignore[arg-type]
    endpoint = Endpoint(description, settings, lines.append)
    try:
        await endpoint.be_ready()
        yield endpoint
    finally:
        await endpoint.close()


def ask(endpoint: Endpoint) -> tuple[int, bytes]:
    answer = requests.post(f"http://127.0.0.1:{endpoint.settings.port}/invocations", b"1\n", timeout=90)
    return answer.status_code, answer.content


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instances are fakes that answer the name of their image; the names of the logs of all that were started."""
    names: list[str] = []

    def server(served: Served, log: Path, *, share: int, wait: bool) -> Fake:
        names.append(log.name)
        return Fake(lambda _: _hold_back(served)).start()

    monkeypatch.setattr("algoport.containers.deployment.endpoint.Server", server)
    return names


_gate = threading.Event()


def _hold_back(served: Served) -> bytes:
    """What an instance answers, when it may."""
    _gate.wait(60)
    return said(str(served.image).encode())


@pytest.fixture(autouse=True)
def gate() -> Iterator[threading.Event]:
    """Answers are given while it is open, as it is at first."""
    _gate.set()
    yield _gate
    _gate.set()


def test_instances_follow_the_requests_in_flight_down_to_none_and_back(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("algoport.containers.deployment.scaling.RISE", 0.2)
    monkeypatch.setattr("algoport.containers.deployment.endpoint.PACE", 0.02)

    async def run() -> None:
        wanted = Description(variants=(variant(lowest=0, highest=3),))
        async with running(wanted, tmp_path, lines, in_flight=2, cool_down=0.1) as endpoint:
            (fleet,) = endpoint.fleets
            assert not fleet.instances
            gate.clear()
            asking = [asyncio.create_task(asyncio.to_thread(ask, endpoint)) for _ in range(6)]
            while len(fleet.ready) < 3:
                await asyncio.sleep(0.02)
            gate.set()
            answers = await asyncio.gather(*asking)
            while fleet.instances:
                await asyncio.sleep(0.02)
            last = await asyncio.to_thread(ask, endpoint)

        assert set(answers) == {(200, b"one")} and last == (200, b"one")

    lines: list[str] = []
    uvloop.run(run())
    assert any("one: 3 in place of" in line for line in lines) and any("one: 0 in place of" in line for line in lines)


def test_an_update_answers_with_the_new_model_and_keeps_the_logs_of_the_old(tmp_path: Path, logs: list[str]) -> None:
    async def run() -> None:
        first = Description(variants=(variant(identity="1"),))
        async with running(first, tmp_path, lines, capture=CaptureSettings(folder=tmp_path / "captured")) as endpoint:
            before = await asyncio.to_thread(ask, endpoint)
            second = Variant(name="one", served=Served(image="two"), identity="2")
            done = await endpoint.update(Description(variants=(second,)), Plan(), steps.append)
            after = await asyncio.to_thread(ask, endpoint)
            (row,) = endpoint.rows()

        assert (before, after, done) == ((200, b"one"), (200, b"two"), "The endpoint serves one (two).")
        assert (row.variant, row.place, row.share, row.ready, row.wanted, row.requests) == ("one", "two", 1.0, 1, 1, 1)
        assert endpoint.capture is not None and endpoint.capture.written == 2

    lines, steps = list[str](), list[str]()
    uvloop.run(run())
    assert logs == ["one-1.log", "one-2.log"]
    assert steps == ["Starting the instances of one beside those that there are.", "Draining the old instances."]
    assert [line for line in lines if line in steps] == steps
