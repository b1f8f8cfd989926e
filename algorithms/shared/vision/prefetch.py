"""Batches of encoded pictures become batches of pixels in threads, ahead of whoever computes with them.

Threads and not processes: decoders let go of the interpreter's lock, and pixels need not pass through shared memory,
of which a container has little.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision.decoding import Pixels, decode

AHEAD = 3  # batches that are being decoded or wait
_PIECE = 16  # pictures that a thread takes at a time

Prepare = Callable[[Pixels, int, str], Pixels]  # (pixels, place in the batch, where it stood) -> pixels


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Decoded pictures of one step."""

    pixels: NDArray[np.uint8]  # (n, h, w, c)
    label: NDArray[np.float32] | None  # (n, l)
    places: Images  # to ask for `place`

    def __len__(self) -> int:
        return len(self.pixels)


def prepare_ahead(
    batches: Iterator[Images],
    shape: tuple[int, int, int],
    prepare: Callable[[int], Prepare],
    *,
    threads: int | None = None,
    channels: int | None = None,
    upright: bool = True,
) -> Generator[Batch, None, None]:
    """The batches, decoded and prepared; `prepare` is given the number of a batch, from 0, and makes what prepares its
    pictures. `shape`: height, width and channels of what comes out; `channels`: of what is decoded, where others do.
    A picture that cannot be decoded is a `UserError` when its batch is due. `upright`: whether pictures are turned as
    their cameras say."""
    waiting: deque[tuple[Images, NDArray[np.uint8], list[Future[None]]]] = deque()
    with contextlib.ExitStack() as stack:
        pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix="decode")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        if isinstance(batches, Generator):
            stack.callback(batches.close)
        for number, images in enumerate(batches):
            pixels = np.empty((len(images), *shape), np.uint8)
            work = prepare(number)
            pieces = [
                pool.submit(_fill, pixels, images, first, (channels or shape[2], upright), work)
                for first in range(0, len(images), _PIECE)
            ]
            waiting.append((images, pixels, pieces))
            if len(waiting) > AHEAD:
                yield _done(*waiting.popleft())
        while waiting:
            yield _done(*waiting.popleft())


def _done(images: Images, pixels: NDArray[np.uint8], pieces: list[Future[None]]) -> Batch:
    for piece in pieces:
        piece.result()
    return Batch(pixels=pixels, label=images.label, places=images)


def _fill(pixels: NDArray[np.uint8], images: Images, first: int, how: tuple[int, bool], prepare: Prepare) -> None:
    """Decode some of the pictures of a batch to where they belong. `how`: channels, and whether upright."""
    channels, upright = how
    for number in range(first, min(first + _PIECE, len(images))):
        place = images.place(number)
        pixels[number] = prepare(decode(images.encoded[number], channels, place, upright=upright), number, place)
