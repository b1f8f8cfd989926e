"""Universal Binary JSON (draft 12), as far as the library writes it, to and from Python's own objects.

Typed arrays of numbers become numpy arrays and numpy arrays become typed arrays. A file may come from anywhere: every
count is checked against the bytes that are left before anything is made, and nesting has a limit.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError

DEPTH = 64  # the library nests eight deep

_NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_MARKS = {np.dtype(form).newbyteorder("="): mark for mark, form in _NUMBERS.items()}
_UNPACK = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_SCALARS = {mark: struct.Struct(form) for mark, form in _UNPACK.items()}
_WORDS = {b"T": True, b"F": False, b"Z": None}
_SIZES: tuple[tuple[bytes, int], ...] = (
    (b"i", 1 << 7),
    (b"I", 1 << 15),
    (b"l", 1 << 31),
    (b"L", 1 << 63),
)  # the library takes the smallest
_LENGTHS = (b"i", b"U", b"I", b"l", b"L")


def loads(data: bytes, name: str) -> Any:
    """The value that the bytes hold; `UserError` with the name of the file where they hold none."""
    reader = _Reader(data, name)
    value = reader.value(reader.mark(), DEPTH)
    reader.check_end()
    return value


def dumps(value: Any) -> bytes:
    """The bytes of dicts, lists, strings, whole numbers, float32 and numpy arrays of one dimension."""
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


class _Reader:
    """A cursor over the bytes of a file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._at = 0

    def mark(self) -> bytes:
        """The next type marker; those that say nothing are passed over."""
        while True:
            mark = self._take(1)
            if mark != b"N":
                return mark

    def check_end(self) -> None:
        """`UserError` where anything but marks that say nothing is left."""
        left = len(self._data[self._at :].lstrip(b"N"))
        if left:
            raise UserError(f"{self._name}: must end where its UBJSON does; {left:,} bytes stand behind it.")

    def value(self, mark: bytes, depth: int) -> Any:
        if mark in _SCALARS:
            return self._scalar(mark)
        if mark == b"S":
            return self._text()
        if mark == b"{":
            return self._object(depth)
        if mark == b"[":
            return self._array(depth)
        if mark in _WORDS:
            return _WORDS[mark]
        if mark == b"C":
            return self._take(1).decode("latin-1")
        raise self._fault(f"holds the unknown type {mark!r} at byte {self._at - 1}")

    def _object(self, depth: int) -> dict[str, Any]:
        self._deeper(depth)
        kind, count = self._shape()
        if kind:
            raise self._fault("holds an object of one type, which the library does not write")
        members: dict[str, Any] = {}
        while count is None or count > 0:
            if count is None and self._peek() == b"}":
                self._at += 1
                return members
            key = self._text()
            members[key] = self.value(self.mark(), depth - 1)
            count = None if count is None else count - 1
        return members

    def _array(self, depth: int) -> Any:
        self._deeper(depth)
        kind, count = self._shape()
        if kind:
            if kind not in _NUMBERS or count is None:
                raise self._fault(f"holds an array of the type {kind!r}")
            dtype = np.dtype(_NUMBERS[kind])
            return np.frombuffer(self._take(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))
        if count is not None:
            return [self.value(self.mark(), depth - 1) for _ in range(count)]
        elements = []
        while (mark := self.mark()) != b"]":
            elements.append(self.value(mark, depth - 1))
        return elements

    def _shape(self) -> tuple[bytes, int | None]:
        """The type of all entries and their number, where they stand in front of them."""
        kind, count = b"", None
        if self._peek() == b"$":
            self._at += 1
            kind = self._take(1)
        if self._peek() == b"#":
            self._at += 1
            count = self._length()
        return kind, count

    def _text(self) -> str:
        try:
            return self._take(self._length()).decode("utf-8")
        except UnicodeDecodeError:
            raise self._fault(f"holds a text that is not UTF-8 before byte {self._at}") from None

    def _length(self) -> int:
        """A number of entries or bytes that follow, each of which takes a byte at least."""
        mark = self._take(1)
        if mark not in _LENGTHS:
            raise self._fault(f"has no length at byte {self._at - 1}")
        length = int(self._scalar(mark))
        if not 0 <= length <= len(self._data) - self._at:
            raise self._fault(f"says that {length} entries follow byte {self._at}, which it cannot hold")
        return length

    def _scalar(self, mark: bytes) -> int | float:
        form = _SCALARS[mark]
        number: int | float = form.unpack(self._take(form.size))[0]
        return number

    def _deeper(self, depth: int) -> None:
        if depth <= 0:
            raise self._fault(f"is nested deeper than {DEPTH} levels")

    def _peek(self) -> bytes:
        return self._data[self._at : self._at + 1]

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise self._fault(f"ends at byte {len(self._data)}, where {length} bytes from {self._at} were to come")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _fault(self, what: str) -> UserError:
        return UserError(f"{self._name}: is not a whole UBJSON file: it {what}.")


def _write(value: Any, parts: list[bytes]) -> None:
    if isinstance(value, np.ndarray):
        mark = _MARKS[value.dtype]
        parts += [b"[$", mark, b"#", _size(len(value)), value.astype(_NUMBERS[mark]).tobytes()]
    elif isinstance(value, Mapping):
        parts.append(b"{")
        for key in sorted(value):
            parts.append(_write_value(key))
            _write(value[key], parts)
        parts.append(b"}")
    elif isinstance(value, list | tuple):
        parts += [b"[#", _size(len(value))]
        for entry in value:
            _write(entry, parts)
    elif isinstance(value, str):
        parts += [b"S", _write_value(value)]
    elif isinstance(value, bool):
        parts.append(b"T" if value else b"F")
    elif isinstance(value, int | np.integer):
        number = int(value)
        mark = next(mark for mark, beyond in _SIZES if abs(number) < beyond)
        parts.append(mark + _SCALARS[mark].pack(number))
    elif isinstance(value, float | np.floating):
        parts.append(b"d" + struct.pack(">f", value))
    else:
        parts.append(b"Z")


def _write_value(text: str) -> bytes:
    data = text.encode()
    return _size(len(data)) + data


def _size(length: int) -> bytes:
    return b"L" + struct.pack(">q", length)
