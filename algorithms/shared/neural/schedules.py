"""How large a step is, as a function of how many came before."""

from __future__ import annotations

from collections.abc import Iterable


def stepped(rate: float, factor: float, ends: Iterable[int], steps: int) -> float:
    """The rate, times the factor for each of `ends` (in steps) that is over."""
    return rate * factor ** sum(steps >= end for end in ends)


def falling(rate: float, least: float, steps: int, of: int) -> float:
    """The rate for half of the steps, and from there in a line towards 0, but never below the share `least` of it."""
    return rate * max(least, min(1.0, 2 * (1 - steps / of)))
