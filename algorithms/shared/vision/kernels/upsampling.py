"""Scores of classes at a fraction of a picture's size, interpolated row by row: nothing of full size is written.

n pictures   h, w places with scores   k classes   H, W pixels   b bands

Each pixel's scores are a weighted mean of those of four places (bilinear interpolation). Sums are kept by bands of
rows, so that they are the same on any number of threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST

BANDS = 4  # of a picture's rows, each of which one thread takes


@numba.njit(cache=True, nogil=True, fastmath=FAST, inline="always")
def _lerp_row(scores, above, below, share, row):
    """Sets `row` (w, k): between two rows of `scores` (h, w, k)."""
    for x in range(row.shape[0]):
        for j in range(row.shape[1]):
            row[x, j] = scores[above, x, j] + share * (scores[below, x, j] - scores[above, x, j])


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def cross_entropy(
    scores,  # in   (n, h, w, k) float32
    targets,  # in   (n, H, W) uint8   classes; what is not below k counts for nothing
    rows,  # in   (H, 2) int32     of each row of pixels, the rows of scores above and below
    row_shares,  # in   (H,) float32     how much of the lower one counts
    columns,  # in   (W, 2) int32
    column_shares,  # in   (W,) float32
    sums,  # sets (n, b, 2) float64  losses, and pixels that count
    gradient,  # adds (n, b, h, w, k) float32  of the sum of losses, by the scores
):
    """The softmax loss of all pixels that count. n H W k exponentials."""
    n, _, w, k = scores.shape
    height, width = targets.shape[1:]
    for task in numba.prange(n * BANDS):
        i, band = task // BANDS, task % BANDS
        row, by_row = np.empty((w, k), np.float32), np.empty((w, k), np.float32)
        z = np.empty(k, np.float32)
        loss, count = 0.0, 0
        for y in range(band * height // BANDS, (band + 1) * height // BANDS):
            above, below, share = rows[y, 0], rows[y, 1], row_shares[y]
            _lerp_row(scores[i], above, below, share, row)
            by_row[:] = 0
            for x in range(width):
                target = targets[i, y, x]
                if target >= k:
                    continue
                left, right, s = columns[x, 0], columns[x, 1], column_shares[x]
                most = np.float32(-np.inf)
                for j in range(k):
                    z[j] = row[left, j] + s * (row[right, j] - row[left, j])
                    most = max(most, z[j])
                own = z[target] - most
                total = np.float32(0)
                for j in range(k):
                    z[j] = math.exp(z[j] - most)
                    total += z[j]
                loss += math.log(total) - own
                count += 1
                inverse = np.float32(1) / total
                for j in range(k):
                    z[j] *= inverse
                z[target] -= np.float32(1)
                for j in range(k):
                    by_row[left, j] += (np.float32(1) - s) * z[j]
                    by_row[right, j] += s * z[j]
            for x in range(w):
                for j in range(k):
                    gradient[i, band, above, x, j] += (np.float32(1) - share) * by_row[x, j]
                    gradient[i, band, below, x, j] += share * by_row[x, j]
        sums[i, band, 0], sums[i, band, 1] = loss, count


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def classes(
    scores,  # in   (n, h, w, k) float32
    rows,  # in   (H, 2) int32
    row_shares,  # in   (H,) float32
    columns,  # in   (W, 2) int32
    column_shares,  # in   (W,) float32
    out,  # sets (n, H, W) uint8   the class of the highest score; of equal ones the first
):
    """Which class each pixel is taken for."""
    n, _, w, k = scores.shape
    height, width = out.shape[1:]
    for task in numba.prange(n * height):
        i, y = task // height, task % height
        row = np.empty((w, k), np.float32)
        _lerp_row(scores[i], rows[y, 0], rows[y, 1], row_shares[y], row)
        for x in range(width):
            left, right, s = columns[x, 0], columns[x, 1], column_shares[x]
            best, most = 0, np.float32(-np.inf)
            for j in range(k):
                z = row[left, j] + s * (row[right, j] - row[left, j])
                if z > most:
                    best, most = j, z
            out[i, y, x] = best


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def probabilities(
    scores,  # in   (h, w, k) float32
    rows,  # in   (H, 2) int32
    row_shares,  # in   (H,) float32
    columns,  # in   (W, 2) int32
    column_shares,  # in   (W,) float32
    out,  # sets (k, H, W) float32
):
    """The softmax of each pixel's scores."""
    _, w, k = scores.shape
    _, height, width = out.shape
    for y in numba.prange(height):
        row, z = np.empty((w, k), np.float32), np.empty(k, np.float32)
        _lerp_row(scores, rows[y, 0], rows[y, 1], row_shares[y], row)
        for x in range(width):
            left, right, s = columns[x, 0], columns[x, 1], column_shares[x]
            most = np.float32(-np.inf)
            for j in range(k):
                z[j] = row[left, j] + s * (row[right, j] - row[left, j])
                most = max(most, z[j])
            total = np.float32(0)
            for j in range(k):
                z[j] = math.exp(z[j] - most)
                total += z[j]
            for j in range(k):
                out[j, y, x] = z[j] / total
