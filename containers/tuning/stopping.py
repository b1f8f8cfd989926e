"""Weak jobs are ended early: by the median of what others had reached, or by successive halving."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from algoport.containers.tuning.strategies import Goal

FIRST = 3  # finished jobs with which the median is compared: below that a job has nothing to be weaker than
REDUCTION = 3  # of successive halving: one job of three goes on to the next rung


def is_below_median(values: Sequence[float], finished: Sequence[Sequence[float]], goal: Goal) -> bool:
    """The median rule (contract, section 4.5): whether the latest value is worse than the median of the running
    averages of the finished jobs up to the same epoch (Golovin et al. 2017, section 3.2.2).

    Jobs that ended earlier count with the average of all they reported. `values`: one an epoch, of the job in question.
    """
    epoch = len(values)
    if epoch == 0:
        return False
    averages = [sum(one[:epoch]) / len(one[:epoch]) for one in finished if one]
    if len(averages) < FIRST:
        return False
    if not math.isfinite(values[-1]):
        return True
    middle = median(averages)
    return values[-1] > middle if goal == "Minimize" else values[-1] < middle


def rungs(low: int, high: int) -> list[int]:
    """The epochs after which jobs are compared: every `REDUCTION` times as many, from `low` to below `high`."""
    steps, epoch = [], max(1, low)
    while epoch < high:
        steps.append(epoch)
        epoch *= REDUCTION
    return steps


def bracket(number: int, low: int, high: int) -> int:
    """How many rungs the n-th job passes over before it is compared (Hyperband, Li et al. 2018): brackets that compare
    early get as many more jobs as they spend less on each."""
    count = max(1, len(rungs(low, high)))
    shares = [REDUCTION ** (count - 1 - skipped) for skipped in range(count)]
    place = number % sum(shares)
    for skipped, share in enumerate(shares):
        if place < share:
            return skipped
        place -= share
    return 0


def is_cut(number: int, histories: Mapping[int, Sequence[float]], low: int, high: int, goal: Goal) -> bool:
    """Asynchronous successive halving (Li et al. 2020): whether the n-th job is not among the best third of its bracket
    at the highest rung that it has reached. The first jobs go on, as there is nobody to compare them with.

    `histories`: one value an epoch, of every job by its number, whether it runs or has ended.
    """
    own, skipped = histories[number], bracket(number, low, high)
    epoch = max((step for step in rungs(low, high)[skipped:] if step <= len(own)), default=0)
    if epoch == 0:
        return False
    if not math.isfinite(own[epoch - 1]):
        return True
    reached = [
        values[epoch - 1]
        for other, values in histories.items()
        if len(values) >= epoch and bracket(other, low, high) == skipped and math.isfinite(values[epoch - 1])
    ]
    if len(reached) < REDUCTION:
        return False
    bound = sorted(reached, reverse=goal == "Maximize")[len(reached) // REDUCTION - 1]
    return own[epoch - 1] > bound if goal == "Minimize" else own[epoch - 1] < bound
