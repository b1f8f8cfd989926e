"""What training changes: weights, the optimizer's state, and the figures of the epochs; and how a checkpoint has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.losses import Loss
from algoport.algorithms.image_classification.metrics import Tally
from algoport.algorithms.image_classification.network import Classifier
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.tensors import Arrays, section, with_prefix
from algoport.algorithms.shared.vision.residual.network import arrays, fill


@dataclass
class Progress:
    """Where a job stands, and the figures of its epochs."""

    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    tally: Tally = field(default_factory=Tally)  # of this epoch
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)  # of validation accuracies; epochs from 1
    history: list[dict[str, Any]] = field(default_factory=list)

    def is_over(self, settings: Hyperparameters) -> bool:
        """Whether all epochs are over, or enough of them brought no improvement."""
        patient = (
            self.epoch < settings.early_stopping_min_epochs
            or self.early_stopping.wait < settings.early_stopping_patience
        )
        return self.epoch >= settings.epochs or (settings.early_stopping and not patient)

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {**vars(self), "tally": self.tally.sums(), "early_stopping": self.early_stopping.facts()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Progress:
        """What `facts` wrote, in this release or the one before, which called early stopping patience."""
        return cls(
            epoch=facts["epoch"],
            step=facts["step"],
            tally=Tally(*facts["tally"]),
            early_stopping=EarlyStopping.of(facts["early_stopping" if "early_stopping" in facts else "patience"]),
            history=list(facts["history"]),
        )


@dataclass
class State:
    """The same at every member."""

    network: Classifier
    optimizer: Optimizer
    loss: Loss
    progress: Progress = field(default_factory=Progress)
    best: Arrays | None = None  # the weights of the best epoch, where one was evaluated
    table: NDArray[np.float64] | None = None  # its confusion matrix
    epochs: dict[int, Arrays] = field(default_factory=dict)  # the weights of epochs that are to be written too

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        whole = with_prefix("weights.", arrays(self.network))
        whole |= with_prefix("memory.", self.optimizer.arrays())
        whole |= with_prefix("best.", self.best or {})
        for epoch, own in self.epochs.items():
            whole |= with_prefix(f"epoch.{epoch}.", own)
        if self.table is not None:
            whole["table"] = self.table
        if self.loss.weights is not None:
            whole["loss"] = self.loss.weights
        return whole, {"progress": self.progress.facts(), "updates": self.optimizer.updates}

    def restore(self, whole: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set all of it to what `save` gave."""
        fill(self.network, section("weights.", whole))
        self.optimizer.restore(section("memory.", whole), int(facts["updates"]))
        self.best = {name: np.array(array) for name, array in section("best.", whole).items()} or None
        for name, array in section("epoch.", whole).items():
            epoch, _, own = name.partition(".")
            self.epochs.setdefault(int(epoch), {})[own] = np.array(array)
        if "table" in whole:
            self.table = np.array(whole["table"])
        self.loss = Loss(self.loss.multiple, np.array(whole["loss"]) if "loss" in whole else None)
        self.progress = Progress.of(facts["progress"])
