"""A step beside the network written plainly, and what it promises of threads and members."""

import numba
import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.ipinsights import descent
from algoport.algorithms.ipinsights.descent import Batch, Descent, places
from algoport.algorithms.ipinsights.hyperparameters import Hyperparameters
from algoport.algorithms.ipinsights.network import Network, Shape
from tests.algorithms.ipinsights import plainly


def settings(**more):
    given = {"num_entity_vectors": 40, "vector_dim": 6, "mini_batch_size": 100, "learning_rate": 0.05}
    rates = {"random_negative_sampling_rate": 2, "shuffled_negative_sampling_rate": 1}
    return Hyperparameters.read({**given, **rates, **more})


def drawn(layers, *, vector=6, seed=0):
    """A network none of whose weights is 0."""
    network = Network.drawn(Shape(40, vector, layers), seed)
    random = np.random.default_rng(seed)
    network.entities[:] = random.normal(0, 0.5, network.entities.shape)
    for part in network.parts()[2:]:
        part[:] = random.normal(0, 0.5, part.shape)
    return network


def batch(count, seed=0):
    random = np.random.default_rng(seed)
    rows = np.where(random.random(count) < 0.3, 7, random.integers(0, 40, count))
    return Batch(rows, random.integers(0, 1 << 32, count).astype(np.uint32))


@pytest.mark.parametrize("layers", [0, 1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 90])
def test_gradients_are_those_of_the_plain_network(layers, count, monkeypatch):
    """By differences of the loss in float64, of a few weights of each kind."""
    monkeypatch.setattr(descent, "PAIRS", 70)  # several lanes
    network, rows = drawn(layers), batch(count)
    step = Descent(settings(num_ip_encoder_layers=layers), network, 3)
    numbers = np.random.default_rng(1).permutation(count)

    own, gradient, sums = step._gradients(rows, numbers, rows.addresses)

    keys = [int(descent.draws(seed, 0)) for seed in step._seeds]
    who, where, real = plainly.pairs(rows.rows, rows.addresses, numbers, rows.addresses, 2, 1, keys)
    loss, right = plainly.loss(who, where, real, network.entities, network.parts())
    np.testing.assert_allclose(sums, [loss, right, len(who)], rtol=1e-5)
    assert np.array_equal(own.rows, np.unique(rows.rows))
    whole, random = np.zeros((40, 6)), np.random.default_rng(2)
    whole[own.rows] = own.values
    weights = [network.entities, *network.parts()]
    for number, slopes in enumerate([whole, *network.shape.split(gradient)]):
        for place in random.integers(0, slopes.size, 8 if slopes.size else 0):
            at = np.unravel_index(place, slopes.shape)
            changed = [part.astype(np.float64) for part in weights]
            ends = []
            for move in (1e-5, -2e-5):
                changed[number][at] += move
                ends.append(plainly.loss(who, where, real, changed[0], changed[1:])[0])
            np.testing.assert_allclose(slopes[at], (ends[0] - ends[1]) / 2e-5, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_number_of_threads_changes_no_bit(layers):
    def trained(threads):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            network = drawn(layers, vector=20)
            steps = Descent(settings(num_ip_encoder_layers=layers, vector_dim=20), network, 3)
            for number in range(3):
                steps.step(batch(2000, number), Alone())
        finally:
            numba.set_num_threads(before)
        return network.entities.tobytes(), network.encoder.tobytes()

    assert trained(1) == trained(2)


def test_adam_is_the_published_one_on_rows_that_were_touched():
    network = drawn(1)
    before, steps = network.entities.copy(), Descent(settings(weight_decay=0.1), network, 3)
    own, _, sums = steps._gradients(batch(5), np.arange(5), batch(5).addresses)

    steps.step(batch(5), Alone())

    slope = own.values / sums[2] + 0.1 * before[own.rows]
    expected = before[own.rows] - 0.05 * slope / (np.abs(slope) + 1e-8)  # what a first step comes to
    np.testing.assert_allclose(network.entities[own.rows], expected, rtol=1e-4, atol=1e-6)
    others = np.setdiff1d(np.arange(40), own.rows)
    assert np.array_equal(network.entities[others], before[others])


@pytest.mark.parametrize("lengths", [[5], [3, 3, 2], [4, 1], [0, 2, 5], [2, 0]])
def test_members_rows_have_the_numbers_that_interleaving_gives(lengths):
    from algoport.algorithms.contract.group import interleaved

    whole = [places(np.array(lengths), rank) for rank in range(len(lengths))]

    order = interleaved([np.arange(count) + 100 * rank for rank, count in enumerate(lengths)])
    placed = np.empty(sum(lengths), np.int64)
    for rank, numbers in enumerate(whole):
        placed[numbers] = np.arange(lengths[rank]) + 100 * rank
    assert np.array_equal(placed, order)


@pytest.mark.parametrize("vector", [4, 16, 20])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_vectors_are_those_of_the_plain_network_alone_and_among_others(vector, layers):
    network, addresses = drawn(layers, vector=vector), batch(130).addresses
    tables = network.tables()

    vectors = network.vectors(addresses, tables)

    expected = plainly.encode(addresses, network.parts())[1][:, :vector]
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-4)
    for number in (0, 63, 64, 129):
        assert np.array_equal(network.vectors(addresses[number : number + 1], tables)[0], vectors[number])
