"""The draws of one counter-based generator, in NumPy and in compiled loops, beside the published algorithm."""

import numba
import numpy as np
import pytest

from algoport.algorithms.shared import randomness

MASK = (1 << 64) - 1


def splitmix(seed: int):
    """The generator as it was published, one number after another, in Python's whole numbers."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


@numba.njit
def compiled(key, places):
    bits, shares = np.empty(len(places), np.uint64), np.empty((2, len(places)))
    for i in range(len(places)):
        bits[i] = randomness.draw(key, places[i])
        shares[0, i], shares[1, i] = randomness.share(bits[i]), randomness.inner_share(bits[i])
    return bits, shares, randomness.first_draw(key)


@pytest.mark.parametrize("key", [0, 1, 1234567, MASK])
def test_draws_are_those_of_the_published_generator(key):
    stream = splitmix(key)
    want = np.array([next(stream) for _ in range(50)], np.uint64)
    places = np.arange(50, dtype=np.uint64)

    bits, shares, first = compiled(np.uint64(key), places)

    np.testing.assert_array_equal(bits, want)
    np.testing.assert_array_equal(randomness.draws(np.uint64(key), places), want)
    np.testing.assert_array_equal(shares, [randomness.shares(want), randomness.inner_shares(want)])
    assert first == want[0]


def test_seed_0_starts_as_vigna_s_reference_code_does():
    """The first two outputs that the authors' C code prints for seed 0."""
    assert randomness.draws(0, [0, 1]).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_shares_lie_from_0_to_1_and_inner_ones_between():
    extremes = np.array([0, MASK], np.uint64)

    assert randomness.shares(extremes).tolist() == [0.0, 1 - 2.0**-53]
    low, high = randomness.inner_shares(extremes)
    assert 0 < low < high <= 1


def test_an_array_of_keys_meets_an_array_of_places():
    keys = np.array([3, 9], np.uint64)

    table = randomness.draws(keys[:, None], np.arange(4))

    np.testing.assert_array_equal(table, [randomness.draws(key, np.arange(4)) for key in keys])
