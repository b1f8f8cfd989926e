"""Signs of life: each member leaves a beat and its state on a board that all can read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, Stopped, UserError

# In beats. After an error survivors look for its reason for two; then whoever has been silent for one and a half
# is lost, since the living left one meanwhile. Where no error comes, six must pass.
PATIENCE, SILENT, GONE = 2.0, 1.5, 6.0
ENDED = ("left", "stopped", "failed", "lost")


class Board(Protocol):
    """Where members leave notes for each other."""

    def write(self, key: str, value: bytes) -> None:
        """Leave a note; ConnectionError where there is no board any more."""

    def read(self, key: str) -> bytes | None:
        """The note, or None."""

    def count(self, key: str) -> int:
        """How often this was asked by any member, this time included."""


@dataclass
class _Peer:
    """What is known of another member."""

    beat: bytes | None = None
    at: float = 0.0  # when the beat was seen to change
    state: dict[str, Any] | None = None
    since: float = 0.0


class Watch:
    """Leaves this member's beats and reads the others', in a thread."""

    def __init__(
        self, board: Board, rank: int, names: list[str], interval: float, abort: Callable[[BaseException], Any]
    ) -> None:
        self.interval = interval
        self.exchanging: float | None = None  # since when the main thread waits in an exchange
        self.exchanged = time.monotonic()  # when the last exchange ended
        self._board = board
        self._rank = rank
        self._names = names
        self._abort = abort
        self._peers = [_Peer(at=time.monotonic()) for _ in names]
        self._board_lost = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, until the process ends."""
        threading.Thread(target=self._run, name="beats", daemon=True).start()

    def post(self, kind: str, error: AlgoportError | None = None) -> None:
        """Leave this member's state, with the sentence of a failure."""
        state: dict[str, Any] = {"kind": kind}
        try:
            if error is not None:
                order = self._board.count("failures")
                state |= {"prefix": error.prefix, "findings": error.findings[:6], "order": order}
            self._board.write(f"state/{self._rank}", json.dumps(state).encode())
            self._peers[self._rank].state = state
        except ConnectionError:
            self._board_lost = True

    def all_are(self, *kinds: str) -> bool:
        """True where every member has left one of these states."""
        self._look()
        return all(peer.state is not None and peer.state["kind"] in kinds for peer in self._peers) or (
            # The first member keeps the board and is the last to leave it: if it was done, all were.
            self._board_lost and self._kind(0) in ("done", "left")
        )

    def all_ended(self) -> bool:
        """True where every member has left for good, or is silent."""
        self._look()
        return all(
            (peer.state or {}).get("kind") in ENDED or self._silence(rank) > PATIENCE * self.interval
            for rank, peer in enumerate(self._peers)
            if rank != self._rank
        )

    def trouble(self) -> BaseException | None:
        """The failure of another member, or its long silence; None while all is well."""
        self._look()
        return self._posted_reason() or self._lost_member(GONE)

    def reason(self, otherwise: BaseException | None = None) -> BaseException:
        """Why an exchange broke, after looking for as long as it takes to know; what to say where all are there."""
        now = time.monotonic()
        spent, deadline = now - self.exchanged, now + PATIENCE * self.interval
        while time.monotonic() < deadline:
            self._look()
            reason = self._posted_reason() or (self._lost_member(SILENT) if self._board_lost else None)
            if reason is not None:
                return reason
            time.sleep(min(0.1, self.interval / 4))
        return (
            self._lost_member(SILENT)
            or otherwise
            or PlatformError(
                f"An exchange broke {spent:.0f} s after the one before, and all hosts still give signs of life: "
                f"{', '.join(dict.fromkeys(self._names))}. One of them may compute for longer than the others wait; "
                "ALGOPORT_EXCHANGE_TIMEOUT sets how long that is."
            )
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as the main thread waits for others."""
        self.exchanging = time.monotonic()
        try:
            yield
        finally:
            self.exchanged = time.monotonic()
            self.exchanging = None

    def _run(self) -> None:
        number, next_beat = 0, 0.0
        while not self._board_lost:
            if time.monotonic() >= next_beat:
                number, next_beat = number + 1, time.monotonic() + self.interval
                self._beat(number)
            self._look()
            self._rescue()
            time.sleep(min(1.0, self.interval / 4))
        while True:  # the board is lost, and the first member with it
            self._rescue()
            time.sleep(min(1.0, self.interval / 4))

    def _beat(self, number: int) -> None:
        try:
            self._board.write(f"beat/{self._rank}", str(number).encode())
        except ConnectionError:
            self._board_lost = True

    def _look(self) -> None:
        if self._board_lost:
            return
        with self._lock:
            try:
                for rank, peer in enumerate(self._peers):
                    if rank != self._rank:
                        self._look_at(rank, peer)
            except ConnectionError:
                self._board_lost = True

    def _look_at(self, rank: int, peer: _Peer) -> None:
        if self._kind(rank) not in ENDED:
            note = self._board.read(f"state/{rank}")
            state = json.loads(note) if note else None
            if state != peer.state:
                peer.state, peer.since = state, time.monotonic()
        beat = self._board.read(f"beat/{rank}")
        if beat != peer.beat:
            peer.beat, peer.at = beat, time.monotonic()

    def _rescue(self) -> None:
        """End a wait for somebody who will not come. As a rule an error ends it long before."""
        waiting = self.exchanging
        if waiting is None:
            return
        now = time.monotonic()
        posted = any(
            peer.state and peer.state["kind"] in ENDED and now - max(peer.since, waiting) > GONE / 2 * self.interval
            for rank, peer in enumerate(self._peers)
            if rank != self._rank
        )
        long = now - waiting > GONE * self.interval
        reason = self._posted_reason() if posted else None
        if reason is None and long:
            reason = self._lost_member(GONE if not self._board_lost else SILENT)
        if reason is not None:
            self._abort(reason)

    def _kind(self, rank: int) -> str | None:
        state = self._peers[rank].state
        return state["kind"] if state else None

    def _silence(self, rank: int) -> float:
        return time.monotonic() - self._peers[rank].at

    def _posted_reason(self) -> BaseException | None:
        """What the member that failed first has said, or the stop of one."""
        states = {rank: peer.state for rank, peer in enumerate(self._peers) if peer.state and rank != self._rank}
        failed = {rank: state for rank, state in states.items() if state["kind"] == "failed"}
        if failed:
            rank = min(failed, key=lambda rank: failed[rank]["order"])
            return as_error(self._names[rank], failed[rank])
        return Stopped() if any(state["kind"] == "stopped" for state in states.values()) else None

    def _lost_member(self, beats: float) -> PlatformError | None:
        """The member that has been silent for the longest, if it is longer than that."""
        if self._board_lost and self._rank != 0:
            return self._is_lost(0)
        others = [rank for rank in range(len(self._names)) if rank != self._rank and self._kind(rank) not in ENDED]
        rank = max(others, key=self._silence, default=None)
        if rank is None or self._silence(rank) <= beats * self.interval:
            return None
        return self._is_lost(rank)

    def _is_lost(self, rank: int) -> PlatformError:
        since = time.monotonic() - self.exchanged
        return PlatformError(
            f"Lost host {self._names[rank]}: no sign of life for {self._silence(rank):.0f} s, "
            f"{since:.0f} s after the last exchange. Its own log says why."
        )


def as_error(name: str, state: dict[str, Any]) -> AlgoportError:
    """What another member has said of its failure, as this member's reason to end."""
    findings = [f"Host {name}: {state['findings'][0]}", *state["findings"][1:]]
    if state["prefix"] == UserError.prefix:
        return UserError(findings)
    kind = PlatformError if state["prefix"] == PlatformError.prefix else AlgoportError
    return kind(findings[0])
