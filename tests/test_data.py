"""The real data is what its source says it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests import data


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
