"""Where records stood, for faults that are seen after they were read: twelve bytes a record, and no text each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Origins:
    """The places of n records: "train/part-0.csv, line" and a number each."""

    places: tuple[str, ...]
    which: NDArray[np.int32]  # (n,) which of the places
    numbers: NDArray[np.int64]  # (n,) of the line or record there, from 1

    @classmethod
    def of(cls, place: str, numbers: Sequence[int] | NDArray[np.int64]) -> Origins:
        """Records that all stood in one place."""
        return cls((place,), np.zeros(len(numbers), np.int32), np.asarray(numbers, np.int64))

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, number: int) -> str:
        """Where a record stood, in front of a fault."""
        return f"{self.places[self.which[number]]} {self.numbers[number]}"

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return int(self.which.nbytes + self.numbers.nbytes)

    def take(self, order: NDArray[np.int64] | slice) -> Origins:
        """Those of the records numbered by `order`, or of a range of them."""
        return Origins(self.places, self.which[order], self.numbers[order])


def joined_origins(parts: Sequence[Origins | None], counts: Sequence[int]) -> Origins | None:
    """Those of all parts, of so many records each; None where one does not know them."""
    known = [part for part, count in zip(parts, counts, strict=True) if count and part is not None]
    if not known or len(known) < sum(count > 0 for count in counts):
        return None
    places = tuple(dict.fromkeys(place for part in known for place in part.places))
    number = {place: index for index, place in enumerate(places)}
    which = [np.array([number[place] for place in part.places], np.int32)[part.which] for part in known]
    return Origins(places, np.concatenate(which), np.concatenate([part.numbers for part in known]))
