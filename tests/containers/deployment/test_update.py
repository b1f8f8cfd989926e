"""Updates: who answers at each step, and when all is as it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest
import uvloop

from algoport.algorithms.contract.errors import UserError
from algoport.containers.deployment.configuration import Configuration, Place, Routing
from algoport.containers.deployment.description import Description, Variant
from algoport.containers.deployment.fleet import Fleet
from algoport.containers.deployment.front import Front
from algoport.containers.deployment.update import Plan, RolledBack, update
from tests.containers.deployment.instances import Fake, Rack, ask, fleet, said, variant


@dataclass
class Clock:
    """The time of updates, which passes as a test says."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("algoport.containers.deployment.update.monotonic", made)
    return made


class Stage:
    """An endpoint without its process: what `update` changes, and a client."""

    def __init__(self, old: Rack, **racks: Rack) -> None:
        self.racks, self.lines = racks, list[str]()
        self.old = fleet(old)
        self.routing = Routing(Configuration([Place(variant(identity="1"), self.old)]))
        self.app = Front(self.routing, timeout=60, hold=60)
        self.made: list[Fleet] = [self.old]

    def place(self, wanted: Variant, description: Description) -> Place:
        made = fleet(self.racks[wanted.identity], wanted.lowest, wanted.name)
        self.made.append(made)
        return Place(wanted, made)

    async def retire(self, fleets: Sequence[Fleet]) -> None:
        for one in fleets:
            await one.close(5)

    def update(self, *variants: Variant, shares: tuple[float, ...] = (), bake: float = 0.0) -> asyncio.Task[str]:
        wanted, plan = Description(variants=variants), Plan(shares=shares, bake=bake)
        self.updating = asyncio.create_task(
            update(self.routing, wanted, plan, self.place, self.retire, self.lines.append)
        )
        return self.updating

    async def has_share(self, share: float) -> None:
        """Wait until the update gets that share of the requests."""
        while self.routing.share != share:
            assert not self.updating.done(), self.updating
            await asyncio.sleep(0.01)

    async def answers(self, count: int) -> Counter[bytes]:
        return Counter([(await ask(self.app))[2] for _ in range(count)])


def played(act: Callable[[Stage], Awaitable[None]], old: Rack, **racks: Rack) -> None:
    async def run() -> None:
        stage = Stage(old, **racks)
        await stage.old.be_ready()
        try:
            await act(stage)
        finally:
            for one in stage.made:
                await one.close(1)

    uvloop.run(run())


def says(word: bytes, status: str = "200 OK") -> Fake:
    return Fake(lambda body: said(word, status))


def test_all_requests_pass_over_at_once_and_none_is_refused_meanwhile() -> None:
    async def act(stage: Stage) -> None:
        over = False
        codes = Counter[int]()

        async def client() -> None:
            while not over:
                codes[(await ask(stage.app))[0]] += 1
                await asyncio.sleep(0.005)

        clients = [asyncio.create_task(client()) for _ in range(4)]
        try:
            await stage.update(variant(identity="2", lowest=2, highest=2))
            after = await stage.answers(4)
        finally:
            over = True
            await asyncio.gather(*clients)

        assert set(codes) == {200} and after == {b"new": 4}
        assert not stage.old.instances and len(stage.routing.current.fleets[0].ready) == 2

    played(act, Rack(says(b"old")), **{"2": Rack(says(b"new"), says(b"new"))})


def test_a_canary_gets_its_share_until_it_was_watched(clock: Clock) -> None:
    async def act(stage: Stage) -> None:
        updating = stage.update(variant(identity="2"), shares=(0.25,), bake=30)
        await stage.has_share(0.25)
        during = await stage.answers(8)
        clock.seconds += 30
        await stage.has_share(1.0)
        last = await stage.answers(2)
        clock.seconds += 30
        await updating
        after = await stage.answers(2)

        assert during == {b"old": 6, b"new": 2} and last == {b"new": 2} and after == {b"new": 2}
        assert "25 %: 2 requests, of which 0 failed." in stage.lines
        assert "100 %: 2 requests, of which 0 failed." in stage.lines

    played(act, Rack(says(b"old")), **{"2": Rack(says(b"new"))})


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
def test_an_update_that_fails_more_often_than_the_old_is_rolled_back(status: str) -> None:
    async def act(stage: Stage) -> None:
        updating = stage.update(variant(identity="2"), shares=(0.5,), bake=30)
        await stage.has_share(0.5)
        await stage.answers(10)
        with pytest.raises(RolledBack, match=r"5 of 5 requests to the update failed, 100 % where 0 % did before"):
            await updating
        after = await stage.answers(4)

        assert after == {b"old": 4} and not stage.made[1].instances

    played(act, Rack(says(b"old")), **{"2": Rack(says(b"no", status))})


def test_an_update_that_is_no_worse_than_the_old_is_not_rolled_back(clock: Clock) -> None:
    async def act(stage: Stage) -> None:
        await stage.answers(5)
        updating = stage.update(variant(identity="2"), shares=(0.5,), bake=30)
        await stage.has_share(0.5)
        await stage.answers(10)
        clock.seconds += 30
        await stage.has_share(1.0)
        clock.seconds += 30
        await updating

        assert await stage.answers(4) == {b"new": 4}

    bad = "400 Bad Request"
    played(act, Rack(says(b"old", bad)), **{"2": Rack(says(b"new", bad))})


def test_an_instance_of_the_update_that_ends_rolls_it_back() -> None:
    new = says(b"new")

    async def act(stage: Stage) -> None:
        updating = stage.update(variant(identity="2"), shares=(0.5,), bake=30)
        await stage.has_share(0.5)
        new.die()
        with pytest.raises(RolledBack, match="an instance of the update has ended"):
            await updating

        assert await stage.answers(4) == {b"old": 4}

    played(act, Rack(says(b"old")), **{"2": Rack(new, says(b"new"))})


def test_an_update_that_cannot_start_changes_nothing() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(UserError, match="no model"):
            await stage.update(variant(identity="2"))

        assert await stage.answers(4) == {b"old": 4} and stage.routing.following is None

    played(act, Rack(says(b"old")), **{"2": Rack(*(Fake(fault_="no model") for _ in range(9)))})


def test_an_update_that_is_taken_back_changes_nothing() -> None:
    async def act(stage: Stage) -> None:
        updating = stage.update(variant(identity="2"), shares=(0.5,), bake=30)
        await stage.has_share(0.5)
        updating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await updating

        assert await stage.answers(4) == {b"old": 4} and not stage.made[1].instances

    played(act, Rack(says(b"old")), **{"2": Rack(says(b"new"))})


def test_a_variant_whose_model_is_the_same_keeps_its_instances_and_gets_its_weight_and_number() -> None:
    async def act(stage: Stage) -> None:
        same = variant(identity="1", weight=1.0, lowest=2, highest=2)
        await stage.update(same, variant("two", identity="2", weight=3.0))
        await stage.old.be_ready()

        assert await stage.answers(8) == {b"old": 2, b"new": 6}
        assert len(stage.old.ready) == 2 and len(stage.made) == 2

    played(act, Rack(says(b"old"), says(b"old")), **{"2": Rack(says(b"new"))})


def test_shares_of_a_canary_rise() -> None:
    for shares in ((0.0,), (1.0,), (0.5, 0.1), (-0.1,)):
        with pytest.raises(UserError, match="--canary: must be percents that rise"):
            Plan(shares=shares)
    assert Plan.from_json(Plan(shares=(0.1, 0.5), bake=2).as_json()) == Plan(shares=(0.1, 0.5), bake=2)
