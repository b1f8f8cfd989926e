"""Forests, read as plain arrays."""

from __future__ import annotations

from pathlib import Path

from tests import data
from tests.clients import readers


def test_the_points_of_a_forest_are_rows_that_it_was_given(tmp_path: Path) -> None:
    rows, _ = data.shuttle()
    given = {"feature_dim": 9, "num_trees": 50, "num_samples_per_tree": 64}
    readers.trained("randomcutforest", given, readers.table(rows[:5000]), tmp_path)

    points = readers.answered("randomcutforest", rows[:1], tmp_path)["points"]

    assert len(points) == 50 * 64
    assert set(map(bytes, points)) <= set(map(bytes, rows[:5000]))
