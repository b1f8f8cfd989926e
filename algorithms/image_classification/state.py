"""What training changes: weights, the optimizer's state, and the figures of the epochs; and how a checkpoint has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.image_classification.losses import Loss
from algoport.algorithms.image_classification.metrics import Tally
from algoport.algorithms.image_classification.network import Classifier
from algoport.algorithms.shared.neural import epochs
from algoport.algorithms.shared.neural.tensors import Arrays, section, with_prefix
from algoport.algorithms.shared.vision.residual.network import parameters


@dataclass
class Progress(epochs.Progress):
    """Where a job stands; early stopping goes by the validation accuracy."""

    tally: Tally = field(default_factory=Tally)


@dataclass(kw_only=True)
class State(epochs.State):
    """The same at every member."""

    network: Classifier
    progress: Progress = field(default_factory=Progress)
    loss: Loss
    epochs: dict[int, Arrays] = field(default_factory=dict)  # the weights of epochs that are to be written too

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """By the names of MXNet's layers."""
        return parameters(self.network)

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        whole, facts = super().save()
        for epoch, own in self.epochs.items():
            whole |= with_prefix(f"epoch.{epoch}.", own)
        if self.loss.weights is not None:
            whole["loss"] = self.loss.weights
        return whole, facts

    def restore(self, whole: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set all of it to what `save` gave."""
        super().restore(whole, facts)
        for name, array in section("epoch.", whole).items():
            epoch, _, own = name.partition(".")
            self.epochs.setdefault(int(epoch), {})[own] = np.array(array)
        self.loss = Loss(self.loss.multiple, np.array(whole["loss"]) if "loss" in whole else None)
