"""Numbers of 32 bits as text, so short that what is read again is the same number.    n rows   d numbers of a row"""

from __future__ import annotations

import math

import numba
import numpy as np

LONGEST = 17  # bytes of a number with the blank in front of it
_LEAST = -56
_POWERS = np.array([float(f"1e{exponent}") for exponent in range(_LEAST, 56)])
_DIGITS = 9  # that tell any number of 32 bits from its neighbors
_NEAR = 2.0**-25  # of a number lies nearer to it than the middle between it and the next
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def write_rows(
    letters,  # in   (b,) uint8 the words of the rows
    starts,  # in   (n + 1,) int64
    numbers,  # in   (n, d) float32 finite
    out,  # sets uint8: a word and its numbers a line; there is room for `LONGEST` bytes a number
):
    """How many bytes that is."""
    at = 0
    for row in range(len(numbers)):
        size = starts[row + 1] - starts[row]
        out[at : at + size] = letters[starts[row] : starts[row + 1]]
        at += size
        for d in range(numbers.shape[1]):
            out[at] = 32
            at = write_number(numbers[row, d], out, at + 1)
        out[at] = 10
        at += 1
    return at


@_compiled
def write_number(number, out, at):
    """The number from out[at] on; returns where it ends."""
    size = np.float64(abs(number))
    if number < 0:
        out[at] = 45
        at += 1
    if size == 0.0:
        out[at] = 48
        return at + 1
    exponent = np.int64(math.floor(math.log10(size)))
    if size * _POWERS[-exponent - _LEAST] < 1.0:
        exponent -= 1
    digits = 6
    while True:
        whole = np.int64(math.floor(size * _POWERS[digits - 1 - exponent - _LEAST] + 0.5))
        back = whole * _POWERS[exponent - digits + 1 - _LEAST]
        if digits == _DIGITS or abs(back - size) < size * _NEAR:
            break
        digits += 1
    if whole >= np.int64(_POWERS[digits - _LEAST]):  # rounded up to the next power of ten
        exponent += 1
        digits += 1
    while whole % 10 == 0:
        whole //= 10
        digits -= 1
    if 0 <= exponent < _DIGITS:
        return _write_fixed(whole, digits, exponent, out, at)
    if -4 <= exponent < 0:
        out[at], out[at + 1] = 48, 46
        at += 2
        for _ in range(-exponent - 1):
            out[at] = 48
            at += 1
        return _write_digits(whole, digits, out, at)
    at = _write_fixed(whole, digits, 0, out, at)
    out[at], out[at + 1] = 101, 45 if exponent < 0 else 43
    exponent = abs(exponent)
    out[at + 2], out[at + 3] = 48 + exponent // 10, 48 + exponent % 10
    return at + 4


@_compiled
def _write_digits(whole, digits, out, at):
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = 48 + whole % 10
        whole //= 10
    return at + digits


@_compiled
def _write_fixed(whole, digits, exponent, out, at):
    """Digits of which the first stands for 10 to the exponent, with a point behind that of the ones."""
    while digits <= exponent:
        whole *= 10
        digits += 1
    end = _write_digits(whole, digits, out, at)
    if digits == exponent + 1:
        return end
    for place in range(end, at + exponent + 1, -1):
        out[place] = out[place - 1]
    out[at + exponent + 1] = 46
    return end + 1
