"""What a sketch stores of each row.    n rows   d features   m directions of the sketch   b stored panels

See `algoport.algorithms.knn.kernels.sketch` for what the numbers are, and why.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import SQUARES
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.linalg.scan import STORED
from algoport.algorithms.shared.threads import share

UP = 1 + 2.0**-20  # covers the rounding of a bound to float32


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def parts_of(row, offset, basis, parts):
    """Sets parts (m,) float64 to those of the row in the directions; the square of its length."""
    d, m = basis.shape
    square = 0.0
    parts[:] = 0.0
    for f in range(d):
        value = np.float64(np.float32(row[f] - offset[f]))
        square += value * value
        for j in range(m):
            parts[j] += value * np.float64(basis[f, j])
    return square


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def rests_of(parts, short, gram, square):
    """Lengths of what `short`, near to `parts`, leaves of a row of that square, and of that in the basis; no less."""
    m = len(parts)
    inner, cross, within = 0.0, 0.0, 0.0
    for i in range(m):
        through = 0.0
        for j in range(m):
            through += gram[i, j] * np.float64(short[j])
        cross += np.float64(short[i]) * parts[i]
        inner += np.float64(short[i]) * through
        within += (parts[i] - through) ** 2
    rest = square - 2 * cross + inner
    error = 2.0**-36 * (square + 2 * abs(cross) + inner)
    return math.sqrt(max(rest, 0.0) + error) * UP, math.sqrt(within + error * 2.0**-8) * UP


@numba.njit(nogil=True, cache=True)
def _half(value):
    """The bits of the bfloat16 number next to a float32 one."""
    box = np.empty(1, np.float32)
    box[0] = value
    bits = box.view(np.uint32)[0]
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@numba.njit(nogil=True, cache=True)
def _half_above(value):
    """The bits of a bfloat16 number that is no less than a positive one."""
    box = np.empty(1, np.float32)
    box[0] = value * UP
    return np.uint16((box.view(np.uint32)[0] + np.uint32(0xFFFF)) >> np.uint32(16))


@numba.njit(nogil=True, cache=True)
def _store(
    panel,  # int64  which
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    metric,  # SQUARES or PRODUCTS
    panels,  # sets (b, m + 2, STORED) uint16
    norms,  # sets (b * STORED,) float32
):
    """Sets the stored panel of that number; rows behind the last have norms without end."""
    n, m = len(rows), basis.shape[1]
    parts, short, bits = np.empty(m), np.empty(m, np.float32), np.empty(1, np.uint32)
    for r in range(STORED):
        i = panel * STORED + r
        norms[i] = np.inf
        if i >= n:
            panels[panel, :, r] = 0
            continue
        square = parts_of(rows[i], offset, basis, parts)
        for j in range(m):
            panels[panel, j, r] = _half(np.float32(parts[j]))
            bits[0] = np.uint32(panels[panel, j, r]) << np.uint32(16)
            short[j] = bits.view(np.float32)[0]
        rest, within = rests_of(parts, short, gram, square)
        panels[panel, m, r], panels[panel, m + 1, r] = _half_above(rest), _half_above(within)
        norms[i] = 0.5 * square if metric == SQUARES else 0.0


@numba.njit(nogil=True, cache=True)
def store(
    team,  # the threads
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    metric,  # SQUARES or PRODUCTS
    panels,  # sets (b, m + 2, STORED) uint16
    norms,  # sets (b * STORED,) float32
):
    """Sets panels (b, m + 2, STORED) uint16, the bits of bfloat16 numbers, and norms (b * STORED,) float32."""
    share(team, _store, len(panels), (rows, offset, basis, gram, metric, panels, norms))
