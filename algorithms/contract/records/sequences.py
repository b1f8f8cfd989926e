"""Sequences of whole numbers, one or several a record, with labels where they have some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import concatenate_arrays, concatenate_lists
from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.origins import Origins, joined_origins
from algoport.algorithms.contract.ragged import Ragged, joined_ragged

LARGEST = (1 << 31) - 1  # a number of a sequence


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """Sequences by name: "source" and "target". A record can lack one, which is not the same as an empty one."""

    sequences: Mapping[str, Ragged]  # (n,) int32 from 0 to LARGEST, by name
    present: Mapping[str, NDArray[np.bool_]]  # (n,) whether a record has it, by the same names
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    origins: Origins | None = None
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: Sequence[str | None] | None = None  # (n,) of protobuf records; echoed by answers
    metadata: Sequence[str | None] | None = None  # (n,) JSON texts of protobuf records; echoed by answers
    width = 0

    def __len__(self) -> int:
        return next(map(len, self.sequences.values()), 0)

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        parts = [*self.sequences.values(), *self.present.values(), self.label, self.origins]
        return sum(part.nbytes for part in parts if part is not None)

    def place(self, number: int) -> str:
        """Where a record stood, in front of a fault."""
        return f"record {number + 1}" if self.origins is None else self.origins[number]

    def tokens(self, name: str) -> Ragged:
        """The sequences of that name; empty ones where no record has one."""
        return self.sequences[name] if name in self.sequences else Ragged.empties(len(self), np.int32)

    def has(self, name: str) -> NDArray[np.bool_]:
        """(n,) whether each record has a sequence of that name."""
        return self.present[name] if name in self.present else np.zeros(len(self), bool)

    def __getitem__(self, rows: slice) -> Sequences:
        """A range of records, or every n-th."""
        return Sequences(
            sequences={name: ragged.cut(rows) for name, ragged in self.sequences.items()},
            present={name: flags[rows] for name, flags in self.present.items()},
            label=None if self.label is None else self.label[rows],
            origins=None if self.origins is None else self.origins.take(rows),
            configuration=None if self.configuration is None else self.configuration[rows],
            uid=None if self.uid is None else self.uid[rows],
            metadata=None if self.metadata is None else self.metadata[rows],
        )

    def take(self, order: NDArray[np.int64]) -> Sequences:
        """The records numbered by `order`, in that order."""
        return Sequences(
            sequences={name: ragged.take(order) for name, ragged in self.sequences.items()},
            present={name: flags[order] for name, flags in self.present.items()},
            label=None if self.label is None else self.label[order],
            origins=None if self.origins is None else self.origins.take(order),
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
            uid=None if self.uid is None else [self.uid[i] for i in order],
            metadata=None if self.metadata is None else [self.metadata[i] for i in order],
        )

    def followed(self, others: Sequence[Sequences]) -> Sequences:
        """These records and those of others behind them, with all names that any of them has."""
        parts = [self, *others]
        names = dict.fromkeys(name for part in parts for name in part.sequences)
        return Sequences(
            sequences={name: joined_ragged([part.tokens(name) for part in parts]) for name in names},
            present={name: np.concatenate([part.has(name) for part in parts]) for name in names},
            label=concatenate_arrays(parts, [part.label for part in parts], np.nan),
            origins=joined_origins([part.origins for part in parts], [len(part) for part in parts]),
            configuration=concatenate_lists(parts, [part.configuration for part in parts]),
            uid=concatenate_lists(parts, [part.uid for part in parts]),
            metadata=concatenate_lists(parts, [part.metadata for part in parts]),
        )


def _generate(random: np.random.Generator) -> Sequences:
    """One to three names, numbers up to the largest, empty sequences, and records that lack one or another."""
    n = int(random.integers(1, 20))
    names = ["in0", "in1", "source"][: int(random.integers(1, 4))]
    sequences, present = {}, {}
    for number, name in enumerate(names):
        flags = random.random(n) < (1.1 if number == 0 else 0.7)
        flags[0] = True
        lengths = np.where(flags, random.integers(0, 9, n), 0)
        numbers = random.choice([0, 1, 127, 128, 300, 1 << 20, LARGEST - 1, LARGEST], int(lengths.sum()))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        sequences[name], present[name] = Ragged(numbers.astype(np.int32), offsets), flags
    label = random.normal(size=(n, 1)).astype(np.float32) if random.random() < 0.6 else None
    return Sequences(sequences=sequences, present=present, label=label)


KIND = Kind(
    name="sequences",
    empty=lambda width: Sequences(sequences={}, present={}),
    formats=("sequences.recordio", "sequences.jsonlines", "sequences.json"),
    generate=_generate,
    schema={
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": LARGEST},
        },
    },
)
