"""Negatives by count."""

import numba
import numpy as np
import pytest

from algoport.algorithms.shared.randomness import draws
from algoport.algorithms.shared.sampling.negatives import half_bits, permuted, random_address


@numba.njit
def _permutation(count, key):
    out, bits = np.empty(count, np.uint64), half_bits(np.uint64(count))
    for place in range(count):
        out[place] = permuted(np.uint64(place), np.uint64(count), key, bits)
    return out


@numba.njit
def _addresses(count, key):
    out = np.empty(count, np.uint32)
    for place in range(count):
        out[place] = random_address(key, np.uint64(place))
    return out


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 1000, 10_007])
def test_a_permutation_has_every_number_once(count):
    assert np.array_equal(np.sort(_permutation(count, np.uint64(7))), np.arange(count))


def test_permutations_of_keys_differ_and_every_pair_of_places_is_as_likely():
    """Four numbers under 24,000 keys: each of the 16 pairs of place and number about 6,000 times."""
    counts = np.zeros((4, 4))
    for key in draws(3, np.arange(24_000)):
        counts[np.arange(4), _permutation(4, key).astype(int)] += 1

    assert np.abs(counts - 6000).max() < 5 * np.sqrt(6000)


def test_octets_of_random_addresses_are_uniform():
    octets = _addresses(256_000, np.uint64(5)).view(np.uint8).reshape(-1, 4)

    for column in octets.T:
        counts = np.bincount(column, minlength=256)
        assert ((counts - 1000.0) ** 2 / 1000).sum() < 255 + 6 * np.sqrt(2 * 255)
