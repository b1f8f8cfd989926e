"""The members of a job: who they are, how they meet, and what they do when one of them is lost.

A member is a process: one a host, or several on one host. Members on several hosts meet at the first host, port
7777 (`MASTER_PORT`); members on one machine can meet in a file instead, without names or ports, where
`ALGOPORT_RENDEZVOUS` is file:///path, the same for all and new for each job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, Stopped
from algoport.algorithms.contract.group import Alone, Group
from algoport.training import environment, log
from algoport.training.cluster.joined import ExchangeError, ProcessGroup
from algoport.training.cluster.meeting import Meeting, meet
from algoport.training.cluster.watch import Watch, as_error
from algoport.training.configuration import Hosts
from algoport.training.stop import Stop

BEAT = 5.0  # seconds between signs of life; ALGOPORT_BEAT_INTERVAL
FAREWELL = 5.0  # seconds that the first member stays after all are done, for it keeps the board that says so


class Membership:
    """One member's place in a job that has only one."""

    def __init__(self, group: Group | None = None, local: tuple[int, int] = (0, 1)) -> None:
        self.group: Group = group or Alone()
        self.local = local  # number on this host, and how many there are on it

    def finish(self) -> None:
        """Wait until all have done their part. To be called when this member has done its own."""

    def leave_stopped(self) -> None:
        """Notify the others that this member ends without a model, as it was asked to."""

    def leave_failed(self, error: AlgoportError) -> None:
        """Notify the others why this member ends."""

    def explain(self, error: BaseException) -> BaseException:
        """The reason behind an error: whom an exchange that broke has lost; else the error itself."""
        return error


class Joint(Membership):
    """One of several."""

    def __init__(self, meeting: Meeting, watch: Watch, group: ProcessGroup, stop: Stop) -> None:
        super().__init__(group, meeting.local)
        self._meeting = meeting
        self._watch = watch
        self._stop = stop

    def finish(self) -> None:
        """Wait, without limit while the others give signs of life.

        Where the first container that exits takes the others with it, none may leave early; and a stop that comes
        now comes for that reason, so that it ends this member at once.
        """
        before = self._stop.count
        self._watch.post("done")
        while not self._watch.all_are("done", "left"):
            if self._stop.count > before:
                return
            error = self._watch.trouble()
            if error is not None:
                raise error
            time.sleep(0.05)
        self._watch.post("left")
        self._linger(lambda: self._watch.all_are("left"), FAREWELL)

    def leave_stopped(self) -> None:
        """Notify the others, and leave."""
        self._leave("stopped")

    def leave_failed(self, error: AlgoportError) -> None:
        """Notify the others, and leave."""
        self._leave("lost" if isinstance(error.__cause__, ExchangeError) else "failed", error)

    def explain(self, error: BaseException) -> BaseException:
        """Whom an exchange that broke has lost."""
        if not isinstance(error, ExchangeError):
            return error
        reason = self._watch.reason()
        if not isinstance(reason, Stopped):
            reason.__cause__ = error
        return reason

    def _leave(self, kind: str, error: AlgoportError | None = None) -> None:
        self._watch.post(kind, error)
        # The others wait for this member in an exchange; closing its connections ends their wait.
        self._meeting.hang_up()
        self._linger(self._watch.all_ended, 3 * self._watch.interval)

    def _linger(self, over: Callable[[], bool], seconds: float) -> None:
        """The first member keeps the board, and stays until the others have read it."""
        deadline = time.monotonic() + seconds
        while self.group.rank == 0 and not over() and time.monotonic() < deadline:
            time.sleep(0.05)


def join(
    hosts: Hosts, stop: Stop, local: tuple[int, int] = (0, 1), abort: Callable[[BaseException], Any] | None = None
) -> Membership:
    """Meet the other members, if there are any.

    `abort` is called, from a thread, with the reason where this member waits in an exchange for one that is lost
    and no error comes; it must end the process.
    """
    if len(hosts.names) * local[1] == 1:
        return Membership()
    start = time.monotonic()
    meeting = meet(hosts, stop, local)
    watch = Watch(
        meeting.board,
        meeting.rank,
        meeting.names,
        environment.seconds("ALGOPORT_BEAT_INTERVAL", BEAT),
        abort or (lambda error: None),
    )
    watch.start()
    try:
        with watch.watching():
            meeting.connect()
    except PlatformError as error:
        raise watch.reason(otherwise=error) from None
    group = ProcessGroup(meeting.rank, len(meeting.names), watch, direct=meeting.direct)
    log.note(f"{len(meeting.names)} members met after {time.monotonic() - start:.1f} s; this one is {meeting.me}.")
    return Joint(meeting, watch, group, stop)


__all__ = ["ExchangeError", "Joint", "Membership", "as_error", "join"]
