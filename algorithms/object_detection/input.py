"""Batches of pictures and their objects for the network, decoded and prepared ahead of it."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.source import Source
from algoport.algorithms.object_detection.checking import check, objects_of
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.preparation import DRAWS, Objects, Preparation
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.vision.decoding import Pixels
from algoport.algorithms.shared.vision.prefetch import Prepare, prepare_ahead
from algoport.algorithms.shared.vision.transforms import draws

EVALUATED = 16  # pictures that are evaluated at a time


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Decoded pictures of one step, and the objects in each as they lie now."""

    pixels: NDArray[np.uint8]  # (n, s, s, 3)
    objects: list[Objects] = field(default_factory=list)  # (n,)
    difficult: list[NDArray[np.bool_]] = field(default_factory=list)  # (n,) of (o,)

    def __len__(self) -> int:
        return len(self.pixels)

    def tensor(self, device: str) -> Tensor:
        """The pixels (n, 3, s, s) float32."""
        return torch.from_numpy(self.pixels).to(device).permute(0, 3, 1, 2).float()


def training(
    channel: Source[Boxes], settings: Hyperparameters, *, size: int, seed: int, epoch: int, step: int
) -> Iterator[Batch]:
    """The rest of an epoch from `step` on, in an order of its own, with random changes; `size`: pictures of a batch of
    all members. A function of seed, epoch and step alone."""
    batches = _checked(channel.batches(size, start=step * size, shuffle=seed_of(seed, epoch)), settings)
    preparation, waiting = Preparation(settings.image_shape), _Waiting()

    def prepare(number: int) -> Prepare:
        boxes, objects = waiting.of(number)
        random = draws(seed, epoch, _numbers(boxes), DRAWS)[:, 0]

        def change(pixels: Pixels, at: int, place: str) -> Pixels:
            pixels, objects[at] = preparation.training(pixels, objects_of(boxes, at), float(random[at]))
            return pixels

        return change

    for batch in prepare_ahead(waiting.see(batches), _shape(settings), prepare):
        _, objects = waiting.next()
        yield Batch(pixels=batch.pixels, objects=objects)


def _numbers(boxes: Boxes) -> NDArray[np.int64]:
    """A number for each picture that follows from its file: what is drawn for it is the same whoever has it."""
    return np.array([zlib.crc32(data) | (len(data) & 0x7FFFFFFF) << 32 for data in boxes.encoded], np.int64)


def validation(channel: Source[Boxes], settings: Hyperparameters) -> Iterator[Batch]:
    """All pictures of a channel, as they are."""
    batches = _checked(channel.batches(EVALUATED), settings)
    preparation, waiting = Preparation(settings.image_shape), _Waiting()
    ahead = prepare_ahead(
        waiting.see(batches), _shape(settings), lambda number: lambda pixels, at, place: preparation.plain(pixels)
    )
    for batch in ahead:
        boxes, _ = waiting.next()
        numbers = range(len(boxes))
        yield Batch(
            pixels=batch.pixels,
            objects=[objects_of(boxes, number) for number in numbers],
            difficult=[boxes.difficult(number) for number in numbers],
        )


class _Waiting:
    """The batches that are being decoded, in their order, and where their changed objects go."""

    def __init__(self) -> None:
        self._batches: deque[tuple[Boxes, list[Objects]]] = deque()

    def see(self, batches: Iterator[Boxes]) -> Iterator[Boxes]:
        """The same batches, each known from when it is asked for."""
        for boxes in batches:
            self._batches.append((boxes, [np.empty((0, 5), np.float32)] * len(boxes)))
            yield boxes

    def of(self, number: int) -> tuple[Boxes, list[Objects]]:
        """The last batch, whose number this is."""
        return self._batches[-1]

    def next(self) -> tuple[Boxes, list[Objects]]:
        """The first batch, which is done."""
        return self._batches.popleft()


def _checked(batches: Iterator[Boxes], settings: Hyperparameters) -> Iterator[Boxes]:
    for boxes in batches:
        check(boxes, settings)
        yield boxes


def _shape(settings: Hyperparameters) -> tuple[int, int, int]:
    return (settings.image_shape, settings.image_shape, 3)


def empty(settings: Hyperparameters) -> Batch:
    """A batch of no pictures, for a member that has no more."""
    return Batch(pixels=np.empty((0, *_shape(settings)), np.uint8))
