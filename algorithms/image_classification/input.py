"""Batches of pictures for the network, decoded and prepared ahead of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Images
from algoport.algorithms.contract.source import Source
from algoport.algorithms.image_classification import losses
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.preparation import DRAWS, Preparation
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.vision.prefetch import Batch, Prepare, prepare_ahead
from algoport.algorithms.shared.vision.transforms import draws


def training(
    channel: Source[Images], settings: Hyperparameters, *, group: Group, size: int, seed: int, epoch: int, step: int
) -> Iterator[Batch]:
    """The rest of an epoch from `step` on, in an order of its own, with random changes; `size`: pictures of a batch of
    all members. A function of seed, epoch and step alone."""
    channels, height, width = settings.shape
    order = seed_of(seed, epoch)
    batches = channel.batches(size, start=step * size, shuffle=order)
    preparation = _preparation(settings)

    def prepare(number: int) -> Prepare:
        places = group.rank + group.size * np.arange(size, dtype=np.int64)
        random = draws(seed, epoch, (step + number) * size + places, DRAWS)
        return lambda pixels, at, place: preparation.training(pixels, random[at], place)

    return prepare_ahead(batches, (height, width, channels), prepare)


def validation(channel: Source[Images], settings: Hyperparameters) -> Iterator[Batch]:
    """All pictures of a channel, as they are."""
    channels, height, width = settings.shape
    preparation = _preparation(settings)
    return prepare_ahead(
        channel.batches(max(settings.mini_batch_size, 64)),
        (height, width, channels),
        lambda number: lambda pixels, at, place: preparation.validation(pixels, place),
    )


def _preparation(settings: Hyperparameters) -> Preparation:
    channels, height, width = settings.shape
    return Preparation(
        channels=channels,
        height=height,
        width=width,
        resize=settings.resize,
        augmentation=settings.augmentation_type or "",
    )


def empty(settings: Hyperparameters) -> Batch:
    """A batch of no pictures, for a member that has no more."""
    channels, height, width = settings.shape
    return Batch(pixels=np.empty((0, height, width, channels), np.uint8), label=None, places=Images(encoded=[]))


def tensors(batch: Batch, settings: Hyperparameters, channel: str, device: str) -> tuple[Tensor, Tensor]:
    """Pixels (n, c, h, w) float32 and targets, (n,) of classes or with `multi_label` (n, k) of 0 and 1."""
    if len(batch):
        targets = losses.targets(batch.label, batch.places, settings, channel)
    else:
        targets = torch.zeros((0, settings.num_classes)) if settings.multi_label else torch.zeros(0, dtype=torch.int64)
    images = torch.from_numpy(batch.pixels).to(device).permute(0, 3, 1, 2).float()
    return images, targets.to(device)
