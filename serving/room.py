"""Who may come in: a bounded number of predictions at a time, and before them a bounded number of waiting requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager
from typing import TypeVar

from algoport.serving.refusals import Refusal

T = TypeVar("T")
SMALL = 1 << 20  # bytes that a request may take whatever others hold
RETRY = 1  # seconds after which it is worth asking again
LATE = 0.1  # seconds of waiting after which it is worth asking whether anybody still waits for the answer


class Room:
    """The predictions of one worker process."""

    def __init__(
        self,
        *,
        concurrent: int,
        waiting: int,
        timeout: float,
        budget: int,
        stuck: Callable[[], None] = lambda: None,
        count: Callable[[int], None] = lambda change: None,
    ) -> None:
        """`budget`: bytes of bodies, records and answers that may be held at once. `stuck` is called when a
        prediction takes longer than `timeout` seconds, as no thread can be ended from outside. `count` gets +1 and -1
        as requests come and go."""
        self.timeout = timeout
        self._places, self._budget = concurrent + waiting, budget
        self._stuck, self._count = stuck, count
        self._lock = threading.Lock()
        self._inside, self._bytes = 0, 0
        self._pool = ThreadPoolExecutor(concurrent, thread_name_prefix="prediction")

    @contextmanager
    def place(self) -> Iterator[Callable[[int], None]]:
        """A place for the length of a request, from its first byte to its answer; 503 where there is none.

        Yields a function that is called with the bytes that the request is about to take, and refuses those that are
        too many: 413 where it needs more than there is for all, 503 where others have it. Who needs little always gets
        it, for there are few places.
        """
        with self._lock:
            if self._inside >= self._places:
                raise Refusal(503, f"All {self._places} places of this worker are taken.", retry=RETRY)
            self._inside += 1
        self._count(1)
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            with self._lock:
                if mine + size > self._budget:
                    raise Refusal(
                        413,
                        f"The request, its records and its answer need more than {self._budget >> 20:,} MB of memory, "
                        "which is what a worker of this server has for requests: send fewer records at a time.",
                    )
                if self._bytes + size > self._budget and mine + size > SMALL:
                    raise Refusal(503, "Other requests hold the memory that this one needs.", retry=RETRY)
                self._bytes += size
                mine += size

        try:
            yield hold
        finally:
            with self._lock:
                self._inside -= 1
                self._bytes -= mine
            self._count(-1)

    def run(self, work: Callable[[], T], gone: Callable[[], bool] = lambda: False) -> T:
        """What the work makes, once it is its turn; 503 where that takes longer than a request may.

        Work that had to wait and whose client is gone by then is not begun: else, after an overload, those who
        still ask would wait for answers that nobody reads.
        """
        came = time.monotonic()

        def begin() -> T:
            if time.monotonic() - came > LATE and gone():
                raise Refusal(499, "The client has gone.")
            return work()

        task = self._pool.submit(begin)
        try:
            return task.result(self.timeout)
        except TooLate:
            if task.done():  # the work's own
                raise
            waited = task.cancel()
            if not waited:
                self._stuck()
            what = "did not begin" if waited else "did not end"
            raise Refusal(503, f"The prediction {what} within {self.timeout:g} seconds.", retry=RETRY) from None
