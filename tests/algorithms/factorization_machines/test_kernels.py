"""Steps of the kernels beside the plain machine, at the edges of blocks and vectors."""

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.descent import Bias, Dense, Descent, Sparse
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import losses
from algoport.algorithms.factorization_machines.kernels.initial import METHODS, number
from algoport.algorithms.factorization_machines.table import NARROW, Table
from tests.algorithms.factorization_machines import plainly


def batches(random, d, rows, density, values):
    """Three batches of sparse rows, of ones, of values of any size, or of such with some zeros among the entries."""
    for _ in range(3):
        x = sparse.csr_array(sparse.random(rows, d, density, "csr", np.float32, random))
        x.data = np.ones_like(x.data) if values == "ones" else random.normal(size=len(x.data)).astype(np.float32)
        if values == "zeros":
            x.data[:: max(len(x.data) // 4, 1)] = 0
        yield x


def settings(**given):
    return Hyperparameters.read({"feature_dim": 50, "num_factors": 4, "predictor_type": "regressor", **given})


def descent(own, network):
    """A network with a record for each feature, and the plain machine that begins where it does."""
    table = Table(own, seed=3)
    table.add_all()
    start = table.records[: own.feature_dim]
    machine = plainly.Machine(0.25, start[:, 0], start[:, 4 : 4 + own.num_factors], own)
    return Descent(own, network(table, Alone(), own.is_regression), Bias(0.25)), machine


@pytest.mark.parametrize("network", [Sparse, Dense])
@pytest.mark.parametrize("values", ["ones", "values", "zeros"])
@pytest.mark.parametrize("k", [1, 4, 15, 16, 17, 31, 32, 33, 64, 70])
def test_steps_are_those_of_the_plain_machine(network, values, k):
    """In float32 steps of Adam agree to 1e-4 of the rate where gradients are not next to 0."""
    random = np.random.default_rng(k)
    own = settings(num_factors=k, factors_lr=0.01, linear_lr=0.01, factors_init_sigma=0.3)
    ours, plain = descent(own, network)

    for x in batches(random, 50, 70, 0.1, values):
        labels = random.normal(size=x.shape[0]).astype(np.float32)
        ours.steps(Rows(features=x), labels, len(labels))
        plain.step(x.toarray(), labels)

    records = ours.network.table.records[:50]
    np.testing.assert_allclose(records[:, 0], plain.weights, atol=2e-4)
    np.testing.assert_allclose(records[:, 4 : 4 + k], plain.factors, atol=2e-4)
    assert ours.bias.value == pytest.approx(plain.bias, abs=1e-4)


@pytest.mark.parametrize(
    "given",
    [
        {"predictor_type": "binary_classifier"},
        {"clip_gradient": 0.02},
        {"rescale_grad": 0.5},
        {"eps": 0.1},
        {"linear_wd": 0.3, "factors_wd": 0.3, "bias_wd": 0.3},
        {"use_linear": False},
        {"use_bias": False},
        {"mini_batch_size": 1},
    ],
)
@pytest.mark.parametrize("network", [Sparse, Dense])
def test_every_setting_of_a_step_counts_as_in_the_plain_machine(network, given):
    random = np.random.default_rng(1)
    own = settings(factors_lr=0.01, linear_lr=0.01, factors_init_sigma=0.3, **given)
    ours, plain = descent(own, network)

    for x in batches(random, 50, 40, 0.2, "values"):
        labels = random.integers(0, 2, x.shape[0]).astype(np.float32)
        ours.steps(Rows(features=x), labels, len(labels))
        plain.step(x.toarray(), labels)

    records = ours.network.table.records[:50]
    np.testing.assert_allclose(records[:, 0], plain.weights, atol=2e-4)
    np.testing.assert_allclose(records[:, 4:8], plain.factors, atol=2e-4)
    assert ours.bias.value == pytest.approx(plain.bias, abs=1e-4)


def test_what_is_counted_is_what_numpy_counts():
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=500) * 30, random.integers(0, 2, 500).astype(np.float32)
    counts, slopes = np.zeros(losses.COUNTS), np.empty(500, np.float32)

    losses.slopes(scores, labels, False, counts, slopes)

    p = 1 / (1 + np.exp(-scores))
    says, is_ = scores >= 0, labels == 1
    np.testing.assert_allclose(slopes, p - labels, atol=1e-6)
    assert counts[losses.LOSS] == pytest.approx(np.logaddexp(0, np.where(is_, -scores, scores)).sum())
    assert list(counts[losses.RIGHT :]) == [
        (says == is_).sum(), (says & is_).sum(), (says & ~is_).sum(), (~says & is_).sum()
    ]  # fmt: skip


@pytest.mark.parametrize("d", [NARROW, NARROW + 1, 2**31 - 1])
def test_features_have_records_whatever_their_numbers(d):
    """In an index that grows many times, with a place for each and without."""
    own = settings(feature_dim=d, num_factors=2)
    random = np.random.default_rng(0)
    table, seen = Table(own, seed=0), {}

    for _ in range(6):
        features = random.integers(max(0, d - 60_000), d, 9000).astype(np.int32)
        touched = table.touch(np.array([0, 9000], np.int32), features, np.ones(9000, np.float32))
        records = touched.records[touched.numbers]
        for feature, record in zip(features.tolist(), records.tolist(), strict=True):
            assert seen.setdefault(feature, record) == record

    assert len(seen) == table.count == len(set(seen.values()))
    np.testing.assert_array_equal(table.known, sorted(seen, key=seen.__getitem__))


def test_entries_are_sorted_by_feature_in_the_order_of_the_rows():
    own = settings(feature_dim=9, num_factors=2)
    features = np.array([3, 8, 3, 0, 8, 3], np.int32)
    values = np.array([1, 2, 3, 4, 0, 6], np.float32)

    touched = Table(own, seed=0).touch(np.array([0, 2, 3, 5, 6], np.int32), features, values)

    assert list(touched.numbers) == [0, 1, 0, 2, -1, 0]
    assert list(touched.begins) == [0, 3, 4, 5]
    assert list(touched.rows[:5]) == [0, 1, 3, 0, 2] and list(touched.factors[:5]) == [1, 3, 6, 2, 4]


def test_a_feature_that_comes_again_while_the_index_grows_is_touched_once():
    own = settings(feature_dim=2**31 - 1, num_factors=2)
    features = np.tile(np.random.default_rng(0).permutation(1 << 20)[:5000].astype(np.int32), 2)

    touched = Table(own, seed=0).touch(np.array([0, 10_000], np.int32), features, np.ones(10_000, np.float32))

    assert len(touched.records) == 5000
    np.testing.assert_array_equal(np.diff(touched.begins), 2)


def test_batches_taken_together_are_those_taken_one_by_one():
    random = np.random.default_rng(0)
    x = sparse.csr_array(sparse.random(70, 50, 0.1, "csr", np.float32, random))
    labels = random.normal(size=70).astype(np.float32)
    (one, _), (other, _) = (descent(settings(), Sparse) for _ in range(2))

    together = one.steps(Rows(features=x), labels, 16)
    alone = [other.steps(Rows(features=x[i : i + 16]), labels[i : i + 16], 16)[0] for i in range(0, 70, 16)]

    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(one.network.table.records, other.network.table.records)
    assert one.bias == other.bias and one.updates == other.updates == 5


def test_where_a_feature_starts_does_not_depend_on_when_it_is_seen():
    own = settings(feature_dim=1000, num_factors=5)
    one, other = Table(own, seed=4), Table(own, seed=4)
    one.add_all()
    other.touch(np.array([0, 2], np.int32), np.array([700, 3], np.int32), np.ones(2, np.float32))

    np.testing.assert_array_equal(other.records[0], one.records[700])
    np.testing.assert_array_equal(other.records[1], one.records[3])


@pytest.mark.parametrize(
    ("method", "size", "mean", "deviation"),
    [("uniform", 2.0, 0, 2 / 3**0.5), ("normal", 2.0, 0, 2), ("constant", 2.0, 2, 0)],
)
def test_starting_numbers_are_of_the_distribution(method, size, mean, deviation):
    draws = np.array([number(np.uint64(9), place, METHODS[method], size) for place in range(20_000)])

    assert draws.mean() == pytest.approx(mean, abs=0.05)
    assert draws.std() == pytest.approx(deviation, abs=0.05)
    if method == "uniform":
        assert np.abs(draws).max() <= 2
    if method == "normal":
        assert (np.abs(draws) < 2).mean() == pytest.approx(0.6827, abs=0.02)


def test_the_table_takes_memory_for_features_seen_and_not_for_those_there_could_be():
    own = settings(feature_dim=2**31 - 1, num_factors=64)
    table = Table(own, seed=0)
    features = np.unique(np.random.default_rng(0).integers(0, 2**31 - 1, 50_000)).astype(np.int32)

    table.touch(np.array([0, len(features)], np.int32), features, np.ones(len(features), np.float32))

    assert table.count == len(features)
    assert table.nbytes <= 1.15 * 12 * 64 * len(features)
