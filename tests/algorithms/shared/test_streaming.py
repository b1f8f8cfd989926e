"""The loop over passes and batches: every record once a pass, the same at every member, and resumable anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.shared.streaming import Position, passes, resume, stream
from tests.groups import together

ROWS = np.arange(22, dtype=np.float32).reshape(11, 2)


@dataclass
class State:
    """The order in which rows came, by their first numbers."""

    rows: list[float] = field(default_factory=list)
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"rows": np.concatenate(group.gather(np.array(self.rows)))}, {}


class Checkpoints:
    """All of them, as often as there can be one."""

    def __init__(self, latest: Any = None, *, due: bool = True) -> None:
        self.saved: list[Any] = []
        self._latest, self._due = latest, due

    def due(self, *, ended: bool = False) -> bool:
        return self._due or ended

    def save(self, arrays: Any, facts: Any) -> None:
        self.saved.append((dict(arrays), dict(facts)))

    def latest(self) -> Any:
        return self._latest


def job(group: Any = None, **more: Any) -> Any:
    group = group or Alone()
    return Job(hyperparameters=None, channels={"train": Memory(ROWS, group=group)}, group=group, **more)  # type: ignore[type-var]


def run(own: Any, state: State, epochs: int = 2) -> State:
    for batch in stream(own, state, empty=nothing(2), size=4, epochs=epochs):
        state.rows += batch.dense()[:, 0].tolist()
    return state


def test_every_pass_brings_every_row_and_counts_its_batches() -> None:
    progress: list[Any] = []

    state = run(job(reporter=Reporter(progress=lambda *words: progress.append(words))), State())

    assert state.rows == ROWS[:, 0].tolist() * 2
    assert state.position == Position(epoch=2, step=0, total=6)
    assert progress == [(1, 2, "epochs"), (2, 2, "epochs")]


def test_resuming_from_any_checkpoint_gives_the_same() -> None:
    checkpoints = Checkpoints()
    whole = run(job(checkpoints=checkpoints), State())

    assert len(checkpoints.saved) == 2 * (3 + 1)
    for saved in checkpoints.saved:
        own = job(checkpoints=Checkpoints(saved))
        state = resume(own, lambda arrays, _: State(arrays["rows"].tolist()))
        assert state is not None
        assert run(own, state).rows == whole.rows
        assert state.position == whole.position


def test_without_a_checkpoint_there_is_nothing_to_resume() -> None:
    assert resume(job(), lambda arrays, facts: State()) is None


def test_a_checkpoint_without_epoch_is_of_the_first_pass() -> None:
    state = resume(job(checkpoints=Checkpoints(({}, {"step": 2}))), lambda arrays, facts: State())

    assert state is not None and state.position == Position(epoch=0, step=2, total=2)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("after", [0, 1, 4, 5])
def test_a_stop_ends_all_members_at_one_step_with_a_checkpoint_of_it(size: int, after: int) -> None:
    def member(group: Any) -> Any:
        looks, checkpoints, notes = iter(range(1000)), Checkpoints(due=False), []
        own = job(
            group,
            stop_requested=lambda: group.rank == size - 1 and next(looks) >= after,
            checkpoints=checkpoints,
            reporter=Reporter(note=notes.append),
        )
        state = run(own, State(), epochs=9)
        assert state.position.stopped
        assert checkpoints.saved[-1][1] == {name: getattr(state.position, name) for name in ("epoch", "step", "total")}
        assert notes[-1].startswith(f"a stop was asked for in epoch {state.position.epoch + 1}, after ")
        return state.position

    positions = together(size, member)

    assert all(position == positions[0] for position in positions)


def test_one_member_s_due_checkpoint_is_taken_at_all() -> None:
    """A snapshot may make exchanges, though only the first member knows when one is due."""

    def member(group: Any) -> Any:
        checkpoints = Checkpoints(due=group.rank == 0)
        run(job(group, checkpoints=checkpoints), State(), epochs=1)
        return [arrays["rows"].tolist() for arrays, _ in checkpoints.saved]

    first, second = together(2, member)

    assert first == second and sorted(first[-1]) == ROWS[:, 0].tolist()


def test_a_pass_ends_where_the_algorithm_can_judge_it_and_none_begins_after_enough() -> None:
    state, seen = State(), []

    for batches in passes(job(), state, empty=nothing(2), size=4, epochs=9, enough=lambda: len(seen) == 2):
        seen.append([len(batch) for batch in batches])

    assert seen == [[4, 4, 3]] * 2
    assert state.position.epoch == 2
