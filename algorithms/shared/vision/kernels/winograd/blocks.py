"""From places to blocks of numbers at the points, and back.

n pictures   h height   w width   c channels in   o channels out   q tiles of a picture
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.vision.kernels.winograd.layout import CHUNK, OUT, POINTS, ROWS, SIDE, span
from algoport.algorithms.shared.vision.kernels.winograd.transforms import (
    gradient_to_points,
    input_to_points,
    points_to_output,
)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _copy_in(
    x,  # in   (n h w c,) float32
    picture,  # its number
    h,  # height
    w,  # width
    c,  # channels
    top,  # row of the first place
    left,  # column of the first place
    step,  # from a place of a tile to the next
    side,  # places
    scratch,  # sets (side side c,) float32
):
    """Sets scratch (side, side, c) to places of a picture, 0 outside of it."""
    for i in range(side):
        y = top + i * step
        for j in range(side):
            z = left + j * step
            to = (i * side + j) * c
            if 0 <= y < h and 0 <= z < w:
                fro = ((picture * h + y) * w + z) * c
                for f in range(c):
                    scratch[to + f] = x[fro + f]
            else:
                for f in range(c):
                    scratch[to + f] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _clear(out, place, c):
    """Sets the numbers of a tile at all points to 0."""
    for p in range(POINTS):
        for f in range(c):
            out[place + p * span(c) + f // CHUNK * (ROWS * CHUNK) + f % CHUNK] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def input_block(
    block,  # its number in the part
    first,  # the first tile of the part
    tiles,  # of all pictures
    x,  # in   (n h w c,) float32
    mask,  # in   (n h w c,) float32  or None: what does not count where this is not above 0
    h,  # height
    w,  # width
    c,  # channels in
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # from a place of a tile to the next
    v,  # sets (blocks 36 span(c),) float32
):
    """Sets a block of the numbers of the input at the points; where a mask is given, of the input where it is above
    0."""
    scratch = np.empty(SIDE * SIDE * c, np.float32)
    beside = np.empty(SIDE * SIDE * c, np.float32)
    each, base = len(corners), block * POINTS * span(c)
    for r in range(ROWS):
        t, place = first + block * ROWS + r, base + r * CHUNK
        if t >= tiles:
            _clear(v, place, c)
            continue
        picture = t // each
        top, left = corners[t % each, 0] - step, corners[t % each, 1] - step
        last = (SIDE - 1) * step
        if top >= 0 and left >= 0 and top + last < h and left + last < w:
            start = ((picture * h + top) * w + left) * c
            input_to_points(x, mask, start, step * w * c, step * c, c, v, place, span(c))
            continue
        _copy_in(x, picture, h, w, c, top, left, step, SIDE, scratch)
        if mask is None:
            input_to_points(scratch, None, 0, SIDE * c, c, c, v, place, span(c))
        else:
            _copy_in(mask, picture, h, w, c, top, left, step, SIDE, beside)
            input_to_points(scratch, beside, 0, SIDE * c, c, c, v, place, span(c))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def gradient_block(
    block,  # its number in the part
    first,  # the first tile of the part
    tiles,  # of all pictures
    g,  # in   (n h w o,) float32
    mask,  # in   (n h w o,) float32  or None: what does not count where this is not above 0
    h,  # height
    w,  # width
    o,  # channels out
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # from a place of a tile to the next
    z,  # sets (blocks 36 span(o),) float32
):
    """Sets a block of the numbers of the output's gradient at the points; where a mask is given, of the gradient where
    it is above 0."""
    scratch = np.empty(OUT * OUT * o, np.float32)
    beside = np.empty(OUT * OUT * o, np.float32)
    each, base = len(corners), block * POINTS * span(o)
    for r in range(ROWS):
        t, place = first + block * ROWS + r, base + r * CHUNK
        if t >= tiles:
            _clear(z, place, o)
            continue
        picture = t // each
        top, left = corners[t % each, 0], corners[t % each, 1]
        last = (OUT - 1) * step
        if top + last < h and left + last < w:
            start = ((picture * h + top) * w + left) * o
            gradient_to_points(g, mask, start, step * w * o, step * o, o, z, place, span(o))
            continue
        _copy_in(g, picture, h, w, o, top, left, step, OUT, scratch)
        if mask is None:
            gradient_to_points(scratch, None, 0, OUT * o, o, o, z, place, span(o))
        else:
            _copy_in(mask, picture, h, w, o, top, left, step, OUT, beside)
            gradient_to_points(scratch, beside, 0, OUT * o, o, o, z, place, span(o))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def output_block(
    block,  # its number in the part
    first,  # the first tile of the part
    tiles,  # of all pictures
    m,  # in   (blocks 36 span(o),) float32
    h,  # height
    w,  # width
    o,  # channels out
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # from a place of a tile to the next
    bias,  # in   (o,) float32
    least,  # what is less becomes this
    out,  # sets (n h w o,) float32
):
    """Sets the places of a block's tiles."""
    scratch = np.empty(OUT * OUT * o, np.float32)
    each, base = len(corners), block * POINTS * span(o)
    for r in range(min(ROWS, tiles - first - block * ROWS)):
        t, start = first + block * ROWS + r, base + r * CHUNK
        picture = t // each
        top, left = corners[t % each, 0], corners[t % each, 1]
        last = (OUT - 1) * step
        if top + last < h and left + last < w:
            place = ((picture * h + top) * w + left) * o
            points_to_output(m, start, span(o), o, bias, least, out, place, step * w * o, step * o)
            continue
        points_to_output(m, start, span(o), o, bias, least, scratch, 0, OUT * o, o)
        for i in range(OUT):
            for j in range(OUT):
                y, z = top + i * step, left + j * step
                if y < h and z < w:
                    place, fro = ((picture * h + y) * w + z) * o, (i * OUT + j) * o
                    for f in range(o):
                        out[place + f] = scratch[fro + f]
