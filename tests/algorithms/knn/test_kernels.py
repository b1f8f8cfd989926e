"""The search of the nearest rows beside the plain one: every score, sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.knn import kernels
from algoport.algorithms.knn.index import ENTRIES, Flat, Inverted, offset_of
from algoport.algorithms.knn.sketch import sketch
from algoport.algorithms.shared.selection import cut_down

METRICS = [kernels.SQUARES, kernels.PRODUCTS]


def plainly(rows: Any, queries: Any, k: int, metric: int) -> tuple[Any, Any]:
    """In float64: by distance, and then by number."""
    wide, asked = rows.astype(np.float64), queries.astype(np.float64)
    far = ((asked[:, None] - wide) ** 2).sum(axis=2) if metric == kernels.SQUARES else -(asked @ wide.T)
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(far, order, axis=1), order


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [1, 7, 31, 32, 33, 100, 401])
@pytest.mark.parametrize("q", [1, 5, 33, 70])
def test_whole_numbers_with_many_ties_give_the_plain_answer(metric: int, n: int, q: int) -> None:
    """Whole numbers, so that float32 is exact, and ties are common: the lower number comes first."""
    random = np.random.default_rng(n * 100 + q)
    d = int(random.integers(1, 40))
    rows = random.integers(-2, 3, (n, d)).astype(np.float32)
    queries = random.integers(-2, 3, (q, d)).astype(np.float32)
    k = min(n, 9)

    distances, numbers = Flat.of(rows, metric).search(queries, k)

    want, order = plainly(rows, queries, k, metric)
    np.testing.assert_array_equal(distances, want)
    np.testing.assert_array_equal(numbers, order)


@pytest.mark.parametrize("metric", METRICS)
def test_far_from_the_origin_and_of_any_size_answers_are_those_of_float64(metric: int) -> None:
    """What float32 cannot tell apart is measured again."""
    random = np.random.default_rng(3)
    rows = (random.normal(size=(300, 12)) * 1e-3 + 1000).astype(np.float32)
    queries = (random.normal(size=(40, 12)) * 1e-3 + 1000).astype(np.float32)

    for asked in (queries, queries[:2], (queries * np.float32(1e20)), np.zeros((9, 12), np.float32)):
        _, numbers = Flat.of(rows, metric).search(np.ascontiguousarray(asked), 5)
        np.testing.assert_array_equal(numbers, plainly(rows, asked, 5, metric)[1])


def test_numbers_beyond_what_float32_can_square_are_measured_in_float64() -> None:
    random = np.random.default_rng(4)
    rows = (random.normal(size=(64, 5)) * 1e25).astype(np.float32)

    for count in (2, 20):
        _, numbers = Flat.of(rows, kernels.SQUARES).search(rows[:count], 3)
        np.testing.assert_array_equal(numbers, plainly(rows, rows[:count], 3, kernels.SQUARES)[1])


def near_a_plane(n: int, d: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    plane = random.normal(size=(6, d)) * np.array([9, 7, 5, 3, 2, 1])[:, None]
    return (random.normal(size=(n, 6)) @ plane + 0.2 * random.normal(size=(n, d)) + 3).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 10, 60])
def test_a_sketch_changes_no_answer(metric: int, k: int) -> None:
    rows = near_a_plane(1500, 80, 0)
    if metric == kernels.PRODUCTS:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = np.concatenate([rows[:20] * np.float32(1.01), near_a_plane(30, 80, 1)])
    own = sketch(rows, metric, 10, Alone())
    assert own is not None

    for asked in (queries, queries[:3]):
        got = Flat.of(rows, metric, own).search(np.ascontiguousarray(asked), k)
        want = Flat.of(rows, metric).search(np.ascontiguousarray(asked), k)
        np.testing.assert_array_equal(got[1], want[1])
        np.testing.assert_array_equal(got[0], want[0])


def test_a_sketch_of_bad_directions_changes_no_answer_either() -> None:
    """The bound holds for any basis: here one whose directions are neither orthogonal nor of length 1."""
    rows, queries = near_a_plane(1000, 64, 2), near_a_plane(40, 64, 3)
    basis = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32) / 8
    gram = basis.astype(np.float64).T @ basis.astype(np.float64)
    offset = rows.mean(axis=0)
    panels, norms = kernels.store_sketch(rows, offset, basis, gram, kernels.SQUARES)
    reach = kernels.longest(rows, offset)

    for asked in (queries, queries[:2]):
        _, numbers = kernels.sketched(rows, offset, reach, basis, gram, panels, norms, asked, 5, kernels.SQUARES)
        np.testing.assert_array_equal(numbers, plainly(rows, asked, 5, kernels.SQUARES)[1])


def test_rows_without_directions_get_no_sketch() -> None:
    rows = np.random.default_rng(0).normal(size=(1200, 96)).astype(np.float32)

    assert sketch(rows, kernels.SQUARES, 5, Alone()) is None


def in_lists(rows: Any, lists: int, probes: int, metric: int, coded: int = 0) -> tuple[Inverted, Any]:
    """An index around some of the rows, and the rows that its codes stand for."""
    random = np.random.default_rng(0)
    centers = rows[:lists].copy()
    own = Flat.of(centers, metric).search(rows, 1)[1][:, 0]
    order = np.argsort(own, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=lists))]).astype(np.int64)
    d = rows.shape[1]
    if not coded:
        books = np.empty((0, ENTRIES, 0), np.float32)
        none = np.empty((0, 0), np.uint8)
        return Inverted.of(centers, begins, order, rows[order], none, books, metric, probes), rows
    books = random.integers(-3, 4, (coded, ENTRIES, d // coded)).astype(np.float32)
    codes = random.integers(0, ENTRIES, (len(rows), coded)).astype(np.uint8)
    stands = centers[own[order]] + np.concatenate([books[j, codes[:, j]] for j in range(coded)], axis=1)
    whole = np.empty_like(rows)
    whole[order] = stands
    nothing = np.empty((0, d), np.float32)
    return Inverted.of(centers, begins, order, nothing, codes, books, metric, probes), whole


@pytest.mark.parametrize(("metric", "coded"), [(0, 0), (1, 0), (0, 4)])
@pytest.mark.parametrize("q", [1, 60, 300])
def test_lists_give_the_nearest_of_those_that_are_looked_at(metric: int, coded: int, q: int) -> None:
    random = np.random.default_rng(5)
    rows = random.integers(-4, 5, (700, 12)).astype(np.float32)
    queries = random.integers(-4, 5, (q, 12)).astype(np.float32)
    index, stands = in_lists(rows, 5, 2, metric, coded)

    _, numbers = index.search(queries, 4)

    centers = plainly(index.coarse.rows, queries, 2, metric)[1]
    own = np.empty(len(rows), np.int64)
    own[index.ids] = np.repeat(np.arange(5), np.diff(index.begins))
    for i in range(q):
        members = np.flatnonzero(np.isin(own, centers[i]))
        want = members[plainly(stands[members], queries[i : i + 1], 4, metric)[1][0]]
        np.testing.assert_array_equal(numbers[i], want)


def test_more_coded_rows_alike_than_wait_to_be_measured_give_the_first_of_them() -> None:
    """Three thousand in two lists, of which none can be ruled out; and a nearer one that comes late."""
    centers = np.array([[0, 0], [0, 1]], np.float32)
    begins, ids = np.array([0, 1500, 3000]), np.random.default_rng(0).permutation(3000)
    books, codes = np.zeros((1, ENTRIES, 2), np.float32), np.zeros((3000, 1), np.uint8)
    books[0, 7], codes[2900] = [0, -0.75], 7
    nothing = np.empty((0, 2), np.float32)
    index = Inverted.of(centers, begins, ids, nothing, codes, books, kernels.SQUARES, 2)

    distances, numbers = index.search(np.array([[0, 0.5], [0, 0.25]], np.float32), 3)

    np.testing.assert_array_equal(numbers[0], [ids[2900], 0, 1])
    np.testing.assert_array_equal(distances, [[0.0625, 0.25, 0.25], [0, 0.0625, 0.0625]])


def test_where_a_few_lists_hold_too_few_rows_all_are_looked_at() -> None:
    rows = np.arange(20, dtype=np.float32)[:, None]
    index, _ = in_lists(rows, 20, 1, kernels.SQUARES)

    _, numbers = index.search(np.array([[4.2]], np.float32), 3)

    assert numbers.tolist() == [[4, 5, 3]]


def test_the_most_frequent_label_is_chosen_and_the_lowest_of_several() -> None:
    labels = np.array([[3, 1, 3], [2, 1, 0], [5, np.nan, np.nan], [-1, -1, 7], [4, 4, 9]], np.float32)

    assert kernels.votes(labels).tolist() == [3, 0, 5, -1, 4]


def test_a_hadamard_transform_is_the_product_with_the_matrix() -> None:
    from scipy.linalg import hadamard

    random = np.random.default_rng(0)
    rows, signs = random.integers(-5, 6, (9, 13)).astype(np.float32), random.choice([-1, 1], 16).astype(np.float32)
    columns = np.array([0, 3, 7, 15])

    got = kernels.hadamard(rows, signs, columns)

    filled = np.concatenate([rows, np.zeros((9, 3), np.float32)], axis=1) * signs
    np.testing.assert_array_equal(got, (filled @ hadamard(16).T)[:, columns])


@pytest.mark.parametrize("k", [1, 3, 39, 40])
def test_the_lowest_keys_come_to_the_front(k: int) -> None:
    random = np.random.default_rng(k)
    keys = random.integers(0, 9, (2, 40)).astype(np.float32)
    numbers = np.arange(80).reshape(2, 40)
    before = keys.copy()

    worst = cut_down(keys, numbers, 1, 40, k)

    want = np.sort(before[1])[:k]
    np.testing.assert_array_equal(np.sort(keys[1, :k]), want)
    assert worst == want[-1]
    np.testing.assert_array_equal(before[1, numbers[1] - 40], keys[1])
    np.testing.assert_array_equal(before[0], keys[0])


def test_offsets_are_coarse_and_near_the_middle() -> None:
    rows = np.array([[1, 1000], [3, 1001]], np.float32)

    assert offset_of(rows, kernels.SQUARES).tolist() == [2, 1000]
    assert offset_of(rows, kernels.PRODUCTS).tolist() == [0, 0]
