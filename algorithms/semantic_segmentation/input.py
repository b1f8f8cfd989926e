"""Batches of pictures and masks for the network, decoded and prepared ahead of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Images
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.contract.source import Source
from algoport.algorithms.semantic_segmentation.checking import mask_of, unknown_numbers
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.label_map import UNKNOWN, LabelMap
from algoport.algorithms.semantic_segmentation.preparation import DRAWS, Pair, Preparation
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.vision.decoding import Pixels, decode
from algoport.algorithms.shared.vision.masks import Mask
from algoport.algorithms.shared.vision.prefetch import Batch, prepare_ahead
from algoport.algorithms.shared.vision.transforms import draws

Change = Callable[[Pixels, Mask, int], Pair]  # of pixels, classes and the place in the batch


def training(
    channel: Source[Masks],
    labels: LabelMap,
    settings: Hyperparameters,
    *,
    size: int,
    seed: int,
    epoch: int,
    step: int,
) -> Iterator[Batch]:
    """The rest of an epoch from `step` on, in an order of its own, with random changes; `size`: pictures of a batch of
    all members. A function of seed, epoch and step alone."""
    preparation = _preparation(settings)

    def change(masks: Masks) -> Change:
        random = draws(seed, epoch, numbers_of(masks), DRAWS)
        return lambda pixels, mask, at: preparation.training(pixels, mask, random[at])

    batches = channel.batches(size, start=step * size, shuffle=seed_of(seed, epoch))
    return _prepared(batches, labels, settings, change)


def numbers_of(masks: Images) -> NDArray[np.int64]:
    """A number for each picture that follows from its file: what is drawn for it is the same whoever has it."""
    return np.array([zlib.crc32(data) | (len(data) & 0x7FFFFFFF) << 32 for data in masks.encoded], np.int64)


def validation(channel: Source[Masks], labels: LabelMap, settings: Hyperparameters, group: Group) -> Iterator[Batch]:
    """All pictures of a channel: the middle of each; or whole ones, one by one."""
    if settings.validation_mini_batch_size == 1:
        return _whole(channel.batches(group.size), labels, settings.num_classes)
    preparation = _preparation(settings)
    return _prepared(
        channel.batches(settings.validation_mini_batch_size * group.size),
        labels,
        settings,
        lambda masks: lambda pixels, mask, at: preparation.validation(pixels, mask),
    )


def first(
    channel: Source[Masks], labels: LabelMap, settings: Hyperparameters, group: Group, count: int
) -> Iterator[tuple[Pixels, Mask]]:
    """Pixels and classes of the first validation pictures of this member, as `validation` has them."""
    for batch in validation(channel, labels, settings, group):
        for pixels in batch.pixels[:count]:
            yield pixels[..., :3], pixels[..., 3]
        count -= len(batch)
        if count <= 0:
            return


def _preparation(settings: Hyperparameters) -> Preparation:
    return Preparation(crop=settings.crop, base=settings.base_size)


def _prepared(
    batches: Iterator[Masks], labels: LabelMap, settings: Hyperparameters, change: Callable[[Masks], Change]
) -> Generator[Batch, None, None]:
    waiting: dict[int, Masks] = {}

    def noted() -> Generator[Masks, None, None]:
        try:
            for number, masks in enumerate(batches):
                waiting[number] = masks
                yield masks
        finally:
            if isinstance(batches, Generator):
                batches.close()

    def prepare(number: int) -> Callable[[Pixels, int, str], Pair]:
        masks = waiting.pop(number)
        own = change(masks)
        return lambda pixels, at, place: own(pixels, classes_of(masks, at, labels, settings.num_classes), at)

    return prepare_ahead(noted(), (settings.crop, settings.crop, 4), prepare, channels=3)


def _whole(batches: Iterator[Masks], labels: LabelMap, num_classes: int) -> Iterator[Batch]:
    for masks in batches:
        for number in range(len(masks)):
            mask = classes_of(masks, number, labels, num_classes)
            pixels = decode(masks.encoded[number], 3, masks.place(number))
            yield Batch(pixels=np.dstack([pixels, mask])[None], label=None, places=masks[number : number + 1])


def classes_of(masks: Masks, number: int, labels: LabelMap, num_classes: int) -> Mask:
    """The classes of a picture's pixels; `UserError` where one is none."""
    mask = mask_of(masks, number)
    classes = labels.table[mask]
    if (classes == UNKNOWN).any():
        counts = np.bincount(mask.ravel(), minlength=256).astype(np.float64)
        raise UserError(unknown_numbers(counts, labels, num_classes, masks.place(number)))
    return classes


def empty(settings: Hyperparameters) -> Batch:
    """A batch of no pictures, for a member that has no more."""
    pixels = np.empty((0, settings.crop, settings.crop, 4), np.uint8)
    return Batch(pixels=pixels, label=None, places=Masks(encoded=[]))


def tensors(batch: Batch, device: str) -> tuple[Tensor, Tensor]:
    """Pixels (n, 3, h, w) float32 and classes (n, h, w) uint8."""
    whole = torch.from_numpy(batch.pixels)
    pixels = whole[..., :3].to(device).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    return pixels, whole[..., 3].contiguous().to(device)
