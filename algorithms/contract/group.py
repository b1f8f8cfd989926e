"""Working with others: how the members of a job exchange what they know.

An algorithm is handed a group and never asks how large it is. Every member makes the same exchanges in the
same order. Sums come first and divisions by the global count after them, so that a member without rows takes
part with zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Group(Protocol):
    """The members of a job as one of them sees them. Each call is an exchange that all members make."""

    @property
    def rank(self) -> int:
        """This member's number, from 0."""

    @property
    def size(self) -> int:
        """How many members there are."""

    def sum_(self, *arrays: Array) -> None:
        """Replace every array by its sum over the members. Same shapes and dtypes everywhere."""

    def summing(self, array: Any) -> Callable[[], None]:
        """Begin to replace an array, or a tensor of any device, by its sum over the members; the call that comes back
        waits until it is. Until then it may be neither read nor written, and other exchanges may begin."""

    def broadcast_(self, *arrays: Array) -> None:
        """Replace every array by the first member's. Same shapes and dtypes everywhere."""

    def gather(self, array: Array) -> list[Array]:
        """Every member's array, by rank, at every member. The first axis may differ in length."""

    def share(self, data: bytes | None) -> bytes:
        """The first member's bytes, at every member; what others pass is ignored."""

    def barrier(self) -> None:
        """Wait until all members are here."""


class Alone:
    """The group of one: every exchange is a no-op."""

    rank = 0
    size = 1

    def sum_(self, *arrays: Array) -> None:
        """The sum over one member is what it has."""

    def summing(self, array: Any) -> Callable[[], None]:
        """There is nothing to wait for."""
        return self.barrier

    def broadcast_(self, *arrays: Array) -> None:
        """The first member is this one."""

    def gather(self, array: Array) -> list[Array]:
        """A list of this member's array."""
        return [array]

    def share(self, data: bytes | None) -> bytes:
        """The bytes themselves."""
        return data or b""

    def barrier(self) -> None:
        """Nobody to wait for."""


def total(group: Group, *values: float) -> list[float]:
    """The sum over the members of each value, in one exchange."""
    sums = np.array(values, np.float64)
    group.sum_(sums)
    return [float(value) for value in sums]


def agreed(group: Group, flag: bool) -> bool:
    """True at every member if it is true at any."""
    return total(group, flag)[0] > 0


def interleaved(parts: list[Array]) -> Array:
    """One array from those of all members, in the order of the records.

    Record i lies with member i mod n, which is how a batch of replicated data is shared out; where the parts
    differ by more than one in length, as with sharded data, the longer ones close the list.
    """
    longest = max(len(part) for part in parts)
    slots = np.concatenate([np.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)])
    assert longest * len(parts) >= len(slots)
    return np.asarray(np.concatenate(parts)[np.argsort(slots, kind="stable")])
