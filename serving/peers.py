"""What the workers of a server know of each other, in memory that they share: who is ready, and how many connections
each has."""

from __future__ import annotations

import mmap

MOST = 4096  # workers at a time
CROWDED = 1.25  # times the connections of another worker that it may have and still be as quick as that to take more


class Peers:
    """Made before the workers are forked; each of them is a number."""

    def __init__(self) -> None:
        self._ready = mmap.mmap(-1, MOST)
        self._open = memoryview(mmap.mmap(-1, 4 * MOST)).cast("I")
        self._own = 0

    def enter(self, number: int) -> None:
        """From here on this process is the worker of that number, as yet not ready."""
        self._own = number % MOST
        self.leave(number)

    def leave(self, number: int) -> None:
        """That worker is no more."""
        self._ready[number % MOST], self._open[number % MOST] = 0, 0

    def be_ready(self) -> None:
        """This worker is."""
        self._ready[self._own] = 1

    def have(self, connections: int) -> None:
        """So many are this worker's."""
        self._open[self._own] = connections

    def is_ready(self) -> bool:
        """Whether this worker is."""
        return self._ready[self._own] == 1

    def anyone(self) -> bool:
        """Whether some worker is ready."""
        return self._ready.find(b"\1", 0) >= 0

    def is_crowded(self) -> bool:
        """Whether this worker has a quarter more connections than another one that is ready."""
        number, own = self._ready.find(b"\1", 0), self._open[self._own]
        while number >= 0:
            if number != self._own and own > CROWDED * self._open[number]:
                return True
            number = self._ready.find(b"\1", number + 1)
        return False
