"""Convolutions of 3 x 3 that keep the size, by tiles: the output, and sums for the gradients of filters and bias.

n pictures   h height   w width   c channels in   o channels out   q tiles of a picture   step: the dilation

Tiles are taken in parts of some blocks, small enough for what is between two transforms to stay in the caches. Either
parts are shared out among threads (`outer`), or the work of one part after the other is (`inner`). No number depends
on which: of the output each is computed by one thread, and sums over tiles are kept by groups of parts.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.shared.vision.kernels.winograd.blocks import gradient_block, input_block, output_block
from algoport.algorithms.shared.vision.kernels.winograd.layout import CHUNK, POINTS, ROWS, SIDE, WIDTH, span, square
from algoport.algorithms.shared.vision.kernels.winograd.products import FEW, HIGH, product, product_over_rows

ONES = SIDE + 1  # the point at which a polynomial of both variables is the sum of its coefficients


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _products_at(
    task,  # point and lot
    lots,  # of the panels
    blocks,  # of the part
    v,  # in   (blocks 36 span(c),) float32
    c,  # channels in
    u,  # in   (36 (o c + SKEW),) float32
    o,  # channels out
    m,  # sets (blocks 36 span(o),) float32
):
    """The products at one point, for a lot of the panels."""
    p, lot = task // lots, task % lots
    panels = o // WIDTH
    for panel in range(lot * panels // lots, (lot + 1) * panels // lots):
        begin = p * square(c, o) + panel * c * WIDTH
        for block in range(blocks):
            start = (block * POINTS + p) * span(c)
            place = (block * POINTS + p) * span(o) + panel * WIDTH * ROWS
            for row in range(0, ROWS, HIGH):
                product(v, start + row * CHUNK, u, begin, c // CHUNK, m, place + row * CHUNK)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _some_tiles(
    number,  # of the part
    team,  # threads
    many,  # blocks of a part
    lots,  # of the panels, side by side
    tiles,  # of all pictures
    x,  # in   (n h w c,) float32
    mask,  # in   (n h w c,) float32  or None
    h,  # height
    w,  # width
    c,  # channels in
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # from a place of a tile to the next
    u,  # in   (36 (o c + SKEW),) float32
    o,  # channels out
    bias,  # in   (o,) float32
    least,  # what is less becomes this
    out,  # sets (n h w o,) float32
):
    """The output of a part of the tiles."""
    first = number * many * ROWS
    blocks = min(many, (tiles - first + ROWS - 1) // ROWS)
    v = np.empty(blocks * POINTS * span(c), np.float32)
    m = np.empty(blocks * POINTS * span(o), np.float32)
    share(team, input_block, blocks, (first, tiles, x, mask, h, w, c, corners, step, v))
    share(team, _products_at, POINTS * lots, (lots, blocks, v, c, u, o, m))
    share(team, output_block, blocks, (first, tiles, m, h, w, o, corners, step, bias, least, out))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def convolve(
    outer,  # in   threads that share the parts
    inner,  # in   threads that share the work of a part
    many,  # in   blocks of a part
    lots,  # in   lots of channels out that are computed side by side
    x,  # in   (n, h, w, c) float32
    mask,  # in   (n h w c,) float32  or None: what of the input does not count where this is not above 0
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # in   from a place of a tile to the next
    u,  # in   (36, o c + SKEW) float32  filters at the points, by `filters`
    bias,  # in   (o,) float32
    least,  # in   float32  what is less becomes this
    out,  # sets (n, h, w, o) float32
):
    """The convolution."""
    n, h, w, c = x.shape
    o = out.shape[3]
    tiles = n * len(corners)
    parts = ((tiles + ROWS - 1) // ROWS + many - 1) // many
    given = (
        inner, many, lots, tiles, x.reshape(-1), mask, h, w, c, corners, step, u.reshape(-1), o, bias, least,
        out.reshape(-1),
    )  # fmt: skip
    share(outer, _some_tiles, parts, given)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sums_at(
    task,  # point and lot
    lots,  # of the panels
    blocks,  # of the part
    z,  # in   (blocks 36 span(o),) float32
    o,  # channels out
    v,  # in   (blocks 36 span(c),) float32
    c,  # channels in
    d,  # adds (36 (o c + SKEW),) float32
    fresh,  # 1: sets them, 0: adds to them
):
    """Adds the products of a point's numbers over some blocks, for a lot of the channels in."""
    p, lot = task // lots, task % lots
    panels = c // WIDTH
    for panel in range(lot * panels // lots, (lot + 1) * panels // lots):
        begin = p * span(c) + panel * WIDTH * ROWS
        for f in range(0, o, FEW):
            start = p * span(o) + f // CHUNK * (ROWS * CHUNK) + f % CHUNK
            place = p * square(c, o) + f * c + panel * WIDTH
            product_over_rows(z, start, POINTS * span(o), v, begin, POINTS * span(c), blocks, d, place, c, fresh)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_ones(z, blocks, o, total):
    """Adds what the gradients of some blocks sum up to."""
    own = np.zeros(o, np.float32)
    for block in range(blocks):
        base = (block * POINTS + ONES) * span(o)
        for f in range(0, o, CHUNK):
            for r in range(ROWS):
                for k in range(CHUNK):
                    own[f + k] += z[base + f * ROWS + r * CHUNK + k]
    for f in range(o):
        total[f] += own[f]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _some_sums(
    group,  # its number
    groups,  # how many
    team,  # threads
    many,  # blocks of a part
    lots,  # of the panels
    tiles,  # of all pictures
    x,  # in   (n h w c,) float32
    h,  # height
    w,  # width
    c,  # channels in
    corners,  # in   (q, 2) int32  row and column of the first place of each tile
    step,  # from a place of a tile to the next
    g,  # in   (n h w o,) float32
    mask,  # in   (n h w o,) float32  or None
    o,  # channels out
    d,  # sets (groups, 36, o c + SKEW) float32
    total,  # sets (groups, o) float64
):
    """The sums of a group of parts."""
    v = np.empty(many * POINTS * span(c), np.float32)
    z = np.empty(many * POINTS * span(o), np.float32)
    own = d[group].reshape(-1)
    total[group] = 0
    parts = ((tiles + ROWS - 1) // ROWS + many - 1) // many
    for number in range(group, parts, groups):
        first = number * many * ROWS
        blocks = min(many, (tiles - first + ROWS - 1) // ROWS)
        share(team, input_block, blocks, (first, tiles, x, None, h, w, c, corners, step, v))
        share(team, gradient_block, blocks, (first, tiles, g, mask, h, w, o, corners, step, z))
        share(team, _sums_at, POINTS * lots, (lots, blocks, z, o, v, c, own, 1 if number == group else 0))
        _add_ones(z, blocks, o, total[group])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sums(
    outer,  # in   threads that share the groups
    inner,  # in   threads that share the work of a part
    many,  # in   blocks of a part
    lots,  # in   lots of channels in that are computed side by side
    x,  # in   (n, h, w, c) float32
    corners,  # in   (q, 2) int32
    step,  # from a place of a tile to the next
    g,  # in   (n, h, w, o) float32  the gradient of the output
    mask,  # in   (n h w o,) float32  or None: what of the gradient does not count where this is not above 0
    d,  # sets (groups, 36, o c + SKEW) float32  sums over tiles at the points (o, c); at most as many groups as parts
    total,  # sets (groups, o) float64  sums of the gradient
):
    """The sums over tiles of the products of input and gradient at each point, and of the gradient."""
    n, h, w, c = x.shape
    tiles = n * len(corners)
    groups = len(d)
    given = (
        groups, inner, many, lots, tiles, x.reshape(-1), h, w, c, corners, step, g.reshape(-1), mask, g.shape[3], d,
        total,
    )  # fmt: skip
    share(outer, _some_sums, groups, given)
