"""An endpoint on this machine: the front, and before what it stands."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from algoport.algorithms.contract.errors import AlgoportError, UserError
from algoport.algorithms.shared import machine
from algoport.containers.deployment.arrival import Connection
from algoport.containers.deployment.capture import Capture, CaptureSettings
from algoport.containers.deployment.configuration import Configuration, Place, Routing
from algoport.containers.deployment.description import Description, Variant
from algoport.containers.deployment.fleet import Fleet, Say
from algoport.containers.deployment.front import Front
from algoport.containers.deployment.scaling import Scaler
from algoport.containers.deployment.update import Plan, update
from algoport.containers.endpoints.server import Server, check_free

BACKLOG = 1024
PACE = 0.25  # seconds between two looks at the load
LEAVE = 5.0  # seconds that clients have to take their last answers


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for all variants of an endpoint."""

    name: str
    port: int
    logs: Path
    timeout: float = 60.0  # seconds that an instance may take for an answer
    hold: float = 30.0  # seconds that a request waits for an instance
    in_flight: float = 4.0  # requests that an instance is to have, where their number follows the load
    cool_down: float = 60.0  # seconds after which there are fewer
    capture: CaptureSettings | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a variant does."""

    variant: str
    place: str  # what its model is called
    share: float  # of all requests, from 0 to 1
    ready: int
    wanted: int
    in_flight: int
    requests: int
    failures: int
    losses: int


class Endpoint:
    """Variants with their instances, and the front before them. To be made within a running loop."""

    def __init__(self, description: Description, settings: Settings, say: Say) -> None:
        """Begin to start all instances. Raises `UserError` where the port is taken."""
        self.settings, self.say = settings, say
        machine.raise_descriptors()  # two for each request
        self._socket = _bound(settings.port)
        self.capture = None if settings.capture is None else Capture(settings.capture, settings.name, say)
        self._numbers: dict[str, Iterator[int]] = {}  # of instances, by the names of variants
        self.routing = Routing(Configuration([self.place(variant, description) for variant in description.variants]))
        self.front = Front(self.routing, timeout=settings.timeout, hold=settings.hold, capture=self.capture)
        self._server = _Server(
            uvicorn.Config(
                self.front,
                http=Connection,
                loop="none",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=65,  # longer than the platform's proxies keep a connection idle
                timeout_graceful_shutdown=int(settings.timeout) + 5,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # clients that leave are no news
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        self._scalers: dict[Fleet, Scaler] = {}
        self._scaling = asyncio.create_task(self._scale())
        self._updating, self._retired = asyncio.Lock(), set[asyncio.Task[None]]()

    def place(self, variant: Variant, description: Description) -> Place:
        """A variant with instances of its own, which begin to start."""
        share = max(1, sum(max(1, each.highest) for each in description.variants))
        settings = self.settings

        def launch(name: str) -> Server:
            log = settings.logs / f"{name}.log"
            if variant.pipeline:
                return _Pipeline(variant.served, log, share=share, wait=False)
            return Server(variant.served, log, share=share, wait=False)

        # An update's instances have numbers, and so logs, of their own beside those of the old ones.
        numbers = self._numbers.setdefault(variant.name, itertools.count(1))
        return Place(variant, Fleet(variant.name, launch, wanted=variant.lowest, say=self.say, numbers=numbers))

    @property
    def fleets(self) -> list[Fleet]:
        """All instances that there are, by their models."""
        return list(dict.fromkeys(fleet for one in self.routing.configurations for fleet in one.fleets))

    async def be_ready(self) -> None:
        """Wait until every instance is; the error of the first that cannot start."""
        await asyncio.gather(*(fleet.be_ready() for fleet in self.fleets))

    async def update(self, wanted: Description, plan: Plan, say: Say) -> str:
        """See `update.update`; one at a time."""
        if self._updating.locked():
            raise UserError(f"{self.settings.name}: is being updated already.")

        def both(line: str) -> None:
            self.say(line)
            say(line)

        async with self._updating:
            try:
                done = await update(self.routing, wanted, plan, self.place, self._retire, both)
            except (AlgoportError, asyncio.CancelledError) as error:
                self.say(f"The update has ended: {str(error) or 'it was taken back'}")
                raise
            self.say(done)
            return done

    async def _retire(self, fleets: Sequence[Fleet]) -> None:
        """End instances when their requests are answered, also where nobody waits for that any more."""
        tasks = [asyncio.create_task(fleet.close(self.settings.timeout)) for fleet in fleets]
        self._retired.update(tasks)
        for task in tasks:
            task.add_done_callback(self._retired.discard)
            await asyncio.shield(task)

    async def _scale(self) -> None:
        """Have as many instances of each variant as its load needs, within its bounds."""
        while True:
            await asyncio.sleep(PACE)
            # While an update is watched, what both have keeps its old bounds: it may have to go back.
            variants = {
                place.fleet: place.variant
                for one in reversed(self.routing.configurations)
                for place in one.places.values()
            }
            self._scalers = {fleet: scaler for fleet, scaler in self._scalers.items() if fleet in variants}
            for fleet, variant in variants.items():
                if variant.lowest == variant.highest:
                    continue
                if fleet not in self._scalers:
                    self._scalers[fleet] = Scaler(target=self.settings.in_flight, cool_down=self.settings.cool_down)
                now, load = asyncio.get_running_loop().time(), fleet.in_flight
                need = self._scalers[fleet].wanted(now, load, lowest=variant.lowest, highest=variant.highest)
                if need != fleet.wanted:
                    self.say(f"{variant.name}: {need} in place of {fleet.wanted} instances, {load} requests in flight.")
                    fleet.want(need)

    def rows(self) -> list[Row]:
        """How its variants do."""
        made = []
        for one in self.routing.configurations:
            part = self.routing.share if one is self.routing.following else 1 - self.routing.share
            total = sum(place.variant.weight for place in one.places.values())
            for name, place in one.places.items():
                fleet, counts = place.fleet, place.fleet.counts
                made.append(
                    Row(
                        place=place.variant.place,
                        variant=name if one is self.routing.current else f"{name} (following)",
                        share=part * place.variant.weight / total,
                        ready=len(fleet.ready),
                        wanted=fleet.wanted,
                        in_flight=fleet.in_flight,
                        requests=counts.requests,
                        failures=counts.failures,
                        losses=counts.losses,
                    )
                )
        return made

    async def close(self) -> None:
        """Answer what is in the instances, refuse what waits for one, and end all."""
        self.front.is_open = False
        for fleet in self.fleets:
            fleet.stop_holding()
        self._server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        self._scaling.cancel()
        await asyncio.gather(*(fleet.close(LEAVE) for fleet in self.fleets), *self._retired)
        if self.capture is not None:
            await asyncio.to_thread(self.capture.close)

    async def hurry(self) -> None:
        """Let nobody finish: whoever waits for `close` waits no more."""
        self._server.force_exit = True
        instances = [instance for fleet in self.fleets for instance in fleet.instances]
        await asyncio.gather(*(asyncio.to_thread(instance.kill) for instance in instances))


class _Server(uvicorn.Server):
    """uvicorn's, which leaves the signals of this process to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are."""
        yield


class _Pipeline(Server):
    """A pipeline as one instance: its command, which starts all containers and a front before them."""

    def _command(self) -> tuple[list[str], dict[str, str]]:
        # -P: the current folder is the user's, and may hold another `algoport`.
        words = [sys.executable, "-P", "-m", "algoport.containers.cli", "pipeline", str(self._served.model)]
        return [*words, "--port", str(self._port)], {**os.environ, "PYTHONUNBUFFERED": "1"}


def _bound(port: int) -> socket.socket:
    check_free(port)
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named: else the body of an answer
    # waits 40 ms for the client to acknowledge its head.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104  (as a container does)
    except OSError as error:
        raise UserError(f"--port {port}: cannot be listened on: {error.strerror}. Choose another.") from None
    listener.listen(BACKLOG)
    return listener
