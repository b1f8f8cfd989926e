"""Learning rates as functions of the number of updates before, and of nothing else, so that a resumed job has them
without a state."""

from __future__ import annotations

import math
from collections.abc import Iterable


def step_decay(rate: float, factor: float, ends: Iterable[int], updates: int) -> float:
    """The rate, times the factor for each of `ends` (in updates) that is over."""
    return rate * factor ** sum(updates >= end for end in ends)


def linear_decay(rate: float, least: float, updates: int, total: int) -> float:
    """The rate for half of the updates, and from there in a line towards 0, but never below the share `least` of it."""
    return rate * max(least, min(1.0, 2 * (1 - updates / total)))


def polynomial_decay(rate: float, power: float, updates: int, total: int) -> float:
    """From the rate to 0 as (1 - t / T) to a power; semantic segmentation's `poly` with 0.9 (Chen et al. 2018)."""
    return float(rate * max(0.0, 1 - updates / total) ** power)


def cosine_decay(rate: float, updates: int, total: int) -> float:
    """From the rate to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts)."""
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, updates / total)))


def inverse_time(rate: float, half_life: float, updates: int) -> float:
    """rate / (1 + t / H): half of it after H updates."""
    return rate / (1 + updates / half_life)


def inverse_square_root(rate: float, half_life: float, updates: int) -> float:
    """rate / sqrt(1 + 3 t / H): half of it after H updates."""
    return rate / math.sqrt(1 + 3 * updates / half_life)
