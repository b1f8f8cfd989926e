"""Sums, slowly or not at all where the options say so."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact


@dataclass(frozen=True)
class Model:
    width: int
    offset: float = 0.0
    first: list[float] = field(default_factory=list)  # seconds that the first predictions take

    def predict(self, records: Any, options: Any) -> dict[str, Any]:
        time.sleep(self.first.pop() if self.first else options.sleep)
        if options.fail == "bug":
            raise RuntimeError("a bug of the algorithm")
        if options.fail == "memory":
            raise MemoryError
        if options.fail == "memory of torch":
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
            )
        if options.fail == "exit":
            os._exit(99)
        rows = records.dense()
        if (rows == -13).any():
            raise UserError("-13: is a number this model does not add.")
        columns = {
            "positive": (rows > 0).sum(axis=1),
            "sum": options.scale * rows.sum(axis=1) + np.float32(self.offset),
        }
        if options.verbose == "true":
            columns |= {"above": [row[row > 0] for row in rows], "doubled": 2 * rows}
        return columns

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"offset": np.array([self.offset])}, {"algorithm": "sums", "width": self.width})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        time.sleep(facts.get("sleep", 0))
        if facts.get("broken"):
            raise RuntimeError("broken on purpose")
        return cls(facts["width"], float(arrays["offset"][0]), [facts["first"]] if "first" in facts else [])
