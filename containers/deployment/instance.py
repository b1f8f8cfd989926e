"""One instance of a model: its server, whether it is healthy, and how many requests are in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, UserError
from algoport.containers.deployment.connection import Answer, Headers, Lost, Pool

LOOK = 0.05  # seconds between two looks at an instance that starts
PING = 2.0  # seconds that /ping may take, as the platform allows
INTERVAL = 5.0  # seconds between two looks at an instance that is healthy, and one at an instance that is not
SOON = 0.5
SICK = 10.0  # seconds without a healthy answer after which it is replaced; a server needs some to replace a worker
# Starting and ending servers waits for processes; so many at a time.
_threads = ThreadPoolExecutor(64, thread_name_prefix="instances")


class Running(Protocol):
    """A server, as `endpoints.server.Server` is one."""

    url: str

    def fault(self) -> str | None:
        """Why it has ended; None while it runs."""
        ...

    def close(self) -> None:
        """End it, and wait until it has."""
        ...

    def kill(self) -> None:
        """End it at once; what remains is for `close`."""
        ...


class State(Enum):
    """Where in its life an instance is. Requests go to those that are ready."""

    STARTING = "starting"
    READY = "ready"
    SICK = "not healthy"
    DRAINING = "draining"
    ENDED = "ended"


class Instance:
    """A server that is started, asked whether it is healthy, and ended.

    `changed` is called whenever its state has changed.
    """

    def __init__(
        self, name: str, launch: Callable[[], Running], changed: Callable[[Instance], None], patience: float
    ) -> None:
        self.name, self.state = name, State.STARTING
        self.in_flight = 0
        self.ready_since: float | None = None  # by time.monotonic; None before it was
        self.reason: AlgoportError | None = None  # why it has ended, where nobody has asked it to
        self._launch, self._changed, self._patience = launch, changed, patience
        self._server: Running | None = None
        self._pool: Pool | None = None
        self._doubt, self._idle = asyncio.Event(), asyncio.Event()
        self._life = asyncio.create_task(self._live())

    async def ask(self, method: bytes, path: bytes, headers: Headers, body: bytes, timeout: float) -> Answer:
        """What its server answers; see `Pool.ask`."""
        if self._pool is None:
            raise Lost("it has not begun to listen", is_sent=False)
        return await self._pool.ask(method, path, headers, body, timeout)

    def enter(self) -> None:
        """One more request is in it."""
        self.in_flight += 1

    def leave(self) -> None:
        """One less."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def doubt(self) -> None:
        """A request was lost: it gets no others until it has said that it is healthy."""
        if self.state is State.READY:
            self._be(State.SICK)
            self._doubt.set()

    async def drain(self, patience: float) -> None:
        """Give it no more requests, let those that are in it finish, and end it."""
        if self.state is not State.ENDED:
            self._be(State.DRAINING)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    while self.in_flight:
                        self._idle.clear()
                        await self._idle.wait()
        await self.end()

    def kill(self) -> None:
        """Let its server end without another word, and with it the requests that are in it. Blocks."""
        if self._server is not None:
            self._server.kill()

    async def end(self) -> None:
        """End it now."""
        self._life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._life

    def ended(self) -> str | None:
        """Why its server has ended; None while it runs, or was not started yet."""
        return None if self._server is None else self._server.fault()

    async def _live(self) -> None:
        try:
            self.reason = await self._run()
        except AlgoportError as error:
            self.reason = error
        except Exception as error:
            self.reason = PlatformError(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self._be(State.ENDED)
            if self._pool is not None:
                self._pool.close()
            if self._server is not None:
                await _in_thread(self._server.close)

    async def _run(self) -> AlgoportError:
        """Its whole life; why it has ended, where nobody has asked it to."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        launched = loop.run_in_executor(_threads, self._launch)
        try:
            self._server = await asyncio.shield(launched)
        except asyncio.CancelledError:  # asked to end before it has begun: what begins all the same is closed
            with contextlib.suppress(AlgoportError):
                self._server = await launched
            raise
        place = urlsplit(self._server.url)
        self._pool = Pool(place.hostname or "127.0.0.1", place.port or 80)
        while not await self._is_healthy():
            if (why := self.ended()) is not None:
                return UserError(why)
            if loop.time() > end:
                return PlatformError(f"{self.name}: is not healthy after {self._patience:g} seconds.")
            await asyncio.sleep(LOOK)
        self.ready_since = time.monotonic()
        self._be(State.READY)
        return await self._watch()

    async def _watch(self) -> AlgoportError:
        """Ask whether it is healthy, again and again, until it is not for too long."""
        loop = asyncio.get_running_loop()
        healthy = loop.time()
        due = healthy + INTERVAL
        while loop.time() < healthy + INTERVAL + SICK:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._doubt.wait()
            if (why := self.ended()) is not None:
                return PlatformError(why)
            if loop.time() < due and not self._doubt.is_set():
                continue
            self._doubt.clear()
            if await self._is_healthy():
                healthy = loop.time()
                due = healthy + INTERVAL
                if self.state is State.SICK:
                    self._be(State.READY)
                continue
            if self.state is State.READY:
                self._be(State.SICK)
            due = loop.time() + SOON
        return PlatformError(f"{self.name}: its health checks have failed for {SICK:g} seconds.")

    async def _is_healthy(self) -> bool:
        try:
            answer = await self.ask(b"GET", b"/ping", (), b"", PING)
        except (Lost, TimeoutError):
            return False
        return answer.status == 200 and answer.rest is None

    def _be(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._changed(self)


async def _in_thread(act: Callable[[], None]) -> None:
    """Do what waits, and have it done whatever is cancelled meanwhile."""
    task = asyncio.get_running_loop().run_in_executor(_threads, act)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
