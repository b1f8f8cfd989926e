"""What every model promises, and every way to come by one."""

from __future__ import annotations

import copy
import math
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Memory
from algoport.algorithms.contract.records import Rows
from tests.conformance.conftest import Looks, Members
from tests.conformance.example import (
    CLOSE,
    Asking,
    CheckpointFiles,
    Example,
    Interleaved,
    Interrupted,
    Watched,
    differ,
    leaves,
    same,
    stopped,
    written,
)
from tests.groups import together


def test_a_loaded_model_answers_as_the_saved_one(example: Example, model: Any, tmp_path: Path) -> None:
    files = written(model, tmp_path / "one")

    loaded = example.Model.load(tmp_path / "one")

    same(example.answers(model), example.answers(loaded))
    assert loaded.width == model.width
    assert written(loaded, tmp_path / "two") == files


def test_archives_that_lie_beside_a_model_are_passed_over(example: Example, model: Any, tmp_path: Path) -> None:
    """The local endpoint of the SageMaker SDK unpacks a model where its archive lies, beside that of the outputs."""
    written(model, tmp_path / "model")
    for name in ("model.tar.gz", "output.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(tmp_path / "model", arcname=".")
        (tmp_path / name).rename(tmp_path / "model" / name)

    loaded = example.Model.load(tmp_path / "model")

    same(example.answers(model), example.answers(loaded))


def test_answers_are_one_entry_a_record_and_as_declared(example: Example, model: Any) -> None:
    rows = example.requests()

    for asked in (rows, rows[:1], rows[:0]):
        answers = example.answers(model, asked)
        columns = [column for column in example.algorithm.answer.columns if column.name in answers]
        assert list(answers) == [column.name for column in columns]
        assert {column.name for column in example.algorithm.answer.columns if not column.optional} <= set(answers)
        assert {len(values) for values in answers.values()} == {len(asked)}


def test_a_record_s_answer_does_not_depend_on_its_company(example: Example, model: Any) -> None:
    rows = example.requests()
    together_ = example.answers(model, rows)

    alone = [example.answers(model, rows[i : i + 1]) for i in range(min(len(rows), 20))]

    joined = {column: [entry for one in alone for entry in one[column]] for column in together_}
    same({column: values[: len(alone)] for column, values in together_.items()}, joined, **CLOSE)


def test_the_same_seed_gives_the_same_model_bit_for_bit(example: Example, tmp_path: Path) -> None:
    files = [written(example.fit(seed=7), tmp_path / str(lap)) for lap in range(2)]

    assert files[0] == files[1]


@pytest.mark.parametrize("size", [2, 3])
def test_every_member_ends_with_the_same_model(members: Members, size: int, tmp_path: Path) -> None:
    files = [written(model, tmp_path / str(rank)) for rank, model in enumerate(members(size))]

    assert all(own == files[0] for own in files)


@pytest.mark.parametrize("size", [2, 3])
def test_how_replicated_rows_are_shared_out_does_not_matter(
    example: Example, model: Any, members: Members, size: int
) -> None:
    same(example.answers(model), example.answers(members(size)[0]), **CLOSE)


@pytest.mark.parametrize(
    "cuts", [(0.5,), (0.7,), (0.4, 0.4), (0.0, 0.3)], ids=["even", "uneven", "one empty", "first empty"]
)
def test_sharded_rows_give_what_one_reader_of_all_shards_gets(example: Example, cuts: tuple[float, ...]) -> None:
    rows = example.rows()["train"]
    edges = [0, *(int(cut * len(rows)) for cut in cuts), len(rows)]
    shards = [rows[first:last] for first, last in pairwise(edges)]

    def member(group: Any) -> Any:
        source = Memory(shards[group.rank], group=group, distribution="ShardedByS3Key")
        return example.fit(group, channels={"train": source})

    shared, *_ = together(len(shards), member)

    alone = example.fit(channels={"train": Interleaved(shards)})
    same(example.answers(alone), example.answers(shared), **CLOSE)


def test_incremental_training_works(example: Example, model: Any, tmp_path: Path) -> None:
    """The start counts, and a start that was saved and loaded counts the same."""
    model.save(tmp_path / "start")
    other = {"train": Memory(_moved(example.rows()["train"]))}

    further = example.fit(channels=other, start=model)

    assert further.width == model.width
    same(
        example.answers(further),
        example.answers(example.fit(channels=other, start=example.Model.load(tmp_path / "start"))),
    )
    assert differ(example.answers(further), example.answers(example.fit(channels=other)))


def _moved(rows: Any) -> Any:
    """The same rows, turned round and a little elsewhere, with the labels they had; of other records, half of them."""
    if not isinstance(rows, Rows):
        return rows[: (len(rows) + 1) // 2]
    return replace(rows, features=np.ascontiguousarray(rows.dense() * np.float32(1.25) + np.float32(0.5)))


def test_interrupted_and_resumed_is_uninterrupted(example: Example, tmp_path: Path) -> None:
    """After the first checkpoint, in the middle and after the last; states are kept at every chance."""
    whole = CheckpointFiles(tmp_path / "whole")
    want = written(example.fit(checkpoints=whole), tmp_path / "want")
    assert whole.saved, "nothing was kept"

    for dies_after in sorted({1, math.ceil(whole.saved / 2), whole.saved}):
        place = tmp_path / f"after {dies_after}"
        with pytest.raises(Interrupted):
            example.fit(checkpoints=CheckpointFiles(place, dies_after=dies_after))
        resumed = example.fit(checkpoints=CheckpointFiles(place))
        assert written(resumed, tmp_path / f"got {dies_after}") == want, (
            f"after checkpoint {dies_after} of {whole.saved}"
        )


def test_keeping_checkpoints_changes_nothing(example: Example, model: Any, tmp_path: Path) -> None:
    with_checkpoints = example.fit(checkpoints=CheckpointFiles(tmp_path / "checkpoints"))

    assert written(with_checkpoints, tmp_path / "kept") == written(model, tmp_path / "plain")


def test_a_checkpoint_can_be_made_inside_a_pass(example: Example, tmp_path: Path) -> None:
    """Where every chance is taken there are more states than where only the ends of passes are."""
    ends, chances = CheckpointFiles(tmp_path / "ends", always=False), CheckpointFiles(tmp_path / "chances", always=True)

    example.fit(checkpoints=ends)
    example.fit(checkpoints=chances)

    assert chances.saved > ends.saved > 0


def test_interrupted_and_resumed_is_uninterrupted_with_several_members(example: Example, tmp_path: Path) -> None:
    def run(lap: str, **how: Any) -> list[Any]:
        return together(
            2, lambda group: example.fit(group, checkpoints=CheckpointFiles(tmp_path / lap / str(group.rank), **how))
        )

    want = written(run("whole")[0], tmp_path / "want")
    saved = len(list((tmp_path / "whole" / "0").iterdir()))
    with pytest.raises(Interrupted):
        run("cut", dies_after=math.ceil(saved / 2))
    resumed = run("cut")

    assert written(resumed[0], tmp_path / "got") == want
    states = [
        {path.name: path.read_bytes() for path in sorted((tmp_path / "whole" / rank).rglob("*.*"))} for rank in "01"
    ]
    assert states[0] == states[1], "members keep different states"


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 2])
def test_a_stop_leaves_a_servable_model(
    example: Example, looks: Looks, size: int, share: float, tmp_path: Path
) -> None:
    """Asked of the last member only, at that share of the chances it gives itself to be asked."""
    at = max(1, round(share * looks(size)))

    asked = [Asking() for _ in range(size - 1)] + [Asking(at)]
    passes: list[bool] = []

    def member(group: Any) -> Any:
        source = Watched(Memory(example.rows()["train"], group=group), lambda: passes.append(asked[-1].looks >= at))
        # Only the one who is asked: another may be late to the very pass in which that happens.
        watched = {"train": source} if group.rank == size - 1 else {}
        return stopped(example, group, stop_requested=asked[group.rank], channels=watched)

    models = together(size, member)

    assert asked[-1].looks >= at
    assert not any(passes[1:]), "a further pass over the training rows began after the stop was asked for"
    if models[0] is None:
        assert share < 0.5, "half of the work was done, and no model is left"
        assert all(model is None for model in models)
        return
    files = [written(model, tmp_path / str(rank)) for rank, model in enumerate(models)]
    assert all(own == files[0] for own in files)
    answers = example.answers(example.Model.load(tmp_path / "0"))
    assert {len(values) for values in answers.values()} == {len(example.requests())}
    numbers = [value for values in answers.values() for value in leaves(values) if value.dtype.kind != "U"]
    assert all(np.isfinite(np.asarray(value, float)).all() for value in numbers)


def test_training_changes_neither_its_records_nor_the_model_it_starts_from(example: Example, tmp_path: Path) -> None:
    start = example.fit()
    before = written(start, tmp_path / "before")
    rows = example.rows()
    copies = copy.deepcopy(rows)

    example.fit(start=start, channels={channel: Memory(own) for channel, own in rows.items()})

    assert written(start, tmp_path / "after") == before
    for channel, own in rows.items():
        assert same_records(own, copies[channel])


def same_records(one: Any, other: Any) -> bool:
    """Whether two sets of records hold the same."""
    if isinstance(one, Rows):
        return np.array_equal(one.dense(), other.dense(), equal_nan=True)
    return bool(repr(one) == repr(other))
