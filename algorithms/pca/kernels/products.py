"""Sums of products over rows, panel by panel.    n rows   d columns   s strips of `STRIP` columns   p pairs of strips

A panel holds some rows as strips: (s, rows, STRIP), each strip its columns of all the panel's rows, so that a tile of
the product reads memory from front to back. Sums are float32 over `RUN` rows, in registers, and float64 beyond.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.pca.kernels.tiles import HEIGHT, LANES, STRIP, VECTORS, product_of
from algoport.algorithms.shared.linalg.fastmath import FAST

# Rows of a panel. The strips of two of its columns, 200 kB each, stay in the second cache while they are multiplied.
PANEL = 1024 if LANES == 16 else 2048
# Rows that are summed in float32 before float64 takes over. On Fashion-MNIST the space of 50 components is off by
# 2.7e-6 (the sine of the angle); with 256 rows it was 1.5e-5.
RUN = 64
BLOCK = 32  # rows that a thread packs at a time

_one, _two, _three = product_of(1), product_of(2), product_of(3)


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def pack(
    rows,  # in   (n, d) float32
    shift,  # in   (d,)   float32
    strips,  # sets (s, PANEL, STRIP) float32  columns from d on are left as they are
    first,  # the panel's row where they go
):
    """Put rows, less a common shift, into a panel, and a column of ones behind the last feature.

    The ones make sums and the count of rows fall out of the same product.
    """
    n, d = rows.shape
    whole = d // STRIP
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        begin = np.int64(block) * BLOCK
        for g in range(whole):
            for r in range(begin, min(n, begin + BLOCK)):
                line, row, less = strips[g, first + r], rows[r, g * STRIP :], shift[g * STRIP :]
                for f in range(STRIP):
                    line[f] = row[f] - less[f]
        for r in range(begin, min(n, begin + BLOCK)):
            line, row, less = strips[whole, first + r], rows[r, whole * STRIP :], shift[whole * STRIP :]
            for f in range(d - whole * STRIP):
                line[f] = row[f] - less[f]
            line[d - whole * STRIP] = 1


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def multiply(
    left,  # in   (s, PANEL, STRIP) float32
    right,  # in   (s', PANEL, STRIP) float32
    rows,  # how many rows of the panel count
    pairs,  # in   (p, 2) int64  which strips of left and right
    heights,  # in   (s,) int64  columns of the left strips that count
    widths,  # in   (s',) int64  columns of the right ones
    same,  # whether left is right: of a strip with itself only what lies right of the diagonal is needed
    sums,  # adds (parts, p, STRIP, STRIP) float64  each part over its share of the rows
):
    """Products of strips, summed over the rows: sums[·, q] += left[i]' right[j] where pairs[q] = (i, j)."""
    parts, p = sums.shape[:2]
    length = PANEL // parts
    flat, a, b = sums.reshape(-1), left.reshape(-1), right.reshape(-1)
    for task in numba.prange(parts * p):
        q, part = np.int64(task) // parts, np.int64(task) % parts
        i, j = pairs[q, 0], pairs[q, 1]
        vectors = (widths[j] + LANES - 1) // LANES
        place = (part * p + q) * STRIP * STRIP
        for run in range(part * length, min(rows, (part + 1) * length), RUN):
            terms = min(RUN, rows - run)
            for h in range(0, heights[i], HEIGHT):
                skip = h // LANES if same and i == j else 0
                at, start = (i * PANEL + run) * STRIP + h, (j * PANEL + run) * STRIP + skip * LANES
                to = place + h * STRIP + skip * LANES
                if vectors - skip == VECTORS:
                    _three(a, at, STRIP, b, start, STRIP, terms, flat, to, STRIP)
                elif vectors - skip == 2:
                    _two(a, at, STRIP, b, start, STRIP, terms, flat, to, STRIP)
                else:
                    _one(a, at, STRIP, b, start, STRIP, terms, flat, to, STRIP)


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def multiply_sparse(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32, sorted within a row
    values,  # in   (z,) float32
    sums,  # adds (d + 1, d + 1) float64  above and on the diagonal
):
    """The same of sparse rows: z²/n products instead of n d². A column of ones stands behind the last feature.

    Threads share out the rows of the sums, and each reads all entries; so their number changes nothing.
    """
    n, d = len(indptr) - 1, len(sums) - 1
    shares = 16
    for share in numba.prange(shares):
        low, high = np.int64(share) * d // shares, (np.int64(share) + 1) * d // shares
        for r in range(n):
            begin, end = indptr[r], indptr[r + 1]
            for x in range(begin, end):
                i = indices[x]
                if low <= i < high:
                    value = np.float64(values[x])
                    for y in range(x, end):
                        sums[i, indices[y]] += value * values[y]
                    sums[i, d] += value
    sums[d, d] += n


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def spread(
    rows,  # in   (n, d) float32
    shift,  # in   (d,)   float32
):
    """The sum of squares of rows less a common shift."""
    n, d = rows.shape
    blocks = (n + BLOCK - 1) // BLOCK
    block_sums = np.zeros(blocks)
    for block in numba.prange(blocks):
        for r in range(np.int64(block) * BLOCK, min(n, (np.int64(block) + 1) * BLOCK)):
            square = np.float32(0)
            for f in range(d):
                gap = rows[r, f] - shift[f]
                square += gap * gap
            block_sums[block] += square
    return block_sums.sum()
