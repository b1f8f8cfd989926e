"""The kernels for GPUs against those for CPUs; on a machine without a GPU torch computes on its CPU."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.datasets import load_digits

from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.kmeans import kernels, kernels_torch
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.kmeans.train import fit


@settings(deadline=None, max_examples=50)
@given(
    n=some.sampled_from([0, 1, 7, 300]),
    d=some.integers(1, 9),
    k=some.sampled_from([1, 2, 4, 8]),
    seed=some.integers(0, 999),
)
def test_both_give_the_same_sums_labels_and_distances(n, d, k, seed):
    """Whole numbers and a power of two of centers, whose mean is exact: ties are ties."""
    random = np.random.default_rng(seed)
    rows = random.integers(-9, 9, (n, d)).astype(np.float32)
    centers = random.integers(-9, 9, (k, d)).astype(np.float32)
    ours, theirs = ((np.zeros((k, d)), np.zeros(k)) for _ in range(2))

    loss = kernels_torch.accumulate(rows, centers, *ours)

    assert loss == kernels.accumulate(rows, centers, *theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)
    (index, distance), (other, apart) = kernels_torch.nearest(rows, centers), kernels.nearest(rows, centers)
    assert (index.dtype, distance.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(index, other)
    np.testing.assert_allclose(distance, apart, rtol=2e-7)  # two square roots, of which one may be approximate


def test_a_common_offset_costs_no_digits():
    random = np.random.default_rng(0)
    rows = (10_000 + random.normal(size=(1000, 20))).astype(np.float32)
    centers = rows[:30].copy()

    index, distance = kernels_torch.nearest(rows, centers)

    plain = np.sqrt(((rows[:, None].astype(np.float64) - centers[None]) ** 2).sum(axis=2))
    np.testing.assert_array_equal(index, plain.argmin(axis=1))
    np.testing.assert_allclose(distance, plain.min(axis=1), rtol=1e-5, atol=1e-6)


def test_scores_are_made_in_blocks(monkeypatch):
    monkeypatch.setattr(kernels_torch, "SCORES", 4 * 3 * 10)
    rows = np.random.default_rng(0).normal(size=(101, 4)).astype(np.float32)

    np.testing.assert_array_equal(kernels_torch.nearest(rows, rows[:3])[0], kernels.nearest(rows, rows[:3])[0])


def test_a_job_finds_the_same_heaps_on_either():
    """A GPU job differs from a CPU job by the name of its device alone. Float32 may settle a near tie otherwise, and
    from then on the streaming centers differ; the heaps, and how near they are met, do not."""
    random = np.random.default_rng(0)
    middles = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    rows = (middles[np.arange(4000) % 4] + random.normal(size=(4000, 2))).astype(np.float32)

    def train(device):
        hyperparameters = Hyperparameters(k=4, feature_dim=2, mini_batch_size=500)
        centers = fit(Job(hyperparameters=hyperparameters, channels={"train": Memory(rows)}, device=device)).centers
        return centers[np.lexsort(np.rint(centers).T)]

    np.testing.assert_allclose(train("cuda"), train("cpu"), atol=1e-3)


def test_a_job_on_digits_comes_as_near_on_either():
    rows = load_digits().data.astype(np.float32)

    def msd(device):
        hyperparameters = Hyperparameters(k=10, feature_dim=64, mini_batch_size=500, epochs=2)
        model = fit(Job(hyperparameters=hyperparameters, channels={"train": Memory(rows)}, device=device))
        return (kernels.nearest(rows, model.centers)[1].astype(np.float64) ** 2).mean()

    assert msd("cuda") == pytest.approx(msd("cpu"), rel=0.03)


def test_a_read_only_array_is_read():
    rows = np.ones((3, 2), np.float32)
    rows.flags.writeable = False

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index, distance = kernels_torch.nearest(rows, rows[:1])

    np.testing.assert_array_equal(index, 0)
    np.testing.assert_array_equal(distance, 0)
