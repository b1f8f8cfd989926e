"""What training leaves: how often each label came with each cell of words.    k labels   b cells"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.shared import artifact


def words(text: bytes, cells: int) -> Any:
    """(b,) how often each cell has a word of the text."""
    return np.bincount([zlib.crc32(word) % cells for word in text.split()], minlength=cells)


@dataclass(frozen=True, eq=False)
class Model:
    labels: tuple[str, ...]
    counts: Any  # (k, b) float64
    width: None = None

    def predict(self, records: Lines, options: Any = None) -> dict[str, Any]:
        k = min(len(self.labels), 1 if options is None else options.k)
        cells = self.counts.shape[1]
        chances = np.log((self.counts + 1) / (self.counts.sum(axis=1, keepdims=True) + cells))
        labels, probabilities = [], []
        for text in records.text.encoded():
            scores = chances @ words(text, cells)
            shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            best = np.argsort(-shares, kind="stable")[:k]
            labels.append([f"__label__{self.labels[number]}" for number in best])
            probabilities.append(shares[best].astype(np.float32))
        return {"label": labels, "prob": probabilities}

    def sample(self) -> Lines:
        return Lines(text=Ragged.texts(["a word"]))

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"counts": self.counts}, {"algorithm": "label-words", "labels": list(self.labels)})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        counts, labels = arrays.get("counts"), facts.get("labels")
        if facts.get("algorithm") != "label-words" or counts is None or not isinstance(labels, list):
            raise UserError(f"{artifact.FACTS}: is no model of 'label-words'.")
        if counts.ndim != 2 or len(counts) != len(labels) or not np.isfinite(counts).all():
            raise UserError(f"{artifact.ARRAYS}: 'counts' must be a finite row for each label.")
        return cls(tuple(map(str, labels)), counts.copy())
