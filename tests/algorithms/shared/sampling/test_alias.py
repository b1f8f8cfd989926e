"""Draws in constant time, beside the weights that they are drawn by."""

import numpy as np

from algoport.algorithms.shared.sampling.alias import alias_table


def test_a_table_has_the_shares_of_its_weights():
    weights = np.array([5.0, 0, 1, 3, 1])
    chances = np.zeros(5)

    for entry, (threshold, other) in enumerate(alias_table(weights)):
        chances[entry] += threshold / 2**32 / 5
        chances[other] += (1 - threshold / 2**32) / 5

    np.testing.assert_allclose(chances, weights / weights.sum(), atol=1e-8)
