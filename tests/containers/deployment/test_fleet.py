"""A fleet keeps as many instances as are wanted, whatever becomes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop

from algoport.algorithms.contract.errors import UserError
from algoport.containers.deployment.configuration import Place, Split
from algoport.containers.deployment.fleet import Unavailable
from algoport.containers.deployment.instance import State
from tests.containers.deployment.instances import Fake, Rack, ask, fleet, front, variant


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_the_least_busy_is_chosen_and_equals_take_turns() -> None:
    async def run() -> None:
        instances = fleet(Rack(), wanted=3)
        await instances.be_ready()
        first, second, third = instances.instances
        first.enter()
        second.enter()
        alone = {await instances.choose(set(), 1) for _ in range(4)}
        third.enter()
        turns = [await instances.choose(set(), 1) for _ in range(6)]
        others = await instances.choose({first, second}, 1)
        for one in (first, second, third):
            one.leave()
        await instances.close(1)

        assert alone == {third}
        assert all(turns.count(one) == 2 for one in (first, second, third))
        assert others is third

    uvloop.run(run())


def test_an_instance_that_ends_is_replaced_and_requests_wait_for_the_next() -> None:
    async def run() -> None:
        lines: list[str] = []
        rack = Rack(Fake(), Fake(delay=0.3))
        instances = fleet(rack, lines=lines)
        await instances.be_ready()
        app = front(Place(variant(), instances))
        rack.all[0].die("the server has ended with exit code 137")
        while not instances.counts.losses:  # what the fake would answer until then, a killed server would not
            await asyncio.sleep(0.001)
        codes = await asyncio.gather(*(ask(app) for _ in range(5)))
        await instances.close(1)

        assert [code for code, _, _ in codes] == [200] * 5
        assert len(rack.all[1].bodies) == 5 and rack.all[0].closed and rack.all[1].closed
        assert lines == ["one-1: is replaced. the server has ended with exit code 137"]
        assert instances.counts.losses == 1

    uvloop.run(run())


def test_an_instance_that_is_not_healthy_gets_no_requests_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algoport.containers.deployment.instance.INTERVAL", 0.05)
    monkeypatch.setattr("algoport.containers.deployment.instance.SOON", 0.05)

    async def run() -> None:
        rack = Rack()
        instances = fleet(rack, wanted=2)
        await instances.be_ready()
        sick = rack.all[0]
        sick.ping = "500 Internal Server Error"
        await until(lambda: len(instances.ready) == 1)
        app = front(Place(variant(), instances))
        codes = [(await ask(app))[0] for _ in range(4)]
        answered = len(sick.bodies)
        sick.ping = "200 OK"
        await until(lambda: len(instances.ready) == 2)
        await instances.close(1)

        assert codes == [200] * 4 and not answered and len(rack.all) == 2

    uvloop.run(run())


def test_an_instance_that_stays_not_healthy_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTERVAL", "SOON", "SICK"):
        monkeypatch.setattr(f"algoport.containers.deployment.instance.{name}", 0.05)

    async def run() -> None:
        lines: list[str] = []
        rack = Rack()
        instances = fleet(rack, lines=lines)
        await instances.be_ready()
        rack.all[0].ping = "500 Internal Server Error"
        await until(lambda: len(rack.all) == 2 and len(instances.ready) == 1)
        await until(lambda: rack.all[0].closed)
        await instances.close(1)

        assert lines == ["one-1: is replaced. one-1: its health checks have failed for 0.05 seconds."]

    uvloop.run(run())


def test_what_cannot_start_is_tried_less_and_less_often_and_who_waits_is_told() -> None:
    async def run() -> None:
        rack = Rack(*(Fake(fault_=f"reason {number}") for number in range(20)))
        lines: list[str] = []
        instances = fleet(rack, lines=lines)
        with pytest.raises(UserError, match="reason 2"):
            await instances.be_ready()
        await asyncio.sleep(0.3)
        with pytest.raises(Unavailable, match="no instance is ready"):
            await instances.choose(set(), 0.05)
        await instances.close(1)

        assert lines == [f"one-{number + 1}: did not start. reason {number}" for number in range(3)]

    uvloop.run(run())


def test_fewer_are_wanted_and_those_that_go_finish_what_they_have() -> None:
    async def run() -> None:
        loop, gate = asyncio.get_running_loop(), asyncio.Event()

        def wait(body: bytes) -> bytes:
            from tests.containers.deployment.instances import said

            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
            return said(body)

        rack = Rack(Fake(wait), Fake(wait))
        instances = fleet(rack, wanted=2)
        await instances.be_ready()
        app = front(Place(variant(), instances))
        asked = [asyncio.create_task(ask(app)) for _ in range(2)]
        await until(lambda: all(fake.bodies for fake in rack.all))
        instances.want(1)
        await until(lambda: len(instances.ready) == 1)
        going = [one for one in instances.instances if one.state is State.DRAINING]
        await asyncio.sleep(0.1)
        closed = [fake.closed for fake in rack.all]
        gate.set()
        codes = [(await task)[0] for task in asked]
        await until(lambda: len(instances.instances) == 1)
        await until(lambda: sum(fake.closed for fake in rack.all) == 1)
        await instances.close(1)

        assert len(going) == 1 and closed == [False, False] and codes == [200, 200]

    uvloop.run(run())


def test_none_are_wanted_and_a_request_starts_one() -> None:
    async def run() -> None:
        rack = Rack()
        instances = fleet(rack, wanted=0)
        await instances.be_ready()
        before = len(rack.all)
        code, _, _ = await ask(front(Place(variant(), instances)))
        await instances.close(1)

        assert (before, code, len(rack.all)) == (0, 200, 1)

    uvloop.run(run())


def test_requests_that_wait_are_refused_when_it_takes_too_long_or_all_ends() -> None:
    async def run() -> None:
        instances = fleet(Rack(Fake(delay=60)))
        app = front(Place(variant(), instances), hold=0.05)
        late = await ask(app)
        app = front(Place(variant(), instances), hold=60)
        waiting = asyncio.create_task(ask(app))
        await until(lambda: instances.waiting == 1)
        instances.stop_holding()
        ended = await waiting
        await instances.close(1)

        assert late[0] == ended[0] == 503 and late[1]["retry-after"] == ended[1]["retry-after"] == "1"

    uvloop.run(run())


def test_shares_are_kept_at_every_moment() -> None:
    weights = {"a": 5.0, "b": 3.0, "c": 1.0, "d": 0.0}
    split = Split(weights.items())

    chosen = [split.choose() for _ in range(900)]

    for count in range(1, 901):
        for name, weight in weights.items():
            assert abs(chosen[:count].count(name) - count * weight / 9) <= 1
    assert Split([("a", 0.0)]).choose() is None


def test_instances_that_end_again_and_again_are_replaced_less_often() -> None:
    async def run() -> None:
        rack = Rack()
        instances = fleet(rack)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            for fake in list(rack.all):
                if instances.ready and fake.fault_ is None:
                    fake.die()
            await asyncio.sleep(0.01)
        starts, losses = len(rack.all), instances.counts.losses
        await until(lambda: bool(instances.ready))
        await instances.close(1)

        # Six at once, and others 1 and 2 seconds after.
        assert (starts, losses) in {(7, 6), (7, 7)}

    uvloop.run(run())
