"""How many values a Parquet file says it holds, and to how much its pages say they unpack.

pyarrow tells it too, but ends the process where the facts of a column contradict each other: they come from a sender
who need not be trusted, and here nothing is made of them but a sum. The footer is Thrift in its compact form.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 12  # structures within structures; the format itself has six
# The numbers of the fields on the way from the footer to a column's number of values.
_GROUPS, _COLUMNS, _META, _VALUES = 4, 1, 3, 5
# Within a column's facts: its compressed size, and where its pages and its dictionary begin. Of a page: its two sizes.
_STORED, _PAGES, _DICTIONARY, _UNPACKED, _PACKED = 7, 9, 11, 2, 3
_HEADER = 1 << 16  # bytes of a page's header at most: it may hold the least and the greatest value


def values(file: BinaryIO) -> int:
    """The values of all columns of all groups of rows. `ValueError` where the footer is none."""
    return sum(_whole(meta, _VALUES) for meta in _columns(file))


def unpacked_size(file: BinaryIO, most: int) -> int:
    """Bytes that all pages unpack to, as their own headers say, whatever the footer does; reading ends beyond `most`.

    `ValueError` where a page is none: a reader sets aside what a header asks for before it looks at the page.
    """
    size = 0
    for meta in _columns(file):
        at, dictionary = _whole(meta, _PAGES), meta.get(_DICTIONARY)
        if isinstance(dictionary, int) and 0 < dictionary < at:
            at = dictionary
        end = at + _whole(meta, _STORED)
        while at < end and size <= most:
            file.seek(at)
            reader = _Reader(file.read(_HEADER))
            page = reader.struct()
            size += _whole(page, _UNPACKED)
            at += reader.read + _whole(page, _PACKED)
    file.seek(0)
    return size


def _columns(file: BinaryIO) -> Iterator[dict[int, Any]]:
    """The facts of each column of each group of rows."""
    file.seek(-8, io.SEEK_END)
    length = int.from_bytes(file.read(4), "little")
    file.seek(-8 - length, io.SEEK_END)
    footer = _Reader(file.read(length)).struct()
    file.seek(0)
    for group in _entries(footer, _GROUPS):
        for column in _entries(group, _COLUMNS):
            meta = column.get(_META) if isinstance(column, dict) else None
            yield meta if isinstance(meta, dict) else {}


def _whole(holder: dict[int, Any], field: int) -> int:
    number = holder.get(field)
    if type(number) is not int or number < 0:
        raise ValueError("a column or a page does not say how large it is")
    return number


def _entries(holder: Any, field: int) -> list[Any]:
    entries = holder.get(field, []) if isinstance(holder, dict) else None
    if not isinstance(entries, list):
        raise ValueError("its footer has no groups of rows")
    return entries


class _Reader:
    """A cursor over Thrift's compact form. A list takes a byte an entry at least, so nothing grows beyond the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def read(self) -> int:
        """How many bytes were read."""
        return self._at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Fields by number."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

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
