"""Rows onto components.    n rows   d features   k components"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.pca.kernels.products import RUN
from algoport.algorithms.pca.kernels.tiles import HEIGHT, LANES, STRIP, VECTORS, product_of

_one, _two, _three = product_of(1), product_of(2), product_of(3)


def pack_components(components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Components (d, k) as `project` takes them: strips (s, d, STRIP), filled up with zeros."""
    d, k = components.shape
    strips = np.zeros((-(-k // STRIP), d, STRIP), np.float32)
    for g in range(len(strips)):
        part = components[:, g * STRIP : (g + 1) * STRIP]
        strips[g, :, : part.shape[1]] = part
    return strips


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def project(
    rows,  # in   (n, d) float32
    mean,  # in   (d,) float32
    strips,  # in   (s, d, STRIP) float32  of `pack_components`
    projection,  # sets (n, k) float32
):
    """(rows - mean) times the components. Float32 over `RUN` features, float64 beyond; a row's result does not depend
    on the others."""
    n, d = rows.shape
    k = projection.shape[1]
    flat = strips.reshape(-1)
    for block in numba.prange((n + HEIGHT - 1) // HEIGHT):
        begin = np.int64(block) * HEIGHT
        count = min(HEIGHT, n - begin)
        turned, tile = np.zeros(d * HEIGHT, np.float32), np.empty(HEIGHT * STRIP)
        for r in range(count):
            for f in range(d):
                turned[f * HEIGHT + r] = rows[begin + r, f] - mean[f]
        for g in range(len(strips)):
            vectors = (min(STRIP, k - g * STRIP) + LANES - 1) // LANES
            tile[:] = 0
            for run in range(0, d, RUN):
                terms, at, start = min(RUN, d - run), run * HEIGHT, (g * d + run) * STRIP
                if vectors == VECTORS:
                    _three(turned, at, HEIGHT, flat, start, STRIP, terms, tile, 0, STRIP)
                elif vectors == 2:
                    _two(turned, at, HEIGHT, flat, start, STRIP, terms, tile, 0, STRIP)
                else:
                    _one(turned, at, HEIGHT, flat, start, STRIP, terms, tile, 0, STRIP)
            for r in range(count):
                for c in range(min(STRIP, k - g * STRIP)):
                    projection[begin + r, g * STRIP + c] = tile[r * STRIP + c]
