"""Lists of differing lengths, end to end in one array: texts as UTF-8 bytes, sequences as numbers.

Cutting, ordering and joining copy numbers by the array and make no Python object for any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Numbers whose places are computed at a time: each takes eight bytes then, where a text takes one.
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Ragged:
    """n lists of numbers. Entry i is `values[offsets[i]:offsets[i + 1]]`."""

    values: NDArray[Any]  # (v,)
    offsets: NDArray[np.int64]  # (n + 1,) ascending from 0 to v

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]], dtype: Any = np.int32) -> Ragged:
        """The lists given."""
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        whole = [np.asarray(entry, dtype) for entry in lists if len(entry)]
        return cls(np.concatenate([np.empty(0, dtype), *whole]), _offsets(lengths))

    @classmethod
    def texts(cls, texts: Iterable[str | bytes]) -> Ragged:
        """The texts given, as UTF-8."""
        encoded = [text.encode() if isinstance(text, str) else text for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return cls(np.frombuffer(b"".join(encoded), np.uint8), _offsets(lengths))

    @classmethod
    def empties(cls, count: int, dtype: Any) -> Ragged:
        """So many lists of nothing."""
        return cls(np.empty(0, dtype), np.zeros(count + 1, np.int64))

    @classmethod
    def spans(cls, values: NDArray[Any], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Ragged:
        """Stretches of an array, in memory of their own."""
        offsets = _offsets(lengths)
        whole = np.empty(int(offsets[-1]), values.dtype)
        first = 0
        while first < len(lengths):
            begin = int(offsets[first])
            last = max(first + 1, int(np.searchsorted(offsets, begin + _CHUNK, "right")) - 1)
            end = int(offsets[last])
            if last == first + 1:
                whole[begin:end] = values[starts[first] : starts[first] + end - begin]
            else:
                shifts = np.repeat(starts[first:last] - (offsets[first:last] - begin), lengths[first:last])
                whole[begin:end] = values[np.arange(end - begin) + shifts]
            first = last
        return cls(whole, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> NDArray[Any]:
        """One list, a view."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) how long each is."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers, and of where each list begins."""
        return int(self.values.nbytes + self.offsets.nbytes)

    def cut(self, rows: slice) -> Ragged:
        """A range, which is a view of the numbers, or every n-th in memory of their own."""
        first, last, step = rows.indices(len(self))
        if step != 1:
            return self.take(np.arange(first, last, step))
        last = max(first, last)
        offsets = self.offsets[first : last + 1]
        return Ragged(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, order: NDArray[np.int64]) -> Ragged:
        """The lists numbered by `order`, in that order."""
        order = np.asarray(order, np.int64)
        return Ragged.spans(self.values, self.offsets[:-1][order], self.lengths[order])

    def strings(self) -> list[str]:
        """Texts for lists of UTF-8 bytes."""
        return [text.decode() for text in self.encoded()]

    def encoded(self) -> list[bytes]:
        """Bytes for lists of bytes."""
        whole = self.values.tobytes()
        return [whole[first:last] for first, last in pairwise(self.offsets.tolist())]


def joined_ragged(parts: Sequence[Ragged]) -> Ragged:
    """The lists of all parts, one after another; there must be one part."""
    lengths = np.concatenate([part.lengths for part in parts])
    return Ragged(np.concatenate([part.values for part in parts]), _offsets(lengths))


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
