"""JSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import concatenate_lists
from algoport.algorithms.contract.kinds import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Objects:
    """JSON objects, one a record; from Parquet, a column is a key, and a list of numbers an array."""

    values: Sequence[Mapping[str, Any]]
    places: Sequence[str] | None = None  # (n,) where each stood, for faults: "train/part-0.json, line 7"
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    nbytes: int = 0  # about; that of the text they were read from, of which they take several times as many
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.values)

    def place(self, number: int) -> str:
        """Where a record stood, in front of a fault."""
        return self.places[number] if self.places is not None else f"record {number + 1}"

    def __getitem__(self, rows: slice) -> Objects:
        """A range of records, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Objects:
        """The records numbered by `order`, in that order."""
        return Objects(
            values=[self.values[i] for i in order],
            places=None if self.places is None else [self.places[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
            nbytes=self.nbytes * len(order) // max(1, len(self)),
        )

    def followed(self, others: Sequence[Objects]) -> Objects:
        """These objects and those of others behind them."""
        parts = [self, *others]
        return Objects(
            values=[value for part in parts for value in part.values],
            places=concatenate_lists(parts, [part.places for part in parts]),
            configuration=concatenate_lists(parts, [part.configuration for part in parts]),
            nbytes=sum(part.nbytes for part in parts),
        )


def _generate(random: np.random.Generator) -> Objects:
    """Series of numbers with a text and small lists of whole numbers, of which some objects have none."""
    values: list[dict[str, Any]] = []
    for _ in range(random.integers(1, 12)):
        value: dict[str, Any] = {"start": f"20{random.integers(10, 30)}-01-0{random.integers(1, 10)} 00:00:00"}
        value["target"] = random.normal(size=random.integers(1, 9)).tolist()
        if random.random() < 0.7:
            value["cat"] = random.integers(0, 1 << 40, 2).tolist()
        values.append(value)
    return Objects(values=values, nbytes=100 * len(values))


KIND = Kind(
    name="objects",
    empty=lambda width: Objects(values=[]),
    formats=("objects.json", "objects.jsonlines", "objects.parquet"),
    generate=_generate,
    schema={"type": "object"},
    endings={".parquet": "parquet", ".json": "jsonlines", ".jsonl": "jsonlines"},
)
