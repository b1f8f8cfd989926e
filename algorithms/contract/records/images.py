"""Encoded pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records.records import joined_arrays, joined_lists


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Pictures as they are sent and stored, JPEG or PNG, with what is known of each. Nothing is decoded yet."""

    encoded: Sequence[bytes]  # (n,) whole files
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    places: Sequence[str] | None = None  # (n,) where each stood, for faults: "train/part-0.rec, record 7"
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return sum(map(len, self.encoded))

    def place(self, number: int) -> str:
        """Where a picture stood, in front of a fault."""
        return self.places[number] if self.places is not None else f"image {number + 1}"

    def __getitem__(self, rows: slice) -> Images:
        """A range of pictures, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Images:
        """The pictures numbered by `order`, in that order."""
        return Images(
            encoded=[self.encoded[i] for i in order],
            label=None if self.label is None else self.label[order],
            places=None if self.places is None else [self.places[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Images]) -> Images:
        """These pictures and those of others behind them."""
        parts = [self, *others]
        return Images(
            encoded=[each for part in parts for each in part.encoded],
            label=joined_arrays(parts, [part.label for part in parts], np.nan),
            places=joined_lists(parts, [part.places for part in parts]),
            configuration=joined_lists(parts, [part.configuration for part in parts]),
        )
