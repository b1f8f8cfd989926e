"""Convolutions of 3 x 3 on a processor in float32 by a quarter of the multiplications, where that is faster.

n pictures   c channels in   o channels out   h height   w width   q tiles of a picture

The library computes them directly, at what the cores' multipliers give. By tiles of 4 x 4 places (Lavin and Gray 2016)
a layer's forward and backward pass take about half of the time. What comes out differs by some 1e-6 of its size, four
times as much as of direct sums in float32; it is the same bits on any number of threads.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.linalg import simd
from algoport.algorithms.shared.threads import ALONE, Team, team
from algoport.algorithms.shared.vision.kernels.winograd import filters, layout, passes

Array = NDArray[np.float32]

# Channels from which on: a tile's transforms take the same time for each, and its products more with each on the other
# side.
LEAST = 32
# Places from which on. Filters at the points are four times as large: to make and to read them takes as long as to
# convolve some hundred places directly, but for few filters, which stay in the nearer caches.
PLACES, FEW, NEAR = 1024, 512, 16
# Where filters are at the points before, and the processor has no AVX-512: 256 channels at 19 x 19 took 1.4 ms by tiles
# and 2.2 directly, 512 at 10 x 10 the same, at 7 x 7 twice as long.
READY, NARROW = 96, 8
# A batch is taken to be of so many, however many it is of: a picture's bits must not depend on how one is shared out.
PICTURES = 8
# Blocks of a part. Of few channels, what is at the points stays in the nearer caches; of many, filters do not, and are
# read once for so many blocks.
MOST = 16
# Of the sums for few filters each group of parts has its own: a processor's threads share groups. Of many filters they
# would be too large, and threads share points.
GROUPS, SMALL = 8, 128 * 128


def convolution(x: Tensor, plain: nn.Conv2d, *, rectified: bool = False) -> Tensor | None:
    """What a layer makes of `x`, (n, o, h, w); None where the library is faster, or where it is another layer."""
    size = PICTURES, *x.shape[1:]
    faster = is_faster(plain.weight.shape, plain.stride, plain.padding, plain.dilation, size)
    if plain.groups != 1 or not faster or not _can_take(x, plain.weight):
        return None
    convolve: Any = _Convolution.apply
    out: Tensor = convolve(x, plain.weight, plain.bias, plain.dilation[0], rectified)
    return out


def is_faster(filters: Any, stride: Any, padding: Any, dilation: Any, size: Any, *, ready: bool = False) -> bool:
    """Whether a convolution keeps the size, by 3 x 3 taps of enough channels at enough places, and tiles need at most
    half of its multiplications: at the edges they reach beyond the picture, and the more so where a dilation divides
    it.

    `filters`: (o, c, 3, 3).  `size`: (n, c, h, w) of what it is given.  `ready`: filters are made once for many calls.
    """
    o, c, *taps = filters
    step, (n, _, h, w) = dilation[0], size
    shaped = taps == [3, 3] and tuple(stride) == (1, 1) and tuple(padding) == tuple(dilation) == (step, step)
    if not shaped or min(c, o) < LEAST or c % layout.WIDTH or o % layout.WIDTH:
        return False
    enough = READY if ready and simd.LANES == NARROW else min(PLACES, max(FEW, c * o // NEAR))
    return n * h * w >= enough and bool(2 * layout.POINTS * len(corners(h, w, step)) <= layout.TAPS**2 * h * w)


def _can_take(x: Tensor, weight: Tensor) -> bool:
    """Whether numbers are of the type, and lie as, kernels take them."""
    plain = len(x) > 0 and x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
    return plain and not torch.is_autocast_enabled("cpu") and x.is_contiguous(memory_format=torch.channels_last)


@functools.lru_cache(maxsize=256)
def corners(h: int, w: int, step: int) -> NDArray[np.int32]:
    """Row and column (q, 2) of the first place of each tile. With a dilation a tile is of places so far apart."""
    rows, columns = ([first for phase in range(min(step, side)) for first in range(phase, side, layout.OUT * step)]
                     for side in (h, w))  # fmt: skip
    return np.array([(row, column) for row in rows for column in columns], np.int32)


class _Convolution(torch.autograd.Function):
    """A layer's forward and backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, step: int, rectified: bool) -> Tensor:
        """The convolution, plus a bias, rectified."""
        out = output(x, at_points(weight), len(weight), bias, step, rectified=rectified)
        ctx.save_for_backward(x, weight, out if rectified else None)
        ctx.step, ctx.is_biased = step, bias is not None
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradients of input, filters and bias."""
        x, weight, out = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        mask = None if out is None else _rows(out).reshape(-1)
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            c = weight.shape[1]
            turned = _at_points(filters.backward, weight)
            of_x = _convolved(gradient, mask, turned, c, np.zeros(c, np.float32), ctx.step, -np.inf)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            of_weight, of_bias = _of_filters(x, gradient, mask, weight.shape, ctx.step)
        return of_x, of_weight, of_bias if ctx.is_biased else None, None, None


def at_points(weight: Tensor) -> Array:
    """The filters (o, c, 3, 3) as `output` takes them."""
    return _at_points(filters.forward, weight)


def output(x: Tensor, u: Array, o: int, bias: Tensor | None, step: int, *, rectified: bool) -> Tensor:
    """The convolution of `x` by filters at the points, plus a bias, rectified."""
    level = np.zeros(o, np.float32) if bias is None else bias.detach().numpy()
    return _convolved(x, None, u, o, level, step, 0.0 if rectified else -np.inf)


def _convolved(x: Tensor, mask: Any, u: Array, o: int, level: Array, step: int, least: float) -> Tensor:
    n, c, h, w = x.shape
    out = torch.empty((n, o, h, w), memory_format=torch.channels_last)
    own = corners(h, w, step)
    blocks = -(-n * len(own) // layout.ROWS)
    with compiled.turn():
        how = _shares(blocks, _many(c, o), o // layout.WIDTH)
        passes.convolve(*how, _rows(x), mask, own, step, u, level, np.float32(least), _rows(out))
    return out


def _of_filters(x: Tensor, gradient: Tensor, mask: Any, shape: Any, step: int) -> tuple[Tensor, Tensor]:
    """The gradients of filters and bias. How sums are divided must depend on nothing but the shapes."""
    o, c, *_ = shape
    own = corners(*x.shape[2:], step)
    many = _many(c, o)
    parts = -(-len(x) * len(own) // (layout.ROWS * many))
    groups = min(GROUPS if c * o <= SMALL else 1, parts)
    of_weight = torch.empty((o, c, 3, 3), memory_format=torch.channels_last)
    sums = np.empty((groups, layout.POINTS, c * o + layout.SKEW), np.float32)
    total = np.empty((groups, o))
    with compiled.turn():
        threads = team()
        outer, inner = (threads, ALONE) if groups > 1 and threads[1] <= groups else (ALONE, threads)
        how = outer, inner, many, _lots(threads, c // layout.WIDTH)
        passes.sums(*how, _rows(x), own, step, _rows(gradient), mask, sums, total)
        filters.gradient(threads, sums, _rows(of_weight))
    return of_weight, torch.from_numpy(total.sum(axis=0).astype(np.float32))


def _at_points(transform: Any, weight: Tensor) -> Array:
    o, c, *_ = weight.shape
    u = np.empty((layout.POINTS, c * o + layout.SKEW), np.float32)
    with compiled.turn():
        transform(team(), _rows(weight.contiguous(memory_format=torch.channels_last)), u)
    return u


def _many(c: int, o: int) -> int:
    return min(MOST, (c + o) // (2 * layout.CHUNK))


def _shares(blocks: int, many: int, panels: int) -> tuple[Team, Team, int, int]:
    """Who shares what, blocks of a part, and lots. Parts are shared where there are several for each thread."""
    threads = team()
    if blocks >= 4 * many * threads[1]:
        return threads, ALONE, many, 1
    parts = -(-blocks // (many * threads[1]))
    return ALONE, threads, -(-blocks // parts), _lots(threads, panels)


def _lots(threads: Team, panels: int) -> int:
    """Into how many lots panels are divided, for points and lots to go round among the threads."""
    return 1 if layout.POINTS % threads[1] == 0 else min(4, panels)


def _rows(x: Tensor) -> NDArray[Any]:
    """The numbers of a channels-last tensor, channels last, without a copy."""
    return x.detach().permute(0, 2, 3, 1).numpy()
