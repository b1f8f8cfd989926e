"""What training changes, and how a checkpoint has it.    p weights"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.model import Lengths
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping

MOST_LOSS = 700.0  # nats a token, beyond which the perplexity is more than a number holds

Array = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass
class Tally:
    """Sums over target tokens, of all members."""

    loss: float = 0.0
    right: float = 0.0
    tokens: float = 0.0

    def add(self, sums: NDArray[np.float64]) -> None:
        """Those of a batch, in the order of the fields."""
        for name, value in zip(vars(self), sums.tolist(), strict=True):
            setattr(self, name, getattr(self, name) + value)

    @property
    def perplexity(self) -> float:
        """Exponential of the mean loss, infinite beyond what a number holds."""
        mean = self.loss / max(self.tokens, 1.0)
        return math.exp(mean) if mean < MOST_LOSS else math.inf

    @property
    def accuracy(self) -> float:
        """Share of the tokens that were the likeliest."""
        return self.right / max(self.tokens, 1.0)

    def metric(self, name: str) -> float:
        """One of both."""
        return self.perplexity if name == "perplexity" else self.accuracy


@dataclass
class Ratios:
    """Sums over pairs of target length by source length, of the first epoch."""

    pairs: float = 0.0
    ratio: float = 0.0
    square: float = 0.0
    skipped: float = 0.0
    cut: float = 0.0

    def add(self, sums: NDArray[np.float64]) -> None:
        """Those of a window, in the order of the fields."""
        for name, value in zip(vars(self), sums.tolist(), strict=True):
            setattr(self, name, getattr(self, name) + value)

    def lengths(self) -> Lengths:
        """Mean and standard deviation."""
        if not self.pairs:
            return Lengths()
        mean = self.ratio / self.pairs
        return Lengths(mean=mean, deviation=math.sqrt(max(0.0, self.square / self.pairs - mean * mean)))


@dataclass
class State:
    """The same at every member."""

    weights: Array  # (p,)
    memory: list[Array]  # the optimizer's arrays, (p,) each
    best: Array | None = None  # (p,) weights of the best checkpoint
    best_lengths: Lengths = field(default_factory=Lengths)
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    window: int = 0  # windows of this epoch that are over
    within: int = 0  # batches of this window that are over
    updates: int = 0
    samples: float = 0.0  # pairs of all batches
    checkpoints: int = 0  # evaluations so far
    evaluated: int = -1  # updates at the last of them
    reduced: float = 1.0  # what plateau_reduce has made of the learning rate
    plateau: int = 0  # checkpoints without improvement since the last time it did
    tally: Tally = field(default_factory=Tally)  # since the last checkpoint
    shown: Tally = field(default_factory=Tally)  # since the last line on batches
    ratios: Ratios = field(default_factory=Ratios)
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    over: bool = False

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it, as arrays and facts."""
        arrays: Arrays = {"weights": self.weights}
        arrays |= {f"memory.{number}": own for number, own in enumerate(self.memory)}
        if self.best is not None:
            arrays["best"] = self.best
        facts = {name: getattr(self, name) for name in _PLAIN}
        facts |= {name: dict(vars(getattr(self, name))) for name in _PARTS}
        return arrays, {**facts, "early_stopping": self.early_stopping.facts()}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], memory: int) -> Self:
        """What `save` gave, where the optimizer keeps so many arrays."""
        own = {name: np.array(array, np.float32) for name, array in arrays.items()}
        return cls(
            weights=own["weights"],
            memory=[own[f"memory.{number}"] for number in range(memory)],
            best=own.get("best"),
            early_stopping=EarlyStopping.of(facts["early_stopping"]),
            **{name: facts[name] for name in _PLAIN},
            **{name: kind(**facts[name]) for name, kind in _PARTS.items()},
        )


_PARTS: dict[str, Any] = {"tally": Tally, "shown": Tally, "ratios": Ratios, "best_lengths": Lengths}
_PLAIN = (
    "epoch",
    "step",
    "window",
    "within",
    "updates",
    "samples",
    "checkpoints",
    "evaluated",
    "reduced",
    "plateau",
    "over",
)
