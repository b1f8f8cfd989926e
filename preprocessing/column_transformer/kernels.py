"""Inner loops: arrays in, arrays out.    t tokens   n rows   f features"""

from __future__ import annotations

import numba
import numpy as np


def add_tokens(
    letters,  # in   (b,) uint8     the bytes of all tokens, end to end
    offsets,  # in   (t + 1,) int64  where each token begins
    rows,  # in   (t,) int64         the row of each
    sums,  # adds (n, f) float32    one or minus one for each token
) -> None:
    """Feature hashing (Weinberger et al. 2009) as scikit-learn's FeatureHasher has it: MurmurHash3 of the token's bytes
    chooses the feature, and its sign the sign."""
    _add_tokens(letters, offsets, rows, sums)


@numba.njit(nogil=True, cache=True)
def _add_tokens(letters, offsets, rows, sums):
    f = sums.shape[1]
    for t in range(len(rows)):
        signed = np.int64(_murmur3(letters, offsets[t], offsets[t + 1]))
        if signed >= 1 << 31:
            signed -= 1 << 32
        # The least of all has no opposite in 32 bits.
        feature = (2147483647 - (f - 1)) % f if signed == -(1 << 31) else abs(signed) % f
        sums[rows[t], feature] += np.float32(1.0 if signed >= 0 else -1.0)


@numba.njit(nogil=True, cache=True)
def _murmur3(letters, begin, end):
    """MurmurHash3_x86_32 (Appleby) with seed 0, in 64-bit arithmetic of which the lower half counts."""
    low = np.uint64(0xFFFFFFFF)
    first, second = np.uint64(0xCC9E2D51), np.uint64(0x1B873593)
    h = np.uint64(0)
    length = end - begin
    for block in range(length // 4):
        at = begin + 4 * block
        k = np.uint64(letters[at])
        k |= np.uint64(letters[at + 1]) << np.uint64(8)
        k |= np.uint64(letters[at + 2]) << np.uint64(16)
        k |= np.uint64(letters[at + 3]) << np.uint64(24)
        h ^= _mixed(k, first, second)
        h = ((h << np.uint64(13)) | (h >> np.uint64(19))) & low
        h = (h * np.uint64(5) + np.uint64(0xE6546B64)) & low
    k = np.uint64(0)
    for byte in range(length % 4):
        k |= np.uint64(letters[begin + length // 4 * 4 + byte]) << np.uint64(8 * byte)
    h ^= _mixed(k, first, second)
    h ^= np.uint64(length)
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & low
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & low
    return h ^ (h >> np.uint64(16))


@numba.njit(nogil=True, cache=True)
def _mixed(k, first, second):
    low = np.uint64(0xFFFFFFFF)
    k = (k * first) & low
    k = ((k << np.uint64(15)) | (k >> np.uint64(17))) & low
    return (k * second) & low
