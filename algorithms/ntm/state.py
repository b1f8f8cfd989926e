"""What training changes, and how a checkpoint has it.    p weights   v words"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.ntm.shapes import Shape
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping

Array = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass
class Tally:
    """Sums over documents, of all members."""

    reconstruction: float = 0.0
    divergence: float = 0.0
    words: float = 0.0
    documents: float = 0.0
    perplexity: float = 0.0  # sum over documents of their loss a word
    empty: float = 0.0  # documents without words, which count nowhere else

    def add(self, sums: NDArray[np.float64]) -> None:
        """Those of a batch, in the order of the fields."""
        for name, value in zip(vars(self), sums.tolist(), strict=True):
            setattr(self, name, getattr(self, name) + value)

    @property
    def kld(self) -> float:
        """Divergence from the prior, of a word."""
        return self.divergence / max(self.words, 1e-30)

    @property
    def recons(self) -> float:
        """Reconstruction loss of a word."""
        return self.reconstruction / max(self.words, 1e-30)

    @property
    def total(self) -> float:
        """Both together."""
        return self.kld + self.recons

    @property
    def logppx(self) -> float:
        """Mean over the documents of the loss of a word: the logarithm of what NVDM's authors call perplexity."""
        return self.perplexity / max(self.documents, 1.0)


@dataclass
class State:
    """The same at every member."""

    weights: Array  # (p,)
    memory: list[Array]  # the optimizer's arrays, (p,) each
    statistics: dict[str, Array]  # of batch normalization
    best: Array | None = None  # (p,) weights of the best epoch, where there is validation
    best_statistics: dict[str, Array] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    updates: int = 0
    tally: Tally = field(default_factory=Tally)  # of this epoch
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)  # of validation losses' negatives
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # losses by channel, with their epochs
    over: bool = False  # whether the loss no longer changes

    def keep_best(self) -> None:
        """This epoch is the best so far."""
        self.best = self.weights.copy()
        self.best_statistics = {name: own.copy() for name, own in self.statistics.items()}

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        arrays: Arrays = {"weights": self.weights}
        arrays |= {f"memory.{number}": own for number, own in enumerate(self.memory)}
        arrays |= {f"statistics.{name}": own for name, own in self.statistics.items()}
        if self.best is not None:
            arrays |= {"best": self.best, **{f"best.{name}": own for name, own in self.best_statistics.items()}}
        facts = {name: getattr(self, name) for name in ("epoch", "step", "updates", "curves", "over")}
        return arrays, {**facts, "tally": dict(vars(self.tally)), "early_stopping": self.early_stopping.facts()}

    @classmethod
    def restore(
        cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], shape: Shape, arrays_of_optimizer: int
    ) -> Self:
        """What `save` gave, where the optimizer keeps so many arrays."""
        own = {name: np.array(array, np.float32) for name, array in arrays.items()}
        names = shape.statistics
        has_best = "best" in own
        return cls(
            weights=own["weights"],
            memory=[own[f"memory.{number}"] for number in range(arrays_of_optimizer)],
            statistics={name: own[f"statistics.{name}"] for name in names},
            best=own.get("best"),
            best_statistics={name: own[f"best.{name}"] for name in names} if has_best else {},
            epoch=facts["epoch"],
            step=facts["step"],
            updates=facts["updates"],
            tally=Tally(**facts["tally"]),
            early_stopping=EarlyStopping.of(facts["early_stopping"]),
            curves={name: [(int(e), loss) for e, loss in points] for name, points in facts["curves"].items()},
            over=facts["over"],
        )
