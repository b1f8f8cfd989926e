"""Passes of batch normalization and the rectifier behind it, over channels that lie beside each other.

m values a channel   c channels   w numbers of a row   b blocks

The library takes seven passes over memory for one layer's forward and backward pass, and a rectifier of its own takes
four more; here it is two each. bfloat16 comes as uint16: numba has no such type. Its bits are a float32's upper half.
Sums are kept by blocks of fixed size, so that they are the same on any number of threads.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from algoport.algorithms.shared.linalg.fastmath import FAST

# Numbers of a block, whose sums are kept in float32 before they are added up in float64.
BLOCK = 1 << 15
# Numbers of a row at least: rows of few channels are joined, so that inner loops are long.
LONG = 256


def moments(x) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance (c,) of the values (m, c), float32 or the bits of bfloat16."""
    m, c = x.shape
    rows = _long_rows(x)
    first = np.empty(c, np.float32)
    _first(x, first)  # what is near the values, so that squares of differences keep their digits
    sums = np.zeros((_blocks(rows), 2, rows.shape[1]), np.float32)
    _moments(rows, _tile(first, rows), sums)
    own, squares = _totals(sums, c) / m
    return first + own, np.maximum(squares - own * own, 0.0)


def normalize(x, slope, level, rectified: bool, out) -> None:
    """Sets `out` (m, c): values times `slope` (c,) plus `level` (c,), and 0 where that is less, if `rectified`."""
    rows = _long_rows(x)
    least = np.float32(0.0 if rectified else -np.inf)
    _normalize(rows, _tile(slope, rows), _tile(level, rows), least, _long_rows(out))


def slopes(gradient, x, mean, slope, level, rectified: bool) -> NDArray[np.float64]:
    """Of what `normalize` gave: sums (2, c) of its gradient (m, c), and of that times the values less their mean."""
    c, rows = x.shape[1], _long_rows(x)
    sums = np.zeros((_blocks(rows), 2, rows.shape[1]), np.float32)
    least = np.float32(0.0 if rectified else -np.inf)
    _slopes(_long_rows(gradient), rows, _tile(mean, rows), _tile(slope, rows), _tile(level, rows), least, sums)
    return _totals(sums, c)


def backward(gradient, x, slope, level, rectified: bool, factors, out) -> None:
    """Sets `out` (m, c): f times the gradient, plus g times the value, plus h; `factors` (3, c) are f, g and h."""
    rows = _long_rows(x)
    least = np.float32(0.0 if rectified else -np.inf)
    own = [_tile(factor, rows) for factor in factors]
    _backward(_long_rows(gradient), rows, _tile(slope, rows), _tile(level, rows), least, *own, _long_rows(out))


def _long_rows(x):
    """The same numbers in longer rows, where there are as many as fill these."""
    m, c = x.shape
    times = 1
    while c * times < LONG and m % 2 == 0:
        times, m = 2 * times, m // 2
    return x.reshape(m, c * times)


def _tile(values, rows) -> NDArray[np.float32]:
    values = np.asarray(values, np.float32)
    return np.tile(values, rows.shape[1] // len(values))


def _totals(sums, c: int) -> NDArray[np.float64]:
    whole = np.zeros((2, sums.shape[2]))
    _add_(sums, whole)
    return whole.reshape(2, -1, c).sum(axis=1)


def _blocks(rows) -> int:
    return -(-len(rows) // _height(rows.shape[1]))


@numba.njit(cache=True, nogil=True, inline="always")
def _height(w):
    return max(4, BLOCK // w)


def _wide(value):
    """A number as float32."""


@overload(_wide, inline="always")
def _wide_(value):
    if isinstance(value, numba.types.Integer):
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


def _like(value, other):
    """A float32 as a number of the other's type: the nearest, of two as near the even one."""


@overload(_like, inline="always")
def _like_(value, other):
    if isinstance(other, numba.types.Integer):

        def rounded(value, other):
            bits = np.float32(value).view(np.uint32)
            odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
            return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))

        return rounded
    return lambda value, other: value


@numba.njit(cache=True, nogil=True)
def _first(x, first):
    for j in range(x.shape[1]):
        first[j] = _wide(x[0, j])


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _add_(sums, whole):
    for b in range(sums.shape[0]):
        for part in range(2):
            for j in range(sums.shape[2]):
                whole[part, j] += sums[b, part, j]


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def _moments(x, first, sums):
    n, w = x.shape
    height = _height(w)
    for b in numba.prange(sums.shape[0]):
        stop = min((b + 1) * height, n)
        whole = stop - (stop - b * height) % 4
        for i in range(b * height, whole, 4):
            for j in range(w):
                v0, v1 = _wide(x[i, j]) - first[j], _wide(x[i + 1, j]) - first[j]
                v2, v3 = _wide(x[i + 2, j]) - first[j], _wide(x[i + 3, j]) - first[j]
                sums[b, 0, j] += (v0 + v1) + (v2 + v3)
                sums[b, 1, j] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)
        for i in range(whole, stop):
            for j in range(w):
                v = _wide(x[i, j]) - first[j]
                sums[b, 0, j] += v
                sums[b, 1, j] += v * v


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def _normalize(x, slope, level, least, out):
    n, w = x.shape
    height = _height(w)
    for b in numba.prange((n + height - 1) // height):
        for i in range(b * height, min((b + 1) * height, n)):
            for j in range(w):
                y = _wide(x[i, j]) * slope[j] + level[j]
                out[i, j] = _like(least if y < least else y, x[i, j])


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def _slopes(gradient, x, mean, slope, level, least, sums):
    n, w = x.shape
    height = _height(w)
    zero = np.float32(0.0)
    for b in numba.prange(sums.shape[0]):
        for i in range(b * height, min((b + 1) * height, n)):
            for j in range(w):
                v = _wide(x[i, j])
                g = _wide(gradient[i, j])
                g = g if v * slope[j] + level[j] > least else zero
                sums[b, 0, j] += g
                sums[b, 1, j] += g * (v - mean[j])


@numba.njit(cache=True, nogil=True, parallel=True, fastmath=FAST)
def _backward(
    gradient,  # in   (m, w) float32 or bits of bfloat16
    x,  # in   (m, w) of the same type
    slope,  # in   (w,) float32
    level,  # in   (w,) float32
    least,  # float32: what the rectifier lets through is above it
    f,  # in   (w,) float32
    g,  # in   (w,) float32
    h,  # in   (w,) float32
    out,  # sets (m, w) of the type of x
):
    n, w = x.shape
    height = _height(w)
    zero = np.float32(0.0)
    for b in numba.prange((n + height - 1) // height):
        for i in range(b * height, min((b + 1) * height, n)):
            for j in range(w):
                v = _wide(x[i, j])
                own = _wide(gradient[i, j])
                own = own if v * slope[j] + level[j] > least else zero
                out[i, j] = _like(f[j] * own + g[j] * v + h[j], x[i, j])
