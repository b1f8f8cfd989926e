"""How members find each other: names that resolve late, an interface that may not exist, hosts that never come."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from algoport.algorithms.contract.errors import PlatformError, Stopped
from algoport.training import environment, log
from algoport.training.cluster import network
from algoport.training.configuration import Hosts
from algoport.training.stop import Stop

PORT = 7777  # MASTER_PORT
LONGEST = 1e8  # seconds: three years, which torch can still count
RENDEZVOUS = 900.0  # seconds until all must have come, for hosts start minutes apart; ALGOPORT_RENDEZVOUS_TIMEOUT
EXCHANGE = 600.0  # seconds that an exchange may wait for the slowest; ALGOPORT_EXCHANGE_TIMEOUT
PAUSE = 5.0  # seconds at most between two looks whether the first host is there: by so much can a start be delayed
REMIND = 30.0  # seconds between lines that say who is waited for
CONNECT = (
    3.0  # seconds that a connection to the board may take, of which torch takes up to two and a half times as many
)
CALL = 60.0  # seconds that the board may take to answer
GPU, CPU = b"gpu", b"cpu"  # what a member notes when it has come
ALIVE = 2.0  # seconds that the first member stays when it is stopped while others are here
WORD = 6.0  # seconds in which a member that is stopped looks for the first one on, to leave word; engines kill after 10


class Notes:
    """A `Board` in one of torch's stores. Its calls are short, and one at a time."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._lock = threading.Lock()

    def write(self, key: str, value: bytes) -> None:
        """Leave a note; ConnectionError where there is no board any more."""
        self._call(lambda: self._store.set(key, value))

    def read(self, key: str) -> bytes | None:
        """The note, or None."""
        value = self._call(lambda: self._store.get(key) if self._store.check([key]) else None)
        return bytes(value) if value is not None else None

    def count(self, key: str) -> int:
        """How often this was asked by any member, this time included."""
        return int(self._call(lambda: self._store.add(key, 1)))

    def _call(self, act: Callable[[], Any]) -> Any:
        with self._lock:
            try:
                return act()
            except (RuntimeError, OSError) as error:
                raise ConnectionError(str(error)) from None


@dataclass
class Meeting:
    """What a member has when all have come."""

    rank: int
    names: list[str]  # of all members, by rank
    local: tuple[int, int]
    board: Notes
    stores: list[Any]  # kept alive: the first member's is the board itself
    direct: bool  # whether every member has a GPU of its own, so that GPUs can exchange among themselves
    interface: str | None  # over which the others are reached

    @property
    def me(self) -> str:
        """This member in words."""
        return f"{self.names[self.rank]}, number {self.rank}"

    def connect(self) -> None:
        """Connect with each of the others, who may be gone by now: `Watch` notices."""
        _connect(self.stores[1], self.rank, self.names, self.interface, self.direct)

    def hang_up(self) -> None:
        """Close the connections to the others, which ends their waiting for this member."""
        from torch import distributed

        thread = threading.Thread(target=distributed.destroy_process_group, daemon=True)
        thread.start()
        thread.join(2.0)  # where it hangs, the end of the process does the same


def meet(hosts: Hosts, stop: Stop, local: tuple[int, int]) -> Meeting:
    """Wait for all members. `PlatformError` names those that did not come in time."""
    number, here = local
    rank = hosts.index * here + number
    names = [name if here == 1 else f"{name} (process {i + 1} of {here})" for name in hosts.names for i in range(here)]
    import torch.distributed  # noqa: F401 (takes seconds on a busy machine, in which nobody is waited for)

    deadline = time.monotonic() + environment.seconds("ALGOPORT_RENDEZVOUS_TIMEOUT", RENDEZVOUS)
    waiting = _Waiting(stop, deadline)
    file = os.environ.get("ALGOPORT_RENDEZVOUS", "")
    if file.startswith("file://"):
        stores, address = _in_file(file.removeprefix("file://"), len(names)), ""
    else:
        stores, address = _at_first_host(hosts, rank, waiting)
    board = Notes(stores[0])
    try:
        _wait_for_all(board, rank, names, waiting, _gpu(local), address)
        direct = all(board.read(f"here/{other}") == GPU for other in range(len(names)))
        interface = network.loopback() if file.startswith("file://") else _interface(hosts, board, here)
    except ConnectionError:
        raise _missing_members(names[0]) from None
    return Meeting(rank, names, local, board, stores, direct, interface)


def _missing_members(name: str) -> PlatformError:
    return PlatformError(f"Lost host {name} while the hosts met. Its own log says why.")


@dataclass
class _Waiting:
    """How long this member may wait, and what ends it early."""

    stop: Stop
    deadline: float

    def check(self, sentence: Callable[[], str], word: float = 0.0) -> None:
        """`Stopped` where a stop was asked for so many seconds ago, `PlatformError` with the sentence where time is
        up."""
        if self.stop.asked() and time.monotonic() - self.stop.since >= word:
            raise Stopped
        if time.monotonic() > self.deadline:
            raise PlatformError(sentence())


def _in_file(path: str, size: int) -> list[Any]:
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    # Two, for a store serves one caller at a time, and signs of life must not wait for the connecting.
    return [FileStore(path), FileStore(path, size)]


def _at_first_host(hosts: Hosts, rank: int, waiting: _Waiting) -> tuple[list[Any], str]:
    """The board at the first host, which the first member brings and the others wait for; and the address from which
    this member reaches it."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    port = environment.port("MASTER_PORT", PORT)
    stores = []
    address, own = "localhost", ""
    if rank == 0:
        try:
            stores.append(TCPStore(address, port, None, True, timedelta(seconds=CALL), wait_for_workers=False))
        except RuntimeError as error:
            raise PlatformError(
                f"Port {port} of this host cannot be listened at, where the others come to; MASTER_PORT names another "
                f"({str(error).splitlines()[0]})."
            ) from None
    else:
        address, own = _await_first(hosts, port, waiting)
    while len(stores) < 2:
        stores.append(_client(address, port, hosts.names[0], waiting))
    # The first member talks to its own board like the others, over a connection of its own.
    return (stores[::-1] if rank == 0 else stores), own


def _client(address: str, port: int, first: str, waiting: _Waiting) -> Any:
    """The board of a first host that was there a moment ago. In a thread: a host that takes the connection and then
    says nothing is waited for without end."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store: list[Any] = []

    def connect() -> None:
        with contextlib.suppress(RuntimeError):
            store.append(TCPStore(address, port, None, False, timedelta(seconds=CONNECT), wait_for_workers=False))

    thread, until = threading.Thread(target=connect, daemon=True), time.monotonic() + CALL
    thread.start()
    while thread.is_alive() and time.monotonic() < until:
        thread.join(0.05)
        waiting.check(lambda: f"Host {first}, port {port}, takes connections and does not answer.", WORD)
    if not store:
        raise _missing_members(first)
    store[0].set_timeout(timedelta(seconds=CALL))
    return store[0]


def _await_first(hosts: Hosts, port: int, waiting: _Waiting) -> tuple[str, str]:
    """The address of the first host once its port answers, and this one's, waiting longer from time to time."""
    first = hosts.names[0]
    start, pause, reminded, why = time.monotonic(), 0.1, 0.0, ""
    while True:
        try:
            address = str(socket.getaddrinfo(first, port, type=socket.SOCK_STREAM)[0][4][0])
            with socket.create_connection((address, port), timeout=5) as connection:
                return address, str(connection.getsockname()[0])
        except OSError as error:
            why = error.strerror or str(error)
        waited = time.monotonic() - start
        if waited - reminded > REMIND:
            reminded = waited
            log.note(f"Waiting for host {first}, port {port}: {why}.")
        until = time.monotonic() + pause
        while time.monotonic() < until:
            waiting.check(
                lambda: f"Host {first}, port {port}, did not answer for {time.monotonic() - start:.0f} s: {why}.",
                WORD,
            )
            time.sleep(0.05)
            if waiting.stop.asked():
                break  # little time is left
        pause = min(2 * pause, 1.0 if os.environ.get("SM_STUDIO_LOCAL_MODE") else PAUSE)


def _gpu(local: tuple[int, int]) -> bytes:
    """Whether this member has a GPU of its own, as a note."""
    import torch
    from torch import distributed

    if not torch.cuda.is_available() or not distributed.is_nccl_available() or torch.cuda.device_count() < local[1]:
        return CPU
    torch.cuda.set_device(local[0])
    return GPU


def _wait_for_all(board: Notes, rank: int, names: list[str], waiting: _Waiting, device: bytes, address: str) -> None:
    from algoport.training.cluster.watch import as_error

    start, reminded = time.monotonic(), 0.0
    missing = [other for other in range(len(names)) if other != rank]
    try:
        board.write(f"address/{rank}", address.encode())
        board.write(f"here/{rank}", device)
        while missing:
            missing = [other for other in missing if board.read(f"here/{other}") is None]
            trouble = board.read("trouble")
            if trouble is not None:
                import json

                state = json.loads(trouble)
                raise as_error(state["name"], state) if state["findings"] else Stopped()
            waited = time.monotonic() - start
            absent = ", ".join(names[other] for other in missing)
            if waited - reminded > REMIND:
                reminded = waited
                log.note(f"Waiting for {absent}.")
            if missing:
                waiting.check(
                    lambda: (
                        f"No answer from {absent} within {waited:.0f} s. Every host of resourceconfig.json must "
                        "run, and reach the first; ALGOPORT_RENDEZVOUS_TIMEOUT sets how long they are waited for."
                    )
                )
                time.sleep(0.05)
    except (Stopped, PlatformError) as error:
        _tell(board, names[rank], error)
        if rank == 0 and len(missing) < len(names) - 1:
            time.sleep(ALIVE)
        raise


def _tell(board: Notes, name: str, error: Stopped | PlatformError) -> None:
    """Leave word for those who wait, or come later."""
    import json

    findings = error.findings if isinstance(error, PlatformError) else []
    try:
        if board.read("trouble") is None:
            note = {"name": name, "prefix": PlatformError.prefix, "findings": findings}
            board.write("trouble", json.dumps(note).encode())
    except ConnectionError:
        return


def _interface(hosts: Hosts, board: Notes, here: int) -> str | None:
    """The interface to use: the one that is named if it is there, else the one that leads to another host.

    The others have reached the first host by its name, which need not know theirs: it takes the address that they
    came from.
    """
    listed = [name for _, name in socket.if_nameindex()]
    if hosts.interface in listed:
        return hosts.interface
    others = [number for number in range(len(hosts.names)) if number != hosts.index]
    if not others:
        return network.loopback()
    address = (board.read(f"address/{others[0] * here}") or b"").decode()
    return network.leading_to(address or hosts.names[others[0]])


def _connect(store: Any, rank: int, names: list[str], interface: str | None, direct: bool) -> None:
    from torch import distributed
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    if interface:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    limit = min(environment.seconds("ALGOPORT_EXCHANGE_TIMEOUT", EXCHANGE), LONGEST)
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if direct else "gloo",
            store=PrefixStore("exchange", store),
            rank=rank,
            world_size=len(names),
            timeout=timedelta(seconds=limit),
        )
    except RuntimeError as error:
        raise PlatformError(
            f"The hosts have met and cannot connect with each other (interface {interface or 'of the host name'}): "
            f"{str(error).splitlines()[0]}."
        ) from None
