"""What records of all kinds have in common, and how parts of them become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray


class Records(Protocol):
    """What records of all kinds have in common."""

    @property
    def uid(self) -> Sequence[str | None] | None:
        """(n,) names that answers echo."""

    @property
    def metadata(self) -> Sequence[str | None] | None:
        """(n,) JSON texts that answers echo."""

    @property
    def configuration(self) -> Sequence[object] | None:
        """(n,) options that came with each record, parsed JSON or None."""

    @property
    def width(self) -> int:
        """How many features a record has; 0 where that means nothing."""

    @property
    def nbytes(self) -> int:
        """About how many bytes the records take."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Self:
        """A range of records, or every n-th."""

    def take(self, order: NDArray[np.int64]) -> Self:
        """The records numbered by `order`, in that order, in memory of their own."""

    def followed(self, others: Sequence[Self]) -> Self:
        """These records and those of others behind them."""


R = TypeVar("R", bound=Records)


def concatenate(parts: Iterable[R]) -> R:
    """The records of all parts, one after another; there must be one part.

    Where only some parts have labels, the others' are missing (NaN); where only some have weights, the others' are 1,
    and where only some have groups, the others' are -1.
    """
    first, *others = parts
    return first.followed(others) if others else first


def concatenate_arrays(
    parts: Sequence[Records], arrays: Sequence[NDArray[Any] | None], missing: float
) -> NDArray[Any] | None:
    """One array of all parts; `missing` where a part has none. None where no part has."""
    present = [array for array in arrays if array is not None]
    if not present:
        return None
    shape = present[0].shape[1:]
    filled = [
        np.full((len(part), *shape), missing, present[0].dtype) if array is None else array
        for part, array in zip(parts, arrays, strict=True)
    ]
    return np.concatenate(filled)


def concatenate_lists(parts: Sequence[Records], columns: Sequence[Sequence[Any] | None]) -> list[Any] | None:
    """One list of all parts; None where a part has none, and None alone where no part has."""
    if all(column is None for column in columns):
        return None
    whole: list[Any] = []
    for part, column in zip(parts, columns, strict=True):
        whole.extend([None] * len(part) if column is None else column)
    return whole
