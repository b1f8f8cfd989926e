"""A group whose members are threads of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

# Seconds that a member waits for the others in an exchange. One that fails ends all others at once; this is for
# members that disagree on which exchange comes next.
TIMEOUT = 60.0


class Unequal(AssertionError):
    """Members did not make the same exchange."""


class Threads:
    """A `Group` seen by one of the threads. Checks that all make the same exchange, on arrays of the same shapes."""

    def __init__(self, rank: int, size: int, table: list[Any], barrier: threading.Barrier) -> None:
        self.rank = rank
        self.size = size
        self.exchanges = 0
        self._table = table
        self._barrier = barrier

    def sum_(self, *arrays: np.ndarray) -> None:
        everyone = self._exchanged("sum_", arrays, same=True)
        totals = [sum(member[1:], start=member[0].copy()) for member in zip(*everyone, strict=True)]
        self._put(arrays, totals)

    def summing(self, array: Any) -> Callable[[], None]:
        self.sum_(array if isinstance(array, np.ndarray) else array.numpy())
        return lambda: None

    def broadcast_(self, *arrays: np.ndarray) -> None:
        everyone = self._exchanged("broadcast_", arrays, same=True)
        self._put(arrays, [array.copy() for array in everyone[0]])

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        everyone = self._exchanged("gather", (array,), same=False)
        copies = [member[0].copy() for member in everyone]
        self._barrier.wait()
        return copies

    def share(self, data: bytes | None) -> bytes:
        everyone = self._exchanged("share", (data,), same=False)
        first = everyone[0][0] or b""
        self._barrier.wait()
        return first

    def barrier(self) -> None:
        self._exchanged("barrier", (), same=True)
        self._barrier.wait()

    def _exchanged(self, name: str, what: tuple[Any, ...], *, same: bool) -> list[tuple[Any, ...]]:
        """What every member brings, by rank; complete until the next call of the barrier."""
        self.exchanges += 1
        shapes = [(array.shape, array.dtype) for array in what] if same else [getattr(a, "dtype", None) for a in what]
        self._table[self.rank] = (name, shapes if same else None, what)
        self._barrier.wait()
        calls = [(entry[0], entry[1]) for entry in self._table]
        everyone = [entry[2] for entry in self._table]
        if any(call != calls[0] for call in calls):
            raise Unequal(f"exchange {self.exchanges}: members call {calls}")
        return everyone

    def _put(self, arrays: tuple[np.ndarray, ...], values: list[np.ndarray]) -> None:
        self._barrier.wait()  # all have read before anyone changes what is theirs
        for array, value in zip(arrays, values, strict=True):
            array[...] = value


def together(n: int, work: Callable[[Threads], T], timeout: float = TIMEOUT) -> list[T]:
    """What `work` returns for each of n members, by rank. If one fails, all end, and its error is raised."""
    table: list[Any] = [None] * n
    barrier = threading.Barrier(n, timeout=timeout)
    results: list[Any] = [None] * n
    errors: list[BaseException | None] = [None] * n

    def member(rank: int) -> None:
        try:
            results[rank] = work(Threads(rank, n, table, barrier))
        except BaseException as error:
            errors[rank] = error
            barrier.abort()
        if barrier.n_waiting:  # for this member, which will not come any more
            barrier.abort()

    threads = [threading.Thread(target=member, args=(rank,), daemon=True) for rank in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10 * timeout)
    # Whoever only noticed that another had gone says nothing of why.
    first = sorted(filter(None, errors), key=lambda error: isinstance(error, threading.BrokenBarrierError))
    if first and isinstance(first[0], threading.BrokenBarrierError):
        raise Unequal("a member ended, or did something else, while others waited for it in an exchange") from first[0]
    if first:
        raise first[0]
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError("a member has not ended")
    return results
