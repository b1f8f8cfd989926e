"""Every kernel against the shortest way to say the same thing."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.kmeans import kernels
from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.linalg import distances, lanes

BLOCK = kernels.BLOCK
SIZES = some.sampled_from([0, 1, 7, kernels.FEW, kernels.FEW + 1, lanes.ROWS, 95, 96, 97, BLOCK, BLOCK + 1])
# Around the heights of tiles, and sums of several of them.
CENTERS = some.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 24, 25, 30, 31, 112, 113, 250])
# Around the lanes of every processor's vectors.
WIDTHS = some.sampled_from([*range(1, 10), 15, 16, 17, 31, 32, 33])


def whole(n, d, k, seed):
    """Whole numbers, so that float32 is exact, ties are common and no tolerance is needed."""
    random = np.random.default_rng(seed)
    return (random.integers(-9, 9, shape).astype(np.float32) for shape in ((n, d), (k, d)))


def squares(rows, centers):
    return ((rows[:, None].astype(np.float64) - centers[None]) ** 2).sum(axis=2)  # (n, k)


def summed(rows, labels, k, weights=None):
    mine = (labels[:, None] == np.arange(k)) * (1.0 if weights is None else weights[:, None])  # (n, k)
    return mine.T @ rows.astype(np.float64), mine.sum(axis=0)


@settings(deadline=None)
@given(n=SIZES, d=WIDTHS, k=CENTERS, seed=some.integers(0, 999))
def test_accumulate_is_the_plain_sum(n, d, k, seed):
    rows, centers = whole(n, d, k, seed)
    sums, counts = np.ones((k, d)), np.ones(k)

    loss = kernels.accumulate(rows, centers, sums, counts)

    square = squares(rows, centers)
    want_sums, want_counts = summed(rows, square.argmin(axis=1), k)
    np.testing.assert_array_equal(sums, want_sums + 1)
    np.testing.assert_array_equal(counts, want_counts + 1)
    assert loss == square.min(axis=1, initial=np.inf).sum()


@settings(deadline=None)
@given(n=SIZES, d=WIDTHS, k=CENTERS, seed=some.integers(0, 999))
def test_nearest_is_the_lowest_of_the_nearest(n, d, k, seed):
    rows, centers = whole(n, d, k, seed)

    index, distance = kernels.nearest(rows, centers)

    square = squares(rows, centers)
    assert (index.dtype, distance.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(index, square.argmin(axis=1))
    np.testing.assert_array_equal(distance, np.sqrt(square.min(axis=1, initial=np.inf)).astype(np.float32))


@pytest.mark.parametrize("far", [0, 1e3, 1e6])
@pytest.mark.parametrize("k", [3, 40, 130])
def test_rounding_has_no_say_in_who_is_nearest(far, k):
    """Far from the origin, where |x|^2 - 2 x.c + |c|^2 in float32 has no digit left."""
    random = np.random.default_rng(0)
    rows = (random.normal(size=(3000, 12)) + far).astype(np.float32)
    centers = (random.normal(size=(k, 12)) * 0.1 + far).astype(np.float32)

    index, distance = kernels.nearest(rows, centers)

    square = squares(rows, centers)
    np.testing.assert_array_equal(index, square.argmin(axis=1))
    np.testing.assert_allclose(distance, np.sqrt(square.min(axis=1)), rtol=1e-6)


def test_the_bound_of_a_score_holds():
    """`distances.settle` trusts it. Long rows, where rounding adds up, and one far heap."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(200, 700)).astype(np.float32) * np.float32(100)
    rows[:20] += 1e5
    centers = rows[::9].copy()
    packed = distances.pack(centers)
    space = distances.room(700, 200)

    distances.search(rows, np.arange(200), 200, packed, space)

    _, near, best, second, _ = (part[..., :200].astype(np.float64) for part in space)
    square = np.sort(squares(rows, centers), axis=1)
    slack = packed[4] * near + packed[5]
    assert (np.abs(near + best - square[:, 0]) <= slack).all()
    assert (np.abs(near + second - square[:, 1]) <= slack).all()


def test_a_row_has_the_same_answer_alone_and_in_company():
    random = np.random.default_rng(2)
    rows = random.normal(size=(300, 33)).astype(np.float32)
    centers = np.repeat(random.normal(size=(20, 33)), 2, axis=0).astype(np.float32)  # each of them twice

    index, distance = kernels.nearest(rows, centers)

    for i in range(0, 300, 37):
        alone = kernels.nearest(rows[i : i + 1], centers)
        assert (alone[0][0], alone[1][0]) == (index[i], distance[i])
        assert index[i] % 2 == 0


def test_missing_values_do_no_harm():
    rows = np.full((40, 5), np.nan, np.float32)
    rows[20:] = np.inf
    centers = np.ones((30, 5), np.float32)

    index, distance = kernels.nearest(rows, centers)

    assert ((index >= 0) & (index < 30)).all()
    assert not np.isfinite(distance).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_finds_what_is_not(bad):
    rows = np.zeros((100, 7), np.float32)
    rows[3] = np.finfo(np.float32).max
    assert kernels.finite(rows)
    assert kernels.finite(rows[:0])

    rows[99, 6] = bad

    assert not kernels.finite(rows)


@given(k=some.integers(1, 9), d=some.integers(1, 5), seed=some.integers(0, 999))
def test_move_goes_to_the_mean_and_stays_where_there_is_none(k, d, seed):
    random = np.random.default_rng(seed)
    centers = random.normal(size=(k, d)).astype(np.float32)
    sums, counts = random.normal(size=(k, d)), random.integers(0, 3, k).astype(float)
    want = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers).astype(np.float32)

    kernels.move(centers, sums, counts)

    np.testing.assert_array_equal(centers, want)


@given(k=some.integers(1, 9), d=some.integers(1, 5), seed=some.integers(0, 999))
def test_streaming_update_is_the_mean_of_all_rows_so_far(k, d, seed):
    random = np.random.default_rng(seed)
    centers, counts = random.normal(size=(k, d)).astype(np.float32), random.integers(0, 3, k).astype(float)
    sums, new = random.normal(size=(k, d)), random.integers(0, 3, k).astype(float)
    every = (counts + new)[:, None]
    want = np.where(new[:, None] > 0, (centers * counts[:, None] + sums) / np.maximum(every, 1), centers)

    kernels.streaming_update(centers, counts, sums, new)

    np.testing.assert_allclose(centers, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(counts, every[:, 0])


@settings(deadline=None)
@given(n=some.sampled_from([1, 5, BLOCK, BLOCK + 1]), k=some.integers(1, 5), seed=some.integers(0, 999))
def test_plus_plus_draws_by_weight_times_squared_distance(n, k, seed):
    random = np.random.default_rng(seed)
    points, weights = random.integers(-9, 9, (n, 2)).astype(np.float32), random.integers(0, 4, n).astype(float)
    weights[0] = 1
    uniforms = random.random(k)

    chosen = kernels.plus_plus(points, weights, k, uniforms)

    mass = weights
    for step in range(k):
        if mass.sum() == 0:
            break
        assert chosen[step] == np.searchsorted(np.cumsum(mass), uniforms[step] * mass.sum(), side="right")
        mass = weights * squares(points, points[chosen[: step + 1]]).min(axis=1)


def test_plus_plus_takes_each_point_once_where_all_are_equal():
    chosen = kernels.plus_plus(np.ones((6, 3), np.float32), np.ones(6), 6, np.full(6, 0.7))

    assert sorted(chosen) == list(range(6))


def test_the_number_of_threads_changes_no_bit():
    random = np.random.default_rng(3)
    rows = random.normal(size=(20_000, 11)).astype(np.float32)
    centers = rows[:50].copy()
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        sums, counts = np.zeros((50, 11)), np.zeros(50)
        loss = kernels.accumulate(rows, centers, sums, counts)
        answers.append((loss, sums.tobytes(), counts.tobytes()))

    assert answers[0] == answers[1]


def test_nothing_is_compiled_again_for_a_mapped_file_or_other_numbers(tmp_path):
    rows = np.arange(60, dtype=np.float32).reshape(20, 3)
    kernels.nearest(rows, rows)
    kernels.nearest(rows[:1], rows)
    np.save(tmp_path / "rows.npy", rows)
    before = compiled.compilations()

    for same in (np.load(tmp_path / "rows.npy", mmap_mode="r"), rows.astype(np.float64), np.asfortranarray(rows)):
        for n in (1, 20):
            np.testing.assert_array_equal(kernels.nearest(same[:n], same)[0], np.arange(n))

    assert compiled.compilations() == before


@pytest.mark.skipif(compiled.PROCESSOR in os.environ, reason="runs within another processor's run")
@pytest.mark.parametrize("level", [*compiled.levels_here()[1:], "generic"])
def test_kernels_of_other_processors_pass_the_same_tests(level):
    """The tiles differ, so that each set of kernels is another program."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(Path(__file__))],
        env=os.environ | {compiled.PROCESSOR: level},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
