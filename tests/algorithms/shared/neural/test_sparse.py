"""Row-sparse gradients and lazy updates, beside NumPy's plain sums and dense optimizers."""

import numba
import numpy as np
import pytest
import torch
from torch import nn

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural.kernels.updates import adam_
from algoport.algorithms.shared.neural.optimizers import Optimizer, Rule
from algoport.algorithms.shared.neural.sparse import RowGradient, RowOptimizer, exchange, row_gradient
from algoport.algorithms.shared.neural.weights import Weights
from tests.groups import together

ROWS, WIDTH = 23, 5


def places(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Tokens, some of them often, and a gradient for each; whole numbers, whose sums are exact in any order."""
    random = np.random.default_rng(seed)
    ids = np.minimum(random.geometric(0.2, count), ROWS - 1)
    return ids, random.integers(-9, 9, (count, WIDTH)).astype(np.float32)


def dense(gradient: RowGradient) -> np.ndarray:
    whole = np.zeros((ROWS, WIDTH), np.float32)
    whole[gradient.rows] = gradient.values
    return whole


@pytest.mark.parametrize("count", [0, 1, 16, 17, 500])
def test_gradients_are_summed_by_row(count):
    ids, gradients = places(count)

    summed = row_gradient(ids, gradients)

    whole = np.zeros((ROWS, WIDTH), np.float32)
    np.add.at(whole, ids, gradients)
    np.testing.assert_array_equal(dense(summed), whole)
    np.testing.assert_array_equal(summed.rows, np.unique(ids))


def test_a_place_can_have_a_share_of_another_s_gradient():
    """As the tokens of a pooled sequence have."""
    ids, gradients = places(40)
    owners = np.repeat(np.arange(10), 4)
    scales = np.full(40, 0.25, np.float32)

    summed = row_gradient(ids, gradients[:10], owners, scales)

    whole = np.zeros((ROWS, WIDTH), np.float32)
    np.add.at(whole, ids, gradients[owners] * scales[:, None])
    np.testing.assert_array_equal(dense(summed), whole)


def test_sums_are_the_same_on_any_number_of_threads():
    random = np.random.default_rng(1)
    ids, gradients = random.integers(0, 900, 5000), random.normal(size=(5000, 8)).astype(np.float32)
    several = row_gradient(ids, gradients)
    numba.set_num_threads(1)
    try:
        one = row_gradient(ids, gradients)
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)

    np.testing.assert_array_equal(one.values, several.values)


@pytest.mark.parametrize("shares", [(30, 20), (50, 0), (20, 20, 10)])
def test_members_exchange_the_rows_that_they_used(shares):
    """A member may have none."""
    ids, gradients = places(50)
    ends = np.cumsum((0, *shares))
    sent = []

    def member(group):
        part = slice(ends[group.rank], ends[group.rank + 1])
        own = row_gradient(ids[part], gradients[part])
        gather = group.gather
        group.gather = lambda array: (sent.append(len(array)), gather(array))[1]
        return exchange(own, group), len(own.rows)

    whole = row_gradient(ids, gradients)
    for gradient, own in together(len(shares), member):
        np.testing.assert_array_equal(gradient.rows, whole.rows)
        np.testing.assert_array_equal(gradient.values, whole.values)
        assert own in sent and max(sent) < ROWS


@pytest.mark.parametrize("most", [None, 0.5])
@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_where_all_rows_are_used_an_update_is_the_dense_one(kind, most):
    random = np.random.default_rng(0)
    start = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    gradients = random.normal(size=(3, ROWS, WIDTH)).astype(np.float32)
    rule = Rule(kind=kind, weight_decay=0.01, clip_value=most, beta_1=0.8, beta_2=0.95)
    network = nn.Linear(WIDTH, ROWS, bias=False)
    network.weight.data.copy_(torch.from_numpy(start))
    whole, table = Optimizer(rule, Weights(network, Alone())), start.copy()
    rows = RowOptimizer(rule, table)

    for gradient in gradients:
        network.weight.grad.copy_(torch.from_numpy(4 * gradient))
        whole.step(4, 0.05)
        rows.step(RowGradient(np.arange(ROWS), 4 * gradient), 4, 0.05)

    np.testing.assert_allclose(table, network.weight.detach().numpy(), rtol=1e-4, atol=1e-6)
    assert np.abs(table - start).min() > 1e-6


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_rows_that_were_not_used_stay_as_they_are(kind):
    """Also those that were used before, and have momentum."""
    start = np.ones((ROWS, WIDTH), np.float32)
    table = start.copy()
    optimizer = RowOptimizer(Rule(kind=kind, weight_decay=0.1), table)
    values = np.ones((2, WIDTH), np.float32)

    optimizer.step(RowGradient(np.array([3, 7]), values), 1, 0.1)
    before = table.copy()
    optimizer.step(RowGradient(np.array([3, 9]), values), 1, 0.1)

    assert (table[[3, 9]] != before[[3, 9]]).all()
    np.testing.assert_array_equal(np.delete(table, [3, 9], 0), np.delete(before, [3, 9], 0))
    np.testing.assert_array_equal(np.delete(table, [3, 7, 9], 0), np.delete(start, [3, 7, 9], 0))


def test_lazy_adam_is_torch_s():
    ids, gradients = places(60)
    table = np.random.default_rng(3).normal(size=(ROWS, WIDTH)).astype(np.float32)
    parameter = nn.Parameter(torch.from_numpy(table.copy()))
    peer = torch.optim.SparseAdam([parameter], 0.05, (0.8, 0.95), 1e-8)
    optimizer = RowOptimizer(Rule(kind="adam", beta_1=0.8, beta_2=0.95), table)

    for first in range(0, 60, 15):
        own = row_gradient(ids[first : first + 15], gradients[first : first + 15])
        optimizer.step(own, 1, 0.05)
        parameter.grad = torch.sparse_coo_tensor(own.rows[None], own.values, (ROWS, WIDTH), check_invariants=True)
        peer.step()

    np.testing.assert_allclose(table, parameter.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_a_restored_optimizer_takes_the_same_steps(kind):
    rule, gradient = Rule(kind=kind), RowGradient(np.array([1, 4]), np.ones((2, WIDTH), np.float32))
    whole, again = np.zeros((ROWS, WIDTH), np.float32), np.zeros((ROWS, WIDTH), np.float32)
    one, other = RowOptimizer(rule, whole), RowOptimizer(rule, again)
    one.step(gradient, 1, 0.1)
    other.restore(one.arrays(), one.updates)
    again[:] = whole

    one.step(gradient, 1, 0.1)
    other.step(gradient, 1, 0.1)

    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("rule", [Rule(kind="rmsprop"), Rule(kind="adam", clip_norm=1.0)])
def test_rules_that_rows_do_not_know_are_refused(rule):
    with pytest.raises(ValueError, match="row-sparse updates are of sgd, adagrad, adam"):
        RowOptimizer(rule, np.zeros((2, 2), np.float32))


def test_adam_of_a_whole_array_has_the_bits_of_numpy_s():
    random = np.random.default_rng(0)
    weights = random.normal(size=20_001).astype(np.float32)
    plain, mean, square = weights.copy(), np.zeros_like(weights), np.zeros_like(weights)
    own_mean, own_square = np.zeros_like(weights), np.zeros_like(weights)

    for number in range(1, 4):
        gradient = random.normal(size=len(weights)).astype(np.float32)
        adam_(weights, gradient, own_mean, own_square, rate=0.01, updates=number)
        mean += np.float32(1 - 0.9) * (gradient - mean)
        square += np.float32(1 - 0.999) * (gradient * gradient - square)
        root = np.sqrt(square / np.float32(1 - 0.999**number)) + np.float32(1e-8)
        plain -= np.float32(0.01 / (1 - 0.9**number)) * mean / root

    np.testing.assert_array_equal(weights, plain)
