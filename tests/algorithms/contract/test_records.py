"""Rows, dense and sparse: cutting, reordering and joining keep together what belongs together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.contract.records import Rows, concatenate, nothing


@some.composite
def tables(draw: Any, rows: int | None = None, width: int = 3) -> Rows:
    """Rows that tell by every one of their parts which row they are."""
    n = draw(some.integers(0, 12)) if rows is None else rows
    number = np.arange(n, dtype=np.float32)
    features = np.where(np.arange(width) % 2 == 0, number[:, None] + 1, 0).astype(np.float32)
    texts = [None if i % 3 == 0 else str(i) for i in range(n)]
    return Rows(
        features=sparse.csr_array(features) if draw(some.booleans()) else features,
        label=number[:, None] if draw(some.booleans()) else None,
        weight=number if draw(some.booleans()) else None,
        group=np.arange(n) // 2 if draw(some.booleans()) else None,
        uid=texts if draw(some.booleans()) else None,
        metadata=texts if draw(some.booleans()) else None,
        configuration=[{"k": i} for i in range(n)] if draw(some.booleans()) else None,
    )


def plain_values(rows: Rows) -> list[Any]:
    """Everything about the rows as plain values, row by row."""
    parts = [rows.dense().tolist()]
    parts += [part.tolist() for part in (rows.label, rows.weight, rows.group) if part is not None]
    parts += [list(part) for part in (rows.uid, rows.metadata, rows.configuration) if part is not None]
    return [list(row) for row in zip(*parts, strict=True)]


@given(tables(), some.integers(0, 13), some.integers(0, 13), some.integers(1, 4))
def test_a_range_or_every_nth_row_is_that_of_every_part(rows: Rows, first: int, last: int, step: int) -> None:
    cut = rows[first:last:step]

    assert plain_values(cut) == plain_values(rows)[first:last:step]
    assert len(cut) == len(plain_values(cut)) and cut.width == rows.width and cut.is_sparse == rows.is_sparse


@given(tables(), some.randoms())
def test_rows_taken_in_an_order_are_in_that_order_in_every_part(rows: Rows, random: Any) -> None:
    order = [random.randrange(len(rows)) for _ in range(len(rows))] if len(rows) else []

    selection = rows.take(np.array(order, np.int64))

    everything = plain_values(rows)
    assert plain_values(selection) == [everything[i] for i in order]


@given(tables(), some.lists(some.integers(0, 12), max_size=3))
def test_joining_what_was_cut_gives_back_the_whole(rows: Rows, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(rows)]

    whole = concatenate(rows[first:last] for first, last in pairwise(edges))

    assert plain_values(whole) == plain_values(rows)
    assert whole.is_sparse == rows.is_sparse
    assert whole.features.dtype == np.float32


def test_dense_and_sparse_rows_join_to_sparse_ones_in_order() -> None:
    dense = Rows(features=np.array([[1, 0], [0, 2]], np.float32))
    thin = Rows(features=sparse.csr_array(np.array([[0, 3]], np.float32)))

    whole = concatenate([dense, thin, dense])

    assert whole.is_sparse
    np.testing.assert_array_equal(whole.dense(), [[1, 0], [0, 2], [0, 3], [1, 0], [0, 2]])
    assert whole.features.has_sorted_indices


def test_joined_rows_without_a_name_stand_beside_those_with_one() -> None:
    plain = Rows(features=np.zeros((2, 1), np.float32))
    named = Rows(features=np.zeros((1, 1), np.float32), uid=["a"], metadata=["{}"], configuration=[{"k": 1}])

    whole = concatenate([plain, named])

    assert whole.uid == [None, None, "a"]
    assert whole.metadata == [None, None, "{}"]
    assert whole.configuration == [None, None, {"k": 1}]


def test_dense_rows_are_in_c_order_and_float32_whatever_they_were() -> None:
    turned = np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3))
    for features in (turned, turned[::2], sparse.csr_array(turned), sparse.csr_array(turned)[::2]):
        dense = Rows(features=features).dense()
        assert dense.flags.c_contiguous and dense.dtype == np.float32
        np.testing.assert_array_equal(dense, turned[: len(dense)])


def test_a_dense_range_is_a_view() -> None:
    rows = Rows(features=np.zeros((4, 2), np.float32))

    assert np.shares_memory(rows[1:3].features, rows.features)
    assert rows.dense() is rows.features


def test_nothing_is_no_rows_of_a_width() -> None:
    rows = nothing(5)

    assert len(rows) == 0 and rows.width == 5 and rows.dense().shape == (0, 5)


def test_joined_rows_without_a_label_or_weight_miss_it_beside_those_with_one() -> None:
    plain = Rows(features=np.zeros((2, 3), np.float32))
    weighty = Rows(
        features=np.ones((1, 3), np.float32), label=np.array([[4]], np.float32), weight=np.array([5], np.float32)
    )

    whole = concatenate([plain, weighty])

    assert whole.label is not None and whole.weight is not None
    np.testing.assert_array_equal(whole.label, [[np.nan], [np.nan], [4]])
    np.testing.assert_array_equal(whole.weight, [1, 1, 5])


def test_joined_rows_without_a_group_are_in_none_beside_those_in_one() -> None:
    plain, members = (Rows(features=np.zeros((2, 3), np.float32), group=group) for group in (None, np.array([7, 7])))

    whole = concatenate([plain, members])

    assert whole.group is not None and whole.group.dtype == np.int64
    np.testing.assert_array_equal(whole.group, [-1, -1, 7, 7])
