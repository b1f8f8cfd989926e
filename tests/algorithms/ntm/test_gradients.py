"""The kernels' losses and gradients against those of the network in torch, which has all logits at once."""

import itertools

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.ntm import documents, gradients, kernels, network
from algoport.algorithms.ntm.gradients import Network
from algoport.algorithms.ntm.shapes import Shape, initial_weights
from tests.algorithms.ntm.jobs import drawn
from tests.groups import together


def setting(activation="tanh", batch_norm=False, layers=(9, 7), group=None, v=60, k=5, dropout=0.0):
    shape = Shape(feature_dim=v, num_topics=k, layers=layers)
    statistics = {name: np.zeros(size, np.float32) for name, size in shape.statistics.items()}
    weights = initial_weights(shape, 1, np.random.default_rng(0).dirichlet(np.ones(v)).astype(np.float32))
    own = Network(
        shape=shape,
        activation=activation,
        batch_norm=batch_norm,
        group=group or Alone(),
        dropout=dropout,
        statistics=statistics,
    )
    return own, weights * np.float32(1.5 if activation == "relu" else 3)


def room(network, weights):
    """For a gradient: 0 for words, of which those that nobody has stay so."""
    gradient = np.full_like(weights, np.nan)
    gradient[network.shape.words] = 0
    return gradient


def some(n=45):
    return documents.read(Rows(features=drawn(n, length=40)[0]), 60, "train")


@pytest.mark.parametrize(
    "activation, batch_norm, dropout",
    [("sigmoid", False, 0), ("tanh", False, 0.3), ("relu", False, 0), ("sigmoid", True, 0.4), ("relu", True, 0)],
)
def test_losses_and_gradients_are_torchs(activation, batch_norm, dropout):
    batch, results = some(), []
    for path in ("kernels", "torch"):
        own, weights = setting(activation, batch_norm, dropout=dropout)
        gradient = room(own, weights)
        given = own, weights, batch, batch.keys(), float(len(batch)), 0.7, gradient
        losses = gradients.gradient_(*given) if path == "kernels" else network.gradient_(*given, "cpu")
        results.append((losses, gradient, own.statistics))

    (mine, slopes, moved), (theirs, reference, others) = results
    np.testing.assert_allclose(mine.reconstruction, theirs.reconstruction, rtol=2e-5)
    np.testing.assert_allclose(mine.divergence, theirs.divergence, rtol=2e-5)
    shape = setting()[0].shape
    for name, own in shape.views(slopes).items():
        want = shape.views(reference)[name]
        np.testing.assert_allclose(own, want, rtol=2e-3, atol=3e-4 * max(np.abs(want).max(), 0.01), err_msg=name)
    for name in moved:
        np.testing.assert_allclose(moved[name], others[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_members_have_the_gradient_of_all_documents(batch_norm):
    batch = some()
    own, weights = setting(batch_norm=batch_norm, dropout=0.3)
    alone = room(own, weights)
    gradients.gradient_(own, weights, batch, batch.keys(), float(len(batch)), 1.0, alone)

    def member(group):
        part = documents.take(batch, np.arange(len(batch)) % group.size == group.rank)
        own, weights = setting(batch_norm=batch_norm, group=group, dropout=0.3)
        gradient = room(own, weights)
        gradients.gradient_(own, weights, part, part.keys(), float(len(batch)), 1.0, gradient)
        return gradient

    for each in together(3, member):
        np.testing.assert_allclose(each, alone, rtol=1e-3, atol=1e-4)


def test_a_single_hidden_layer_and_three_of_them():
    batch = some()
    for layers, batch_norm in itertools.product([(6,), (9, 7, 5)], [False, True]):
        results = []
        for path in (gradients.gradient_, lambda *given: network.gradient_(*given, "cpu")):
            own, weights = setting(layers=layers, batch_norm=batch_norm)
            gradient = room(own, weights)
            path(own, weights, batch, batch.keys(), float(len(batch)), 1.0, gradient)
            results.append(gradient)
        np.testing.assert_allclose(*results, rtol=5e-3, atol=3e-4 * np.abs(results[1]).max())


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    keys = np.arange(3000, dtype=np.uint64) * np.uint64(77)

    factors = gradients.dropout_factors(keys, 40, 0.25)

    np.testing.assert_allclose(np.unique(factors), [0, 4 / 3], rtol=1e-6)
    assert abs((factors == 0).mean() - 0.25) < 0.01 and abs(factors.mean() - 1) < 0.01
    assert np.abs(np.corrcoef(factors.T) - np.eye(40)).max() < 0.1
    np.testing.assert_array_equal(gradients.dropout_factors(keys[5:9], 40, 0.25), factors[5:9])


def test_draws_are_normal_and_belong_to_what_a_document_holds():
    keys = np.arange(4000, dtype=np.uint64) * np.uint64(77)
    nothing = np.zeros((4000, 5), np.float32)

    weights, noise, divergence = kernels.latent(nothing, nothing, keys)

    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02 and abs((noise**4).mean() - 3) < 0.15
    assert np.abs(np.corrcoef(noise.T) - np.eye(5)).max() < 0.06
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert not divergence.any()
    np.testing.assert_array_equal(kernels.latent(nothing[:9], nothing[:9], keys[:9])[1], noise[:9])
    batch = some()
    other = documents.take(batch, np.arange(len(batch)) % 2 == 1)
    np.testing.assert_array_equal(other.keys(), batch.keys()[1::2])
    assert len(set(batch.keys().tolist())) == len(batch)
