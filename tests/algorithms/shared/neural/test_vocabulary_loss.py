"""The softmax loss by tiles against torch's, which has all logits at once, in float64."""

import numba
import numpy as np
import pytest
import torch
from scipy import sparse

from algoport.algorithms.shared.neural import vocabulary_loss
from algoport.algorithms.shared.neural.kernels.vocabulary import TILE
from algoport.algorithms.shared.neural.vocabulary_loss import Targets


def case(n, k, v, z, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    counts = sparse.random_array((n, v), density=z / v, rng=random, format="csr", dtype=np.float32)
    counts.data = random.integers(1, 9, len(counts.data)).astype(np.float32)
    counts.sort_indices()
    hidden, weights, bias = ((scale * random.normal(size=size)).astype(np.float32) for size in ((n, k), (k, v), (v,)))
    return hidden, weights, bias, counts


def ours(hidden, weights, bias, counts):
    v = weights.shape[1]
    tiled = vocabulary_loss.tiled(weights), vocabulary_loss.tiled(bias)
    by_weights, by_bias = (np.full_like(each, np.nan) for each in tiled)
    targets = Targets.of(counts.indptr, counts.indices, counts.data)
    own = vocabulary_loss.gradients(hidden, *tiled, v, targets, by_weights, by_bias)
    return own.losses, own.by_hidden, by_weights, by_bias, vocabulary_loss.losses(hidden, *tiled, v, targets)


def plain(hidden, weights, bias, counts):
    given = [torch.from_numpy(each).double().requires_grad_() for each in (hidden, weights, bias)]
    logits = given[0] @ given[1] + given[2]
    losses = -(torch.from_numpy(counts.toarray()).double() * torch.log_softmax(logits, 1)).sum(1)
    losses.sum().backward()
    return losses.detach().numpy(), *(each.grad.numpy() for each in given)


@pytest.mark.parametrize(
    "n, k, v, z, scale",
    [(1, 1, 3, 1, 1), (37, 3, 20, 6, 1), (50, 7, TILE, 9, 1), (33, 20, 3 * TILE + 5, 70, 1), (19, 5, 900, 30, 30)],
    ids=["one", "less than a tile", "a tile", "tiles and a rest", "large logits"],
)
def test_losses_and_gradients_are_torchs(n, k, v, z, scale):
    given = case(n, k, v, z, scale=scale)

    losses, by_hidden, by_weights, by_bias, only = ours(*given)

    want, *slopes = plain(*given)
    np.testing.assert_allclose(losses, want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(only, want, rtol=1e-5, atol=1e-5)
    got = by_hidden, vocabulary_loss.untiled(by_weights, v), vocabulary_loss.untiled(by_bias, v)
    for mine, theirs in zip(got, slopes, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-6 * max(1, np.abs(theirs).max()) * scale)
    assert not vocabulary_loss.tiled(np.zeros(v, np.float32)).ravel()[v:].any()
    assert not by_bias.ravel()[v:].any() and not np.moveaxis(by_weights, 0, 1).reshape(k, -1)[:, v:].any()


def test_no_rows_have_no_gradient():
    hidden, weights, bias, counts = case(5, 3, 700, 4)

    losses, by_hidden, by_weights, by_bias, only = ours(hidden[:0], weights, bias, counts[:0])

    assert losses.shape == only.shape == (0,) and by_hidden.shape == (0, 3)
    assert not by_weights.any() and not by_bias.any()


def test_the_number_of_threads_changes_no_bit():
    given, before = case(200, 20, 4000, 50), numba.get_num_threads()
    try:
        several = ours(*given)
        numba.set_num_threads(1)
        alone = ours(*given)
    finally:
        numba.set_num_threads(before)

    for one, other in zip(several, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_word_a_row_is_the_usual_cross_entropy():
    hidden, weights, bias, _ = case(40, 6, 1500, 1)
    words = np.random.default_rng(1).integers(0, 1500, 40)
    ones = sparse.csr_array((np.ones(40, np.float32), words, np.arange(41)), shape=(40, 1500))

    losses, *_ = ours(hidden, weights, bias, ones)

    logits = torch.from_numpy(hidden @ weights + bias)
    want = torch.nn.functional.cross_entropy(logits, torch.from_numpy(words), reduction="none")
    np.testing.assert_allclose(losses, want.numpy(), rtol=1e-5, atol=1e-5)
