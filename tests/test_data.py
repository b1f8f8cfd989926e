"""The real data is what its source says it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests import data


@pytest.mark.parametrize(
    ("load", "shape", "positive"),
    [
        (data.spambase, (4597, 57), 0.394),
        (data.magic, (19020, 10), 0.648),
        (data.shuttle, (49097, 9), 0.0715),
    ],
    ids=["spambase", "magic", "shuttle"],
)
def test_a_set_of_two_classes_has_the_share_of_ones_that_its_source_says(
    load: object, shape: object, positive: float
) -> None:
    rows, labels = load()  # type: ignore[operator]

    assert rows.shape == shape and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert set(labels.tolist()) == {0, 1}
    assert abs(labels.mean() - positive) < 0.001
    assert abs(labels[: len(labels) // 2].mean() - positive) < 0.02, "not shuffled"


def test_diamonds_are_numbers_and_a_price() -> None:
    rows, price = data.diamonds()

    assert rows.shape == (53940, 6 + 4 + 6 + 7) and rows.dtype == np.float32
    assert price.min() == 326 and price.max() == 18823


@pytest.mark.parametrize(
    ("load", "shape", "classes", "most"),
    [
        (data.digits, (1797, 64), 10, 16),
        (data.letters, (20000, 16), 26, 15),
        (lambda: data.fashion("t10k"), (10000, 784), 10, 255),
    ],
    ids=["digits", "letters", "fashion"],
)
def test_a_set_has_the_rows_that_its_source_counts(load: object, shape: object, classes: int, most: int) -> None:
    rows, labels = load()  # type: ignore[operator]

    assert rows.shape == shape and rows.dtype == np.float32
    assert len(labels) == len(rows) and sorted(set(labels.tolist())) == list(range(classes))
    assert rows.min() == 0 and rows.max() == most
