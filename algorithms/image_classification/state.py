"""What training changes: the network, the optimizer's memory, and what is known of the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import losses
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.progress import Progress
from algoport.algorithms.shared.neural import mixed_precision as precision
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.snapshots import Arrays, over, under
from algoport.algorithms.shared.neural.weights import Weights
from algoport.algorithms.shared.vision.prefetch import Batch
from algoport.algorithms.shared.vision.residual import Network, arrays, fill


@dataclass
class State:
    """The same at every member."""

    settings: Hyperparameters
    network: Network
    weights: Weights
    optimizer: Optimizer
    loss: losses.Loss
    device: str
    half: torch.dtype | None  # the short type of products, where there are such
    progress: Progress = field(default_factory=Progress)
    best: Arrays | None = None  # the weights of the best epoch, where one was judged
    table: NDArray[np.float64] | None = None  # what was taken for what in it
    epochs: dict[int, Arrays] = field(default_factory=dict)  # the weights of epochs that are to be kept

    def precision(self) -> AbstractContextManager[Any]:
        """The type of products while it is entered."""
        return precision.products(self.device, self.half)

    def input(self, batch: Batch | Images, channel: str) -> tuple[Tensor, Tensor]:
        """Pixels (n, c, h, w) and what is to be said of them."""
        channels, height, width = self.settings.shape
        if isinstance(batch, Images):  # this member has no more
            empty = torch.zeros((0, channels, height, width), device=self.device)
            shape = (0, self.settings.num_classes) if self.settings.multi_label else (0,)
            kind = torch.float32 if self.settings.multi_label else torch.int64
            return empty, torch.zeros(shape, dtype=kind, device=self.device)
        wanted = losses.targets(batch.label, batch.places, self.settings, channel)
        images = torch.from_numpy(batch.pixels).to(self.device).permute(0, 3, 1, 2).float()
        return images, wanted.to(self.device)

    def keep_best(self, table: NDArray[np.float64]) -> None:
        """The weights as they are now are those of the best epoch."""
        self.best, self.table = arrays(self.network), table

    def keep_epoch(self, epoch: int) -> None:
        """The weights as they are now are to be kept."""
        self.epochs[epoch] = arrays(self.network)

    def model(self, *, pressed: bool = False) -> Model:
        """The model of the best epoch, or of the weights as they are where none was judged."""
        channels, height, width = self.settings.shape
        judged = self.best is not None
        return Model(
            num_layers=self.settings.num_layers,
            num_classes=self.settings.num_classes,
            channels=channels,
            height=height,
            width_=width,
            multi_label=bool(self.settings.multi_label),
            weights=self.best if self.best is not None else arrays(self.network),
            epochs=self.epochs,
            epoch=self.progress.patience.epoch if judged else self.progress.epoch,
            accuracy=self.progress.patience.best if judged else None,
            pressed=pressed,
        )

    def kept(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        whole = over("weights.", arrays(self.network))
        whole |= over("memory.", self.optimizer.arrays())
        whole |= over("best.", self.best or {})
        for epoch, own in self.epochs.items():
            whole |= over(f"epoch.{epoch}.", own)
        if self.table is not None:
            whole["table"] = self.table
        if self.loss.weights is not None:
            whole["loss"] = self.loss.weights
        return whole, {"progress": self.progress.facts(), "updates": self.optimizer.updates}

    def restore(self, whole: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set all of it to what `kept` gave."""
        fill(self.network, under("weights.", whole))
        self.optimizer.fill(under("memory.", whole), int(facts["updates"]))
        self.best = {name: np.array(array) for name, array in under("best.", whole).items()} or None
        for name, array in under("epoch.", whole).items():
            epoch, _, own = name.partition(".")
            self.epochs.setdefault(int(epoch), {})[own] = np.array(array)
        if "table" in whole:
            self.table = np.array(whole["table"])
        self.loss = losses.Loss(self.loss.multiple, np.array(whole["loss"]) if "loss" in whole else None)
        self.progress = Progress.of(dict(facts["progress"]))
