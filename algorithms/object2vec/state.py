"""What training changes, and how a checkpoint has it.    p weights"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.object2vec.tables import Table

Array = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass
class Tally:
    """Sums over pairs, of all members."""

    loss: float = 0.0
    right: float = 0.0
    pairs: float = 0.0

    def add(self, sums: NDArray[np.float64]) -> None:
        """Those of a batch, in the order of the fields."""
        for name, value in zip(vars(self), sums.tolist(), strict=True):
            setattr(self, name, getattr(self, name) + value)

    @property
    def mean(self) -> float:
        """Loss of a pair."""
        return self.loss / max(self.pairs, 1.0)

    @property
    def accuracy(self) -> float:
        """Share of the pairs whose class is the likeliest."""
        return self.right / max(self.pairs, 1.0)


@dataclass
class Improvement:
    """For how many epochs the loss has not fallen by the tolerance, and when it was least."""

    reference: float = math.inf  # what a loss must be below by the tolerance
    wait: int = 0  # epochs since
    best: float = math.inf
    best_epoch: int = 0

    def update(self, loss: float, epoch: int, tolerance: float) -> bool:
        """Whether the loss is the least so far."""
        if self.reference - loss >= tolerance:
            self.reference, self.wait = loss, 0
        else:
            self.wait += 1
        if loss >= self.best:
            return False
        self.best, self.best_epoch = loss, epoch
        return True

    def facts(self) -> dict[str, Any]:
        """As JSON has it, which has no infinity."""
        return {name: None if value == math.inf else value for name, value in vars(self).items()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Improvement:
        """What `facts` wrote."""
        own: dict[str, Any] = {name: math.inf if value is None else value for name, value in facts.items()}
        return cls(**own)


@dataclass
class State:
    """The same at every member."""

    weights: Array  # (p,)
    memory: list[Array]  # the optimizer's arrays, (p,) each
    tables: dict[str, Table]  # token vectors that are trained
    frozen: dict[str, Array]  # and those that are not
    best: Arrays = field(default_factory=dict)  # weights and tables of the best epoch, where there is validation
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    updates: int = 0
    tally: Tally = field(default_factory=Tally)  # of this epoch
    improvement: Improvement = field(default_factory=Improvement)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # losses by channel, with their epochs
    over: bool = False  # whether the loss no longer falls

    @property
    def vectors(self) -> dict[str, Array]:
        """All token vectors by the names of their tables."""
        return {**self.frozen, **{name: table.values for name, table in self.tables.items()}}

    def settle(self) -> None:
        """Move all token vectors to where they are by now."""
        for table in self.tables.values():
            table.settle()

    def keep_best(self) -> None:
        """This epoch is the best so far."""
        self.best = {"weights": self.weights.copy()}
        self.best |= {name: table.values.copy() for name, table in self.tables.items()}

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        """All of it but for the token vectors that stay as they are."""
        arrays: Arrays = {"weights": self.weights}
        arrays |= {f"memory.{number}": own for number, own in enumerate(self.memory)}
        for name, table in self.tables.items():
            arrays |= {f"table.{name}.{part}": own for part, own in table.arrays().items()}
        arrays |= {f"best.{name}": own for name, own in self.best.items()}
        arrays |= {f"frozen.{name}": own for name, own in self.frozen.items()}
        facts = {name: getattr(self, name) for name in ("epoch", "step", "updates", "curves", "over")}
        return arrays, {**facts, "tally": dict(vars(self.tally)), "improvement": self.improvement.facts()}

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set it to what `save` gave."""
        self.weights[:] = arrays["weights"]
        for number, own in enumerate(self.memory):
            own[:] = arrays[f"memory.{number}"]
        for name, table in self.tables.items():
            prefix = f"table.{name}."
            parts = {part.removeprefix(prefix): own for part, own in arrays.items() if part.startswith(prefix)}
            table.restore(parts, facts["updates"])
        self.best = {
            name.removeprefix("best."): np.array(own) for name, own in arrays.items() if name.startswith("best.")
        }
        for name, vectors in self.frozen.items():
            vectors[:] = arrays[f"frozen.{name}"]
        self.epoch, self.step, self.updates, self.over = (facts[name] for name in ("epoch", "step", "updates", "over"))
        self.tally, self.improvement = Tally(**facts["tally"]), Improvement.of(facts["improvement"])
        self.curves = {name: [(int(e), loss) for e, loss in points] for name, points in facts["curves"].items()}
