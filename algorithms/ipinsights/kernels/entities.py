"""Entities as rows of the table, and which of them were seen.    n texts   w words of 64 bits

The seen are a Bloom filter in blocks of a cache line (Putze, Sanders and Singler, ACM JEA 14, 2009; the form that
Apache Parquet has): one bit in each of a block's eight words.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.randomness import draw, mix

WORDS = 8  # of a block
_HALF, _SIX, _MASK, _ONE = (np.uint64(bits) for bits in (32, 6, 63, 1))


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _below(bits, count):
    """A number below `count` from the upper 32 of random bits."""
    return np.int64(((bits >> _HALF) * np.uint64(count)) >> _HALF)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def rows_of_hashes(
    hashes,  # in   (n,) uint64
    count,  # v, rows of the table
    out,  # sets (n,) int64
):
    """The row of the table of each hash."""
    for i in range(len(out)):
        out[i] = _below(mix(hashes[i]), count)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_seen(
    hashes,  # in   (n,) uint64
    words,  # sets (w,) uint64
):
    """Mark hashes as seen."""
    for i in range(len(hashes)):
        block = _below(draw(hashes[i], np.uint64(0)), len(words) // WORDS) * WORDS
        bits = draw(hashes[i], np.uint64(1))
        for word in range(WORDS):
            words[block + word] |= _ONE << (bits & _MASK)
            bits >>= _SIX


@numba.njit(nogil=True, cache=True, error_model="numpy")
def look_seen(
    hashes,  # in   (n,) uint64
    words,  # in   (w,) uint64
    out,  # sets (n,) int64  1 or 0
):
    """Which hashes are marked."""
    for i in range(len(hashes)):
        block = _below(draw(hashes[i], np.uint64(0)), len(words) // WORDS) * WORDS
        bits, every = draw(hashes[i], np.uint64(1)), np.int64(1)
        for word in range(WORDS):
            every &= np.int64((words[block + word] >> (bits & _MASK)) & _ONE)
            bits >>= _SIX
        out[i] = every
