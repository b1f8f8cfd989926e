"""Reads MXNet NDArray files, in which the original images keep their models: dense arrays, and row-sparse ones as such.

The layout is that of MXNet 1.x (`NDArray::Save`): a list magic, the arrays, their names. Every length is
checked against what the file holds before anything is allocated, as the file may come from anywhere.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.model_folder import read_file

_LIST = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE, _ROW_SPARSE = 0, 1
_TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8"}
_MOST_NUMBERS = 1 << 48
_MOST_DIMENSIONS = 32
_SMALL, _MOST_RATIO = 1 << 26, 16  # bytes of a row-sparse array with its zeros; how many times the file's


def load(path: Path) -> list[NDArray[Any]] | dict[str, NDArray[Any]]:
    """The arrays of a file: by name where they have names, else in order. `UserError` where it is none."""
    return parsed(read_file(path), path.name)


def parsed(data: bytes, name: str) -> list[NDArray[Any]] | dict[str, NDArray[Any]]:
    """The same of a file's bytes; `name` stands in the errors."""
    return _Reader(data, name).arrays()


def is_one(path: Path) -> bool:
    """True where a file begins like a list of NDArrays."""
    return read_file(path, 8) == struct.pack("<Q", _LIST)


class _Reader:
    """A cursor over the bytes of a file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._at = 0

    def arrays(self) -> list[NDArray[Any]] | dict[str, NDArray[Any]]:
        if self._number("<Q") != _LIST:
            raise self._fault("does not begin like an MXNet NDArray file")
        self._number("<Q")
        arrays = [self._array() for _ in range(self._count())]
        names = [self._take(self._number("<Q")).decode("utf-8", "replace") for _ in range(self._count())]
        if not names:
            return arrays
        if len(names) != len(arrays):
            raise self._fault(f"has {len(names)} names for {len(arrays)} arrays")
        return dict(zip(names, arrays, strict=True))

    def _array(self) -> NDArray[Any]:
        magic = self._number("<I")
        if magic in (_V2, _V3):
            storage = self._number("<i")
            if storage == _ROW_SPARSE:
                return self._row_sparse()
            if storage != _DENSE:
                raise self._fault("holds a sparse array of CSR form, which is not read")
        if magic not in (_V1, _V2, _V3):
            shape = self._shape(magic, "<I")  # before version 1 the number of dimensions stood here
        else:
            shape = self._shape(self._number("<I"), "<q")
        if not shape:
            return np.empty(0, np.float32)  # how 1.x writes an array that was never filled
        self._take(8)  # the device it was on
        return self._numbers(self._dtype(), shape)

    def _row_sparse(self) -> NDArray[Any]:
        """An array of which some rows are there, and all others zeros; it may not be many times the file."""
        there, shape = (self._shape(self._number("<I"), "<q") for _ in range(2))
        if not shape:
            return np.empty(0, np.float32)
        self._take(8)
        dtype, kind = self._dtype(), self._dtype()
        count = self._shape(self._number("<I"), "<q")
        values, rows = self._numbers(dtype, there), self._numbers(kind, count).astype(np.int64)
        size = math.prod(shape) * dtype.itemsize
        if there[1:] != shape[1:] or count != there[:1] or size > max(_SMALL, _MOST_RATIO * len(self._data)):
            raise self._fault(f"holds a row-sparse array of {count} rows of shape {shape}, which is not read")
        if len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]:
            raise self._fault(f"holds a row-sparse array with the row {rows.max()}, where its shape is {shape}")
        whole = np.zeros(shape, dtype)
        whole[rows] = values
        return whole

    def _dtype(self) -> np.dtype[Any]:
        kind = self._number("<i")
        if kind not in _TYPES:
            raise self._fault(f"holds an array of the unknown type {kind}")
        return np.dtype(_TYPES[kind])

    def _numbers(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        return np.frombuffer(self._take(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)

    def _shape(self, dimensions: int, form: str) -> tuple[int, ...]:
        if dimensions > _MOST_DIMENSIONS:
            raise self._fault(f"holds an array of {dimensions} dimensions")
        shape = tuple(self._number(form) for _ in range(dimensions))
        # An array without numbers may still say that it is as long as no array can be.
        if any(length < 0 for length in shape) or math.prod(max(length, 1) for length in shape) > _MOST_NUMBERS:
            raise self._fault(f"holds an array of shape {shape}")
        return shape

    def _count(self) -> int:
        """A number of things that follow, each of which takes four bytes at least."""
        count = self._number("<Q")
        if count * 4 > len(self._data) - self._at:
            raise self._fault(f"says that {count} entries follow, which it cannot hold")
        return count

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise self._fault(f"ends at byte {len(self._data)}, where {length} bytes from {self._at} were to come")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _fault(self, what: str) -> UserError:
        return UserError(f"{self._name}: {what}.")
