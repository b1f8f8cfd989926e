"""Weak jobs are ended early, others not."""

from __future__ import annotations

from algoport.containers.tuning import stopping
from algoport.containers.tuning.stopping import is_below_median, is_cut

THREE = [[4.0, 2.0, 1.0], [5.0, 3.0, 2.0], [6.0, 4.0, 3.0]]  # averages after two epochs: 3, 4, 5


def test_a_job_is_compared_with_the_median_of_running_averages() -> None:
    assert is_below_median([9, 4.1], THREE, "Minimize")
    assert not is_below_median([9, 3.9], THREE, "Minimize")
    assert is_below_median([9, 3.9], THREE, "Maximize")
    assert is_below_median([9, float("nan")], THREE, "Minimize")


def test_below_three_finished_jobs_nobody_is_weak() -> None:
    assert not is_below_median([9], THREE[:2], "Minimize")
    assert not is_below_median([], THREE, "Minimize")


def test_rungs_grow_by_three() -> None:
    assert stopping.rungs(1, 27) == [1, 3, 9]
    assert [stopping.bracket(number, 1, 27) for number in range(13)] == [0] * 9 + [1] * 3 + [2]


def test_the_best_third_goes_on() -> None:
    histories = {number: [float(number)] for number in range(6)}
    cut = [is_cut(number, histories, 1, 9, "Minimize") for number in range(6)]
    assert cut == [False, True, True, False, True, True], "the fourth is of a bracket that is compared later"
    assert not is_cut(0, {0: [5.0], 1: [1.0]}, 1, 9, "Minimize"), "nobody to compare with"
    assert is_cut(0, {**histories, 0: [float("nan")]}, 1, 9, "Minimize")
