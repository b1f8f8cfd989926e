"""What members exchange after a step."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.blazingtext.replicas import due


def test_a_row_is_exchanged_once_its_word_has_come_sixteen_times() -> None:
    shares = np.array([100.0, 16, 15, 4, 1, 0.5])  # of each word in a step

    assert [due(shares, number) for number in range(16)] == [2, 2, 2, 4, 2, 2, 2, 4, 2, 2, 2, 4, 2, 2, 2, 5]
    assert due(shares, 63) is None  # all


def test_where_nothing_is_known_of_the_rows_all_are_exchanged() -> None:
    assert due(None, 0) is None and due(None, 3) is None
