"""What a job is handed: batches that do not depend on how many members there are, and steps kept together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory, Metric, NoCheckpoints, records_used, share_of_batch
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import interleaved
from algoport.algorithms.contract.records import Rows, concatenate, nothing
from tests.groups import together


class Member:
    """Says who one is, and exchanges nothing: enough for a source."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a source made an exchange: {name}")


def numbered(rows: int) -> Rows:
    number = np.arange(rows, dtype=np.float32)
    return Rows(features=np.stack([number, -number], axis=1), label=number[:, None])


def numbers(rows: Rows) -> list[int]:
    assert rows.label is not None
    np.testing.assert_array_equal(rows.features, np.stack([rows.label[:, 0], -rows.label[:, 0]], axis=1))
    return [int(number) for number in rows.label[:, 0]]


def passes(rows: int, batch: int, size: int, **how: Any) -> list[list[list[int]]]:
    """Of replicated data, the numbers of the rows of each batch, by member."""
    sources = [Memory(numbered(rows), group=Member(rank, size)) for rank in range(size)]
    return [[numbers(part) for part in source.batches(batch, **how)] for source in sources]


ROWS, BATCH, SIZE = some.integers(0, 50), some.integers(1, 20), some.integers(1, 5)
ORDER = some.none() | some.integers(0, 9)


@given(ROWS, BATCH, SIZE, ORDER)
def test_a_batch_is_the_same_rows_however_many_members_share_it(rows: int, batch: int, size: int, order: Any) -> None:
    (alone,) = passes(rows, batch, 1, shuffle=order)

    shared = passes(rows, batch, size, shuffle=order)

    assert {len(steps) for steps in shared} == {len(alone)}
    for step, want in enumerate(alone):
        mine = [np.array(steps[step], int) for steps in shared]
        assert interleaved(mine).tolist() == want
        assert max(map(len, mine)) - min(map(len, mine)) <= 1


@given(ROWS, BATCH, ORDER)
def test_a_pass_is_every_row_once_in_whole_batches(rows: int, batch: int, order: Any) -> None:
    (steps,) = passes(rows, batch, 1, shuffle=order)

    flat = [number for step in steps for number in step]
    assert sorted(flat) == list(range(rows))
    assert [len(step) for step in steps[:-1]] == [batch] * len(steps[:-1])
    assert order is not None or flat == list(range(rows))


def test_an_order_is_the_seed_s_and_changes_with_it() -> None:
    (one,), (again,), (other,) = (passes(50, 50, 1, shuffle=seed) for seed in (1, 1, 2))

    assert one == again != other
    assert one[0] != list(range(50))


@given(ROWS, BATCH, SIZE, ORDER, some.integers(0, 5))
def test_a_pass_resumed_after_some_batches_is_the_rest(rows: int, batch: int, size: int, order: Any, used: int) -> None:
    whole = passes(rows, batch, size, shuffle=order)

    rest = passes(rows, batch, size, shuffle=order, start=used * batch)

    assert rest == [steps[used:] for steps in whole]


@given(some.lists(some.integers(0, 30), min_size=1, max_size=4), BATCH, some.integers(0, 3), ORDER)
def test_of_sharded_data_every_member_brings_its_nth_of_a_batch(
    shards: list[int], batch: int, used: int, order: Any
) -> None:
    size = len(shards)
    for rank, rows in enumerate(shards):
        source = Memory(numbered(rows), group=Member(rank, size), distribution="ShardedByS3Key")
        steps = [numbers(step) for step in source.batches(batch, shuffle=order)]
        rest = [numbers(step) for step in source.batches(batch, start=used * batch, shuffle=order)]

        assert sorted(number for step in steps for number in step) == list(range(rows))
        assert all(len(step) == share_of_batch(batch, rank, size) for step in steps[:-1])
        assert rest == steps[used:]
        assert numbers(source.all()) == list(range(rows)) and source.rows == rows


@given(some.integers(1, 100), SIZE, some.integers(0, 9))
def test_parts_make_up_a_batch_unless_it_is_smaller_than_the_group(batch: int, size: int, steps: int) -> None:
    parts = [share_of_batch(batch, rank, size) for rank in range(size)]

    assert sum(parts) == max(batch, size) if batch >= size else parts == [1] * size
    assert [records_used(steps * batch, batch, rank, size) for rank in range(size)] == [
        steps * share for share in parts
    ]


@given(ROWS, BATCH, SIZE)
def test_the_head_is_the_first_batch_and_is_seen_again(rows: int, batch: int, size: int) -> None:
    for rank in range(size):
        source = Memory(numbered(rows), group=Member(rank, size))

        head = source.head(batch)

        assert numbers(head if rows else numbered(0)) == [n for n in range(min(rows, batch)) if n % size == rank]
        assert [numbers(step) for step in source.batches(batch)][:1] == ([numbers(head)] if rows else [])


@given(ROWS, SIZE)
def test_all_members_together_hold_every_row_once(rows: int, size: int) -> None:
    sources = [Memory(numbered(rows), group=Member(rank, size)) for rank in range(size)]

    assert sorted(numbers(concatenate(source.all() for source in sources))) == list(range(rows))
    assert sum(source.rows or 0 for source in sources) == rows
    assert {source.width for source in sources} == {2}


def test_memory_takes_a_plain_array() -> None:
    source = Memory(np.arange(6, dtype=np.float64).reshape(3, 2)[:, ::-1])

    rows = source.all()

    assert rows.features.dtype == np.float32 and rows.dense().flags.c_contiguous
    np.testing.assert_array_equal(rows.features, [[1, 0], [3, 2], [5, 4]])


def job(group: Any = None, **more: Any) -> Job[Any, Any]:
    return Job(hyperparameters=None, channels={}, **({"group": group} if group else {}), **more)


@pytest.mark.parametrize("steps", [(3,), (0,), (2, 2), (3, 0), (0, 5, 2), (0, 0, 0)])
def test_members_take_as_many_steps_as_the_one_with_the_most_batches(steps: tuple[int, ...]) -> None:
    def walk(group: Any) -> list[int]:
        batches: Iterator[Rows] = iter([numbered(4)] * steps[group.rank])
        return [len(batch) for batch in job(group).in_step(batches, nothing(2))]

    walks = together(len(steps), walk)

    for rank, walked in enumerate(walks):
        assert walked == [4] * steps[rank] + [0] * (max(steps) - steps[rank])


def test_who_has_no_batch_gets_an_empty_one_of_the_right_width() -> None:
    def walk(group: Any) -> list[int]:
        batches = iter([numbered(4)] if group.rank == 0 else [])
        return [batch.width for batch in job(group).in_step(batches, nothing(2))]

    assert together(2, walk) == [[2], [2]]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_members_stop_after_the_same_step_when_one_is_asked_to(size: int) -> None:
    def walk(group: Any) -> int:
        asked = iter([False, False, True, True])
        mine = job(group, stop_requested=(lambda: next(asked)) if group.rank == size - 1 else (lambda: False))
        return sum(1 for _ in mine.in_step(iter([numbered(1)] * 9), nothing(2)))

    assert together(size, walk) == [2] * size


def test_stopping_is_true_everywhere_as_soon_as_one_is_asked() -> None:
    def ask(who: int | None) -> list[bool]:
        return together(3, lambda group: job(group, stop_requested=lambda: group.rank == who).stopping())

    assert ask(None) == [False] * 3
    assert ask(0) == ask(2) == [True] * 3


def test_a_job_without_checkpoints_keeps_nothing() -> None:
    nowhere = NoCheckpoints()

    nowhere.save({"a": np.ones(1)}, {})

    assert nowhere.latest() is None and not nowhere.due()


def test_a_metric_s_name_is_channel_and_measure() -> None:
    metric = Metric(name="test:macro_f_1.000", goal="maximize", meaning="…")

    assert (metric.channel, metric.short) == ("test", "macro_f_1.000")
    assert nothing(3).width == 3


def test_an_unknown_algorithm_is_reported_with_the_nearest_and_all_there_are() -> None:
    name = algorithms.names()[0]
    with pytest.raises(UserError) as caught:
        algorithms.find(f"{name}s")

    assert f"There is no algorithm '{name}s'. There are: " in str(caught.value)
    assert f"Did you mean {name}?" in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../algorithms", "os", "__pycache__", "errors"])
def test_only_a_folder_with_an_algorithm_is_found(name: str) -> None:
    with pytest.raises(UserError):
        algorithms.find(name)


def test_an_algorithm_of_one_s_own_is_found_where_the_path_says(tmp_path: Any, monkeypatch: Any) -> None:
    folder = tmp_path / "one_of_my_own"
    folder.mkdir()
    (folder / "__init__.py").write_text("ALGORITHM = 'mine'\n")
    (tmp_path / "no_algorithm").mkdir()
    for file in ("hyperparameters.py", "train.py"):
        (folder / file).write_text("")
    monkeypatch.setattr(algorithms, "__path__", list(algorithms.__path__))
    monkeypatch.setenv("ALGORITHM_PATH", f":{tmp_path / 'nowhere'}:{tmp_path}")

    assert "one-of-my-own" in algorithms.names() and "no-algorithm" not in algorithms.names()
    assert algorithms.find("one-of-my-own") == "mine"
    assert algorithms.part("one-of-my-own", "train").__name__ == "algoport.algorithms.one_of_my_own.train"
