"""What training leaves: how often each token of a target came with each of a source.    v tokens"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.shared import artifact


def checked(records: Sequences, name: str, size: int) -> Ragged:
    """The sequences of that name, whose tokens are all of the vocabulary."""
    tokens = records.tokens(name)
    wrong = np.flatnonzero(tokens.values >= size)
    if len(wrong):
        number = int(np.searchsorted(tokens.offsets, wrong[0], "right")) - 1
        sentence = f"token {tokens.values[wrong[0]]} of '{name}' must be below the vocabulary's size, {size}"
        raise UserError(f"{records.place(number)}: {sentence}.")
    return tokens


@dataclass(frozen=True, eq=False)
class Model:
    counts: Any  # (v, v) float64
    width: None = None

    def predict(self, records: Sequences, options: Any = None) -> dict[str, Any]:
        best, seen = self.counts.argmax(axis=1), self.counts.max(axis=1).astype(np.float32)
        tokens = checked(records, "source", len(best))
        every = [tokens[number] for number in range(len(tokens))]
        return {"target": [best[own] for own in every], "seen": [seen[own] for own in every]}

    def sample(self) -> Sequences:
        return Sequences(sequences={"source": Ragged.of([[0]])}, present={"source": np.ones(1, bool)})

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"counts": self.counts}, {"algorithm": "token-pairs"})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        counts = arrays.get("counts")
        if facts.get("algorithm") != "token-pairs" or counts is None or counts.ndim != 2:
            raise UserError(f"{artifact.FACTS}: is no model of 'token-pairs'.")
        if counts.shape[0] != counts.shape[1] or not len(counts) or not np.isfinite(counts).all():
            raise UserError(f"{artifact.ARRAYS}: 'counts' must be square and finite.")
        return cls(counts.copy())
