"""How many values a Parquet file says it holds, read from its footer.

pyarrow tells it too, but ends the process where the facts of a column contradict each other: they come from a sender
who need not be trusted, and here nothing is made of them but a sum. The footer is Thrift in its compact form.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 12  # structures within structures; the format itself has six
# The numbers of the fields on the way from the footer to a column's number of values.
_GROUPS, _COLUMNS, _META, _VALUES = 4, 1, 3, 5


def values(file: BinaryIO) -> int:
    """The values of all columns of all groups of rows. `ValueError` where the footer is none."""
    file.seek(-8, io.SEEK_END)
    length = int.from_bytes(file.read(4), "little")
    file.seek(-8 - length, io.SEEK_END)
    footer = _Reader(file.read(length)).struct()
    file.seek(0)
    found = 0
    for group in _entries(footer, _GROUPS):
        for column in _entries(group, _COLUMNS):
            meta = column.get(_META) if isinstance(column, dict) else None
            count = meta.get(_VALUES) if isinstance(meta, dict) else None
            if not isinstance(count, int) or count < 0:
                raise ValueError("a column does not say how many values it has")
            found += count
    return found


def _entries(holder: Any, field: int) -> list[Any]:
    found = holder.get(field, []) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise ValueError("its footer has no groups of rows")
    return found


class _Reader:
    """A cursor over Thrift's compact form. A list takes a byte an entry at least, so nothing grows beyond the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Fields by number."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):  # within a list a truth value takes a byte
            return self._byte()
        if kind < _DOUBLE:
            return self._zigzag()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = self._varint() if head >> 4 == 15 else head >> 4
            if count > len(self._data) - self._at:
                raise ValueError("its footer ends early")
            return [self._entry(head & 15, depth) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"its footer holds the unknown type {kind}")

    def _entry(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        return self._value(kind, depth + 1)

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ValueError("its footer ends early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("its footer holds a number of more than ten bytes")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
