"""What is the same for all networks that are evaluated after each epoch, and of which the best epoch's weights count:
sums over an epoch, how far training is, the state that a checkpoint has, and the half of a `loop.Learner` of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.shared.neural import loop, tensors
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.tensors import Arrays, section, with_prefix


class Settings(Protocol):
    """Which epochs there are."""

    @property
    def epochs(self) -> int:
        """How many at most."""

    @property
    def early_stopping(self) -> bool:
        """Whether fewer, where they bring no improvement."""

    @property
    def early_stopping_min_epochs(self) -> int:
        """How many at least."""

    @property
    def early_stopping_patience(self) -> int:
        """Epochs without an improvement that end training."""

    @property
    def learning_rate(self) -> float:
        """Of the first steps."""


@dataclass
class Tally:
    """Sums over the batches of an epoch: the fields of a subclass, in their order."""

    def add(self, sums: Sequence[float] | NDArray[np.float64]) -> None:
        """Add those of more batches."""
        for each, more in zip(fields(self), sums, strict=True):
            setattr(self, each.name, getattr(self, each.name) + float(more))

    def sums(self) -> list[float]:
        """All of them."""
        return [getattr(self, each.name) for each in fields(self)]


@dataclass
class Progress:
    """Where a job stands, and the figures of its epochs. A subclass says which sums its tally has."""

    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    tally: Any = field(default_factory=Tally)  # of this epoch
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)  # of the evaluations; epochs from 1
    history: list[dict[str, Any]] = field(default_factory=list)

    def is_over(self, settings: Settings) -> bool:
        """Whether all epochs are over, or enough of them brought no improvement."""
        patient = (
            self.epoch < settings.early_stopping_min_epochs
            or self.early_stopping.wait < settings.early_stopping_patience
        )
        return self.epoch >= settings.epochs or (settings.early_stopping and not patient)

    def end_epoch(self) -> None:
        """Begin the next."""
        self.epoch, self.step, self.tally = self.epoch + 1, 0, type(self.tally)()

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {**vars(self), "tally": self.tally.sums(), "early_stopping": self.early_stopping.facts()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """What `facts` wrote, in this release or an earlier one, which called early stopping patience."""
        own = cls()
        for each in fields(cls):
            if each.name not in ("tally", "early_stopping", "history"):
                setattr(own, each.name, facts[each.name])
        own.tally.add(facts["tally"])
        own.early_stopping = EarlyStopping.of(facts["early_stopping" if "early_stopping" in facts else "patience"])
        own.history = list(facts["history"])
        return own


@dataclass(kw_only=True)
class State:
    """What training changes, the same at every member."""

    network: nn.Module
    optimizer: Optimizer
    progress: Progress
    best: Arrays | None = None  # the weights of the best epoch, where one was evaluated
    table: NDArray[np.float64] | None = None  # its confusion matrix, where there is one

    def parameters(self) -> Iterable[tuple[str, Tensor]]:
        """All that a model has of the network, by the names that it has there."""
        raise NotImplementedError

    def weights(self) -> Arrays:
        """Copies of the network's as they are."""
        return tensors.arrays(self.parameters())

    def best_weights(self) -> Arrays:
        """Those of the best epoch, or as they are where none was evaluated."""
        return self.weights() if self.best is None else self.best

    @property
    def best_epoch(self) -> int:
        """How many epochs these weights have seen."""
        return self.progress.epoch if self.best is None else self.progress.early_stopping.best_epoch

    @property
    def best_figure(self) -> float | None:
        """What their evaluation said."""
        return None if self.best is None else self.progress.early_stopping.best

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        whole = with_prefix("weights.", self.weights())
        whole |= with_prefix("memory.", self.optimizer.arrays())
        whole |= with_prefix("best.", self.best or {})
        if self.table is not None:
            whole["table"] = self.table
        return whole, {"progress": self.progress.facts(), "updates": self.optimizer.updates}

    def restore(self, whole: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set all of it to what `save` gave."""
        tensors.fill(self.parameters(), section("weights.", whole))
        self.optimizer.restore(section("memory.", whole), int(facts["updates"]))
        self.best = {name: np.array(array) for name, array in section("best.", whole).items()} or None
        if "table" in whole:
            self.table = np.array(whole["table"])
        self.progress = type(self.progress).of(facts["progress"])


S = TypeVar("S", bound=State)
H = TypeVar("H", bound=Settings)


class Learner(Generic[S, H]):
    """The half of a `loop.Learner` that follows from its state and settings, which a subclass sets."""

    state: S
    _settings: H

    @property
    def place(self) -> loop.Place:
        """How far training is."""
        at = self.state.progress
        return loop.Place(at.epoch, self._settings.epochs, at.step, self.state.optimizer.updates)

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        self.state.restore(arrays, facts)

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state."""
        return self.state.save()

    def is_over(self) -> bool:
        """Whether all epochs are over, or enough of them brought no improvement."""
        return self.state.progress.is_over(self._settings)

    def end_epoch(self) -> None:
        """Begin the next."""
        self.state.progress.end_epoch()

    def check_finite(self, sums: NDArray[np.float64]) -> None:
        """`UserError` where the sums of a batch's losses are not finite."""
        if not np.isfinite(sums).all():
            raise UserError(
                f"learning_rate: must be small enough for the loss to stay finite, which it is no more in epoch "
                f"{self.place.epoch + 1}; it is {self._settings.learning_rate:g}."
            )

    def check_trained(self, *, stopping: bool) -> None:
        """`UserError` where there was no batch, and `Stopped` where that is for a stop."""
        if not self.place.updates:
            raise Stopped if stopping else UserError("Channel 'train' has no pictures.")
