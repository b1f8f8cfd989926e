"""Lloyd's method against a plain one and against scikit-learn's."""

import numba
import numpy as np
import pytest
from sklearn.cluster import KMeans

from algoport.algorithms.kmeans import kernels
from algoport.algorithms.shared.clustering.kernels import lloyd as inner
from algoport.algorithms.shared.clustering.lloyd import lloyd
from tests.data import digits, letters


def plainly(rows, start, weights, passes):
    centers = start.astype(np.float32)
    for _ in range(passes):
        labels = ((rows[:, None].astype(np.float64) - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        mass = (labels[:, None] == np.arange(len(centers))) * weights[:, None]
        centers = np.where(
            mass.sum(axis=0)[:, None] > 0,
            mass.T @ rows.astype(np.float64) / np.maximum(mass.sum(axis=0), 1e-300)[:, None],
            centers,
        ).astype(np.float32)
    msd = weights @ ((rows - centers[labels]).astype(np.float64) ** 2).sum(axis=1) / weights.sum()
    return centers, msd


def heaps(n, d, apart, seed=0):
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, d)) + apart * random.integers(-3, 4, (n, d))).astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k", "apart"), [(1, 1, 1, 0), (700, 2, 1, 1), (1500, 3, 40, 3), (1100, 20, 7, 0)])
def test_it_is_lloyds_method(n, d, k, apart, weighted):
    """Bounds spare searches in the later passes, and must not show."""
    rows = heaps(n, d, apart)
    weights = np.random.default_rng(1).random(n) + 0.5

    for passes in (1, 2, 3, 12):
        result = lloyd(rows, rows[:k], weights=weights if weighted else None, passes=passes, tol=0)
        centers, msd = plainly(rows, rows[:k], weights if weighted else np.ones(n), passes)

        np.testing.assert_allclose(result.centers, centers, rtol=1e-5, atol=1e-5)
        assert result.msd == pytest.approx(msd, rel=1e-6, abs=1e-12)


def test_bounds_hold_in_spite_of_rounding(monkeypatch):
    """Every label that a bound keeps is the nearest, on rows far from the origin and on tight heaps far apart."""
    savings = []

    def watched(rows, weights, centers, mode, state, sums, counts):
        answer = revise(rows, weights, centers, mode, state, sums, counts)
        distance = ((rows[:, None].astype(np.float64) - centers[None]) ** 2).sum(axis=2)
        np.testing.assert_array_equal(state.labels, distance.argmin(axis=1))
        if mode != inner.PLAIN:
            own = np.sqrt(distance[np.arange(len(rows)), state.labels])
            distance[np.arange(len(rows)), state.labels] = np.inf
            assert (state.upper >= own * (1 - 1e-12)).all()
            assert (state.lower <= np.sqrt(distance.min(axis=1)) * (1 + 1e-12)).all()
        savings.append((mode, len(rows) - answer[0]))
        return answer

    revise = inner.revise
    monkeypatch.setattr(inner, "revise", watched)

    for far, tight in ((0, 1), (300, 1), (0, 1e-3), (1e5, 1)):
        random = np.random.default_rng(5)
        middles = random.normal(size=(12, 9)) * 10
        rows = (middles[random.integers(0, 12, 2000)] + tight * random.normal(size=(2000, 9)) + far).astype(np.float32)
        lloyd(rows, rows[:30], passes=15, tol=0)

    assert sum(count for mode, count in savings if mode == inner.USE) > 10_000


def test_the_number_of_threads_changes_no_bit():
    rows = heaps(30_000, 8, 1)
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        answers.append(lloyd(rows, rows[:60], passes=12))

    assert answers[0].centers.tobytes() == answers[1].centers.tobytes()
    assert answers[0].msd == answers[1].msd


def test_a_center_without_rows_stays():
    rows = np.array([[0], [1], [10], [11]], np.float32)
    start = np.array([[0], [10], [1000]], np.float32)

    result = lloyd(rows, start)

    np.testing.assert_array_equal(result.centers, [[0.5], [10.5], [1000]])
    assert result.msd == 0.25
    assert result.passes == 2


def test_no_rows_and_no_passes_leave_the_start():
    start = np.ones((2, 3), np.float32)

    np.testing.assert_array_equal(lloyd(np.empty((0, 3), np.float32), start).centers, start)
    assert lloyd(start, start, passes=0).passes == 0


def test_a_weight_is_a_number_of_rows():
    rows = heaps(200, 4, 2)
    times = np.random.default_rng(2).integers(0, 4, 200)

    weighted = lloyd(rows, rows[:9], weights=times.astype(np.float64), tol=0)
    repeated = lloyd(np.repeat(rows, times, axis=0), rows[:9], tol=0)

    np.testing.assert_allclose(weighted.centers, repeated.centers, rtol=1e-6)
    assert weighted.msd == pytest.approx(repeated.msd, rel=1e-6)


def test_a_tolerance_ends_early_and_costs_little():
    rows = heaps(5000, 6, 0)

    quick, thorough = lloyd(rows, rows[:20], tol=1e-3), lloyd(rows, rows[:20], tol=0)

    assert quick.passes < thorough.passes
    assert thorough.msd <= quick.msd <= thorough.msd * 1.05


@pytest.mark.parametrize(("data", "k"), [(digits, 20), (letters, 26)])
def test_it_goes_where_scikit_learn_goes(data, k):
    """The data are whole numbers, full of ties, which scikit-learn breaks by what rounding leaves; so shaken a bit."""
    random = np.random.default_rng(3)
    rows = data()[0] + random.normal(scale=0.01, size=data()[0].shape).astype(np.float32)
    start = rows[random.choice(len(rows), k, replace=False)]

    result = lloyd(rows, start, passes=15, tol=0)
    theirs = KMeans(k, init=start, n_init=1, max_iter=15, tol=0, algorithm="lloyd").fit(rows)

    distance = kernels.nearest(rows, result.centers)[1].astype(np.float64)
    assert (distance**2).mean() == pytest.approx(theirs.inertia_ / len(rows), rel=1e-3)


def test_it_ends_after_a_pass_when_a_stop_is_requested():
    rows = heaps(500, 3, 0)

    assert lloyd(rows, rows[:9], passes=50, tol=0).passes > 1
    assert lloyd(rows, rows[:9], passes=50, tol=0, over=lambda: True).passes == 1
