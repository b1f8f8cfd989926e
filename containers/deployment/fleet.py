"""The instances of a model: requests go to the least busy, and what ends is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from algoport.algorithms.contract.errors import AlgoportError
from algoport.containers.deployment.instance import Instance, Running, State

LOOK = 0.5  # seconds between two looks where nothing happens
PATIENCE = 600.0  # seconds for a start
SLOWEST = 30.0  # seconds between two starts that fail
FIRST = 3  # starts that may fail, one after the other, before somebody who waits for the fleet is told
BRIEF, LOSSES = 10.0, 5  # seconds of a brief life, and how many of them are replaced at once
PAUSE = 5.0  # seconds at most before the next is
MOST_HELD = 1000  # requests that wait for an instance
Launch = Callable[[str], Running]  # a server, by the name of its instance
Say = Callable[[str], None]


class Unavailable(Exception):
    """No instance can be asked now."""


@dataclass
class Counts:
    """What came of the requests."""

    requests: int = 0
    failures: int = 0  # requests that were refused or lost, whoever is to blame
    losses: int = 0  # instances that have ended while nobody asked them to

    def since(self, before: Counts) -> Counts:
        """What has happened after that."""
        return Counts(self.requests - before.requests, self.failures - before.failures, self.losses - before.losses)

    def copy(self) -> Counts:
        """As they are now."""
        return Counts(self.requests, self.failures, self.losses)


class Fleet:
    """So many instances as are wanted, kept alive by a task of its own."""

    def __init__(
        self,
        name: str,
        launch: Launch,
        *,
        wanted: int,
        say: Say,
        patience: float = PATIENCE,
        numbers: Iterator[int] | None = None,  # of the instances, where other fleets have the same name
    ) -> None:
        self.name, self.wanted, self.counts = name, wanted, Counts()
        self.instances: list[Instance] = []
        self._launch, self._say, self._patience = launch, say, patience
        self._numbers, self._turn = numbers or itertools.count(1), 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._wake = asyncio.Event()
        self._ends: set[asyncio.Task[None]] = set()
        self._failed, self._next = 0, 0.0  # starts that failed in a row, and when there may be another
        self._brief = 0  # instances that ended in a row, each soon after it was ready
        self._fault: AlgoportError | None = None  # of the last of them
        self._is_closing = False
        self._keeper = asyncio.create_task(self._keep())

    @property
    def ready(self) -> list[Instance]:
        """Those that can be asked."""
        return [instance for instance in self.instances if instance.state is State.READY]

    @property
    def waiting(self) -> int:
        """Requests that wait for an instance."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Requests that are in the instances, or wait for one."""
        return self.waiting + sum(instance.in_flight for instance in self.instances)

    async def choose(self, tried: set[Instance], patience: float) -> Instance:
        """The least busy, in turns where several are; one that was tried only where there is no other.

        A request waits while an instance starts. Raises `Unavailable` where too many wait already, or none starts in
        time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        if not self.wanted:
            self.want(1)
        while True:
            ready = self.ready
            fresh = [instance for instance in ready if instance not in tried] if tried else ready
            if ready and not fresh and len(ready) >= self.wanted:
                fresh = ready
            if fresh:
                return self._least_busy(fresh)
            if len(self._queue) >= MOST_HELD:
                raise Unavailable(f"{MOST_HELD:,} requests wait for an instance already")
            if self._is_closing:
                raise Unavailable("the endpoint ends")
            turn = loop.create_future()
            self._queue.append(turn)
            try:
                async with asyncio.timeout_at(deadline):
                    await turn
            except TimeoutError:
                raise Unavailable("no instance is ready") from None
            finally:
                with contextlib.suppress(ValueError):
                    self._queue.remove(turn)

    def _least_busy(self, instances: list[Instance]) -> Instance:
        least = min(instance.in_flight for instance in instances)
        equals = [instance for instance in instances if instance.in_flight == least]
        self._turn += 1
        return equals[self._turn % len(equals)]

    def count(self, *, failed: bool) -> None:
        """A request has been answered, or not."""
        self.counts.requests += 1
        self.counts.failures += failed

    def want(self, number: int) -> None:
        """Have so many from now on."""
        if number != self.wanted:
            self.wanted = number
            self._wake.set()

    async def be_ready(self) -> None:
        """Wait until as many are ready as are wanted; the error of the last start where starts fail."""
        while len(self.ready) < self.wanted:
            if self._failed >= FIRST and self._fault is not None:
                raise self._fault
            await asyncio.sleep(0.02)

    def stop_holding(self) -> None:
        """Requests wait no more: those that do are refused."""
        self._is_closing = True
        self._release()

    async def close(self, patience: float) -> None:
        """End all of it; requests that are in the instances have that long."""
        self.stop_holding()
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        await asyncio.gather(*(instance.drain(patience) for instance in self.instances), *self._ends)
        self.instances.clear()

    async def _keep(self) -> None:
        """Compare what is wanted with what there is, whenever something has changed."""
        while True:
            self._wake.clear()
            self._step()
            delay = LOOK if self._next <= time.monotonic() else min(LOOK, self._next - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, delay)):
                    await self._wake.wait()

    def _step(self) -> None:
        for instance in [one for one in self.instances if one.state is State.ENDED]:
            self.instances.remove(instance)
            self._note_end(instance)
        alive = [instance for instance in self.instances if instance.state is not State.DRAINING]
        for instance in _dispensable(alive)[: max(0, len(alive) - self.wanted)]:
            self._dismiss(instance)
            alive.remove(instance)
        if time.monotonic() >= self._next:
            for _ in range(self.wanted - len(alive)):
                name = f"{self.name}-{next(self._numbers)}"
                launch = partial(self._launch, name)
                self.instances.append(Instance(name, launch, self._changed, self._patience))

    def _note_end(self, instance: Instance) -> None:
        if instance.reason is None:
            return
        self._fault = instance.reason
        if instance.ready_since is not None:
            self.counts.losses += 1
            self._brief = self._brief + 1 if time.monotonic() < instance.ready_since + BRIEF else 0
            if self._brief > LOSSES:  # a model that always ends would take all of the machine for its starts
                self._next = time.monotonic() + min(PAUSE, 2.0 ** (self._brief - LOSSES - 1))
            self._say(f"{instance.name}: is replaced. {self._fault}")
            return
        self._failed += 1
        pause = 0.0 if self._failed < FIRST else min(SLOWEST, 2.0 ** (self._failed - FIRST))
        self._next = time.monotonic() + pause
        self._say(f"{instance.name}: did not start. {self._fault}")

    def _dismiss(self, instance: Instance) -> None:
        """One too many: it finishes what it has."""
        end = asyncio.create_task(instance.drain(PATIENCE))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)

    def _changed(self, instance: Instance) -> None:
        if instance.state is State.READY:
            self._failed = 0
            self._release()
        self._wake.set()

    def _release(self) -> None:
        """Let all that wait look again."""
        for turn in self._queue:
            if not turn.done():
                turn.set_result(None)


def _dispensable(instances: list[Instance]) -> list[Instance]:
    """Those that are missed the least come first: that still start, that are not healthy, that have the least to do."""
    order = {State.STARTING: 0, State.SICK: 1}
    return sorted(instances, key=lambda instance: (order.get(instance.state, 2), instance.in_flight))
