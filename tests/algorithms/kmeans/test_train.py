"""What is particular to k-means: its streaming, its settings, its quality beside scikit-learn."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.kmeans.model import Model
from algoport.algorithms.kmeans.train import fit


def job(rows, *, test=None, **given):
    start, seed = given.pop("start", None), given.pop("seed", 0)
    notes, reports = given.pop("notes", []), given.pop("reports", {})
    channels = {"train": Memory(rows)} | ({} if test is None else {"test": Memory(test)})
    settings = Hyperparameters(**{"feature_dim": np.shape(rows)[1], **given})
    return Job(
        hyperparameters=settings,
        channels=channels,
        start=start,
        seed=seed,
        reporter=Reporter(note=notes.append, report=lambda values, **_: reports.update(values)),
    )


def msd(rows, centers):
    return float(((rows[:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).mean())


@pytest.fixture(scope="module")
def digits():
    return load_digits().data.astype(np.float32)


def heaps(n, seed=0):
    random = np.random.default_rng(seed)
    middles = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    return middles[np.arange(n) % 4] + random.normal(size=(n, 2)).astype(np.float32), middles


def test_it_finds_heaps_that_lie_apart():
    rows, middles = heaps(4000)

    centers = fit(job(rows, k=4, mini_batch_size=500)).centers

    for middle in middles:
        assert np.linalg.norm(centers - middle, axis=1).min() < 0.15


@pytest.mark.parametrize("init", ["random", "kmeans++"])
@pytest.mark.parametrize("local", ["random", "kmeans++"])
def test_digits_come_as_near_as_scikit_learn_whatever_the_initialization(digits, init, local):
    settings = {"k": 20, "mini_batch_size": 500, "epochs": 10}
    reference = KMeans(20, n_init=10, random_state=0).fit(digits).inertia_ / len(digits)

    losses = [
        msd(digits, fit(job(digits, seed=seed, init_method=init, local_lloyd_init_method=local, **settings)).centers)
        for seed in range(5)
    ]

    assert np.mean(losses) <= 1.025 * reference


def test_the_metrics_are_those_of_the_final_centers(digits):
    reports = {}

    model = fit(
        job(digits[:1500], test=digits[1500:], k=10, mini_batch_size=500, eval_metrics="msd,ssd", reports=reports)
    )

    assert reports["test:msd"] == pytest.approx(msd(digits[1500:], model.centers), rel=1e-5)
    assert reports["test:ssd"] == pytest.approx(297 * msd(digits[1500:], model.centers), rel=1e-5)
    assert reports["train:msd"] == pytest.approx(msd(digits[:1500], model.centers), rel=1e-2)


@pytest.mark.parametrize(("rows", "k", "factor"), [(400, 40, 10), (400, 60, 6), (50, 40, 1), (4000, 4, 10)])
def test_auto_is_as_many_extra_centers_as_the_first_batch_allows_up_to_ten(rows, k, factor):
    notes = []

    model = fit(job(heaps(rows)[0], k=k, mini_batch_size=1000, notes=notes))

    assert f"'extra_center_factor' was set to 'auto', evaluated to {factor}." in notes
    assert len(model.streaming) == k * factor
    assert len(model.centers) == k


def test_fewer_rows_than_k_are_a_users_error():
    with pytest.raises(UserError, match="3 rows, which is fewer than k, 4"):
        fit(job(heaps(3)[0], k=4))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_a_users_error(value):
    rows = heaps(100)[0]
    rows[77, 1] = value

    with pytest.raises(UserError, match="missing or infinite"):
        fit(job(rows, k=4, mini_batch_size=50))


def test_a_stop_leaves_a_long_test_channel_unscored():
    """On a clock that goes a second a look."""
    stop, notes, reports = [], [], {}

    class Stopping(Memory):
        def batches(self, rows, **order):
            for batch in super().batches(rows, **order):
                yield batch
                stop.append(True)

    class Long(Memory):
        def batches(self, rows, **order):
            for _ in range(100):
                yield from super().batches(rows, **order)

    rows = heaps(400)[0]
    stopped = replace(
        job(rows, k=4, mini_batch_size=100, notes=notes, reports=reports),
        channels={"train": Stopping(rows), "test": Long(rows)},
        stop_requested=lambda: bool(stop),
        clock=itertools.count().__next__,
    )

    model = fit(stopped)

    assert model.weights.sum() == 100 and model.centers.shape == (4, 2)
    assert list(reports) == ["train:msd"]
    assert "The test channel is not scored, as a stop was asked for." in notes


def test_equal_rows_give_a_model_without_loss():
    reports = {}

    fit(job(np.ones((100, 3), np.float32), k=4, reports=reports))

    assert reports["train:msd"] == 0


def test_with_a_half_life_centers_follow_what_came_last():
    """Rows that wander from 0 to 100: without fading the mean lies at 50, with it near the end."""
    rows = np.linspace(0, 100, 10_000, dtype=np.float32)[:, None]
    one = {"k": 1, "mini_batch_size": 100, "extra_center_factor": 1}

    steady = fit(job(rows, **one)).centers[0, 0]
    fading = fit(job(rows, half_life_time_size=500, **one)).centers[0, 0]

    assert steady == pytest.approx(50, abs=1)
    # Weights that halve every 500 rows look back 500 / ln 2 rows, 7.2 units, on average.
    assert fading == pytest.approx(100 - 7.2, abs=1)


def test_a_streaming_center_is_the_mean_of_its_rows_with_the_given_half_life():
    """One center, so that each step can be written down (kmeans.yaml, step 2)."""
    rows = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)

    model = fit(job(rows, k=1, extra_center_factor=1, mini_batch_size=100, half_life_time_size=50))

    ages = np.repeat([200, 100, 0], 100)
    weights = 2.0 ** (-ages / 50)
    np.testing.assert_allclose(model.streaming[0], np.average(rows, axis=0, weights=weights), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.weights, [weights.sum()])


def test_incremental_training_keeps_what_the_model_had_learned():
    """Two heaps first, then the two others: all four are known in the end."""
    rows, middles = heaps(4000)
    which = np.arange(4000) % 4
    earlier = fit(job(rows[which < 2], k=4, mini_batch_size=500))

    later = fit(job(rows[which >= 2], k=4, mini_batch_size=500, start=earlier))

    assert later.weights.sum() == pytest.approx(4000)
    for middle in middles:
        assert np.linalg.norm(later.centers - middle, axis=1).min() < 1.5


def test_incremental_training_takes_the_centers_of_an_original_as_one_batch():
    rows, middles = heaps(4000)
    start = Model(centers=middles)

    model = fit(job(rows, k=4, mini_batch_size=500, start=start))

    assert model.weights.sum() == pytest.approx(4500)
    np.testing.assert_allclose(model.centers, middles, atol=0.15)


@pytest.mark.parametrize(("k", "d", "says"), [(5, 2, "^k: "), (4, 3, "^feature_dim: ")])
def test_a_model_that_does_not_fit_is_refused(k, d, says):
    start = Model(centers=heaps(4)[1])

    with pytest.raises(UserError, match=says):
        fit(job(np.ones((100, d), np.float32), k=k, start=start))
