"""The test channel under a deadline, on one member and on several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.group import Alone, total
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.shared import scoring
from tests.groups import together

ROWS = np.arange(20, dtype=np.float32).reshape(10, 2)
CUT = "The test channel is not scored, as a stop was asked for."


def job(group: Any, notes: list[str], channels: dict[str, Any] | None = None) -> Any:
    sources = {"test": Memory(ROWS, group=group)} if channels is None else channels
    return Job(hyperparameters=None, channels=sources, group=group, reporter=Reporter(note=notes.append))


def figures(batch: Any) -> tuple[float, float]:
    return float(batch.dense().sum()), float(len(batch))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_sums_are_over_the_records_of_all_members(size: int) -> None:
    answers = together(size, lambda group: scoring.sums(job(group, []), 4, lambda: False, figures, 2))

    assert answers == [[ROWS.sum(), 10.0]] * size


def test_without_records_the_sums_are_zero() -> None:
    nobody = {"test": Memory(ROWS[:0])}

    assert scoring.sums(job(Alone(), [], nobody), 4, lambda: False, figures, 2) == [0.0, 0.0]


def test_without_a_test_channel_it_is_said() -> None:
    notes: list[str] = []

    assert scoring.sums(job(Alone(), notes, {}), 4, lambda: False, figures, 2) is None
    assert notes == ["Test data is not provided."]


@pytest.mark.parametrize("empty", [None, nothing(2)], ids=["alone", "in step"])
def test_when_one_member_s_time_is_up_none_scores(empty: Any) -> None:
    def member(group: Any) -> Any:
        notes: list[str] = []
        over = iter([False, group.rank == 1])
        answer = scoring.scores(job(group, notes), 6, lambda: next(over), len, empty=empty)
        return answer, notes

    assert together(2, member) == [(None, [CUT])] * 2


def test_time_that_is_up_after_the_last_batch_costs_nothing() -> None:
    looks: list[bool] = []

    def over() -> bool:
        looks.append(True)
        return len(looks) > 2

    assert scoring.scores(job(Alone(), []), 5, over, len) == [5, 5]


def test_in_step_members_take_as_many_batches() -> None:
    """A score that exchanges: who has no more rows takes part with none."""

    def member(group: Any) -> Any:
        own = Memory(ROWS if group.rank == 0 else ROWS[:3], group=group, distribution="ShardedByS3Key")
        return scoring.scores(
            job(group, [], {"test": own}), 4, lambda: False, lambda batch: total(group, len(batch))[0], empty=nothing(2)
        )

    first, second = together(2, member)

    assert first == second and sum(first) == 13
