"""Index files as FAISS writes and reads them (`faiss/impl/index_write.cpp` tells the layout); faiss is not needed.

Numbers are little-endian; a vector is its length, uint64, and its entries. An index begins with four letters, then d
int32, n int64, two unused int64, whether it is trained, one byte, and its metric int32, 0 for the product and 1 for L2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.knn import kernels
from algoport.algorithms.knn.index import ENTRIES, Flat, Index, Inverted

Rows = NDArray[np.float32]
UNUSED = 1 << 20
METRICS = {kernels.PRODUCTS: 0, kernels.SQUARES: 1}
FLAT = {b"IxF2": kernels.SQUARES, b"IxFI": kernels.PRODUCTS}
LISTED, CODED, LISTS, FULL, SPARSE = b"IwFl", b"IwPQ", b"ilar", b"full", b"sprs"
MAPPED = (b"IxMp", b"IxM2")
# No index that fits into memory has more of these; a damaged file may say so.
MOST = 1 << 40


def written(index: Index) -> bytes:
    """The file of an index."""
    if isinstance(index, Flat):
        return b"".join(_flat(index))
    assert isinstance(index, Inverted)
    return b"".join(_inverted(index))


def _flat(index: Flat) -> Iterator[bytes]:
    letters = next(word for word, metric in FLAT.items() if metric == index.metric)
    yield letters + _header(index)
    yield from _vector(np.ascontiguousarray(index.rows, "<f4"))


def _inverted(index: Inverted) -> Iterator[bytes]:
    coded = len(index.books) > 0
    lists = len(index.coarse.rows)
    yield (CODED if coded else LISTED) + _header(index) + struct.pack("<QQ", lists, index.probes)
    yield from _flat(index.coarse)
    yield struct.pack("<bQ", 0, 0)  # no map from numbers to lists
    data = np.ascontiguousarray(index.codes if coded else index.rows.view(np.uint8))
    size = data.shape[1]
    if coded:
        yield struct.pack("<bQ", 1, size)  # codes are of what rows differ from their centers by
        yield struct.pack("<QQQ", index.width, size, 8)
        yield from _vector(np.ascontiguousarray(index.books, "<f4"))
    yield LISTS + struct.pack("<QQ", lists, size) + FULL
    yield from _vector(np.diff(index.begins).astype("<u8"))
    ids = np.ascontiguousarray(index.ids, "<i8")
    for first, last in pairwise(index.begins):
        yield data[first:last].tobytes()
        yield ids[first:last].tobytes()


def _header(index: Index) -> bytes:
    return struct.pack("<iqqq?i", index.width, index.size, UNUSED, UNUSED, True, METRICS[index.metric])


def _vector(array: NDArray[np.generic]) -> Iterator[bytes]:
    yield struct.pack("<Q", array.size)
    yield array.tobytes()


def read(data: memoryview, name: str) -> Index:
    """The index of a file; `UserError` where it is none of those that this writes, or is damaged."""
    reader = _Reader(data, name)
    index = reader.index()
    if reader.at != len(data):
        raise reader.fault(f"{len(data) - reader.at} bytes follow the index")
    return index


@dataclass
class _Reader:
    """A file and how far it has been read."""

    data: memoryview
    name: str
    at: int = 0

    def fault(self, what: str) -> UserError:
        return UserError(f"{self.name}: is not a FAISS index of type Flat, IVFFlat or IVFPQ that can be read: {what}.")

    def _numbers(self, form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        return struct.unpack(form, self._bytes(size))

    def _bytes(self, size: int) -> memoryview:
        if not 0 <= size <= len(self.data) - self.at:
            raise self.fault(f"it ends after {len(self.data)} bytes, where {size} more are to follow byte {self.at}")
        part = self.data[self.at : self.at + size]
        self.at += size
        return part

    def _array(self, count: int, kind: str) -> NDArray[np.generic]:
        if not 0 <= count < MOST:
            raise self.fault(f"it says that {count} numbers follow")
        return np.frombuffer(self._bytes(count * np.dtype(kind).itemsize), kind)

    def _vector(self, kind: str, count: int) -> NDArray[np.generic]:
        (own,) = self._numbers("<Q")
        if own != count:
            raise self.fault(f"{own} numbers follow where {count} must")
        return self._array(own, kind)

    def _head(self) -> tuple[int, int, int]:
        """d, n and the metric."""
        d, n, _, _, trained, metric = self._numbers("<iqqqbi")
        known = {number: own for own, number in METRICS.items()}
        if d < 1 or not 0 < n < MOST or d * n >= MOST or not trained or metric not in known:
            raise self.fault(f"it has {n} rows of {d} numbers, and the metric {metric}")
        return d, n, known[metric]

    def index(self) -> Index:
        """The index that follows."""
        word = bytes(self._bytes(4))
        if word in MAPPED:
            return self._renumbered()
        if word in FLAT:
            d, n, _ = self._head()
            return Flat.of(self._matrix(n, d), FLAT[word])
        if word in (LISTED, CODED):
            return self._inverted(word == CODED)
        raise self.fault(f"it begins with {word!r}")

    def _matrix(self, rows: int, columns: int) -> Rows:
        return np.asarray(self._vector("<f4", rows * columns), np.float32).reshape(rows, columns)

    def _renumbered(self) -> Index:
        """An index whose numbers are mapped to others: only to themselves."""
        _, n, _ = self._head()
        index = self.index()
        if index.size != n or (self._vector("<i8", n) != np.arange(n)).any():
            raise self.fault("its rows have numbers of their own")
        return index

    def _inverted(self, coded: bool) -> Inverted:
        d, n, metric = self._head()
        lists, probes = self._numbers("<QQ")
        coarse = self.index()
        if not isinstance(coarse, Flat) or coarse.size != lists or coarse.width != d or coarse.metric != metric:
            raise self.fault("its centers do not fit")
        kind, entries = self._numbers("<bQ")
        if kind not in (0, 1):
            raise self.fault("it has a map of numbers of another kind")
        self._array(entries, "<i8")
        books, size = np.empty((0, ENTRIES, 0), np.float32), 4 * d
        if coded:
            books, size = self._books(d)
        sizes = self._sizes(lists, size)
        if int(sizes.sum()) != n:
            raise self.fault(f"its lists hold {int(sizes.sum())} rows of {n}")
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        data, ids = np.empty((n, size), np.uint8), np.empty(n, np.int64)
        for first, last in pairwise(begins):
            data[first:last] = self._array((last - first) * size, "u1").reshape(-1, size)
            ids[first:last] = self._array(last - first, "<i8")
        if not np.array_equal(np.sort(ids), np.arange(n)):
            raise self.fault("its rows are not numbered from 0")
        rows = np.empty((0, d), np.float32) if coded else data.view("<f4").astype(np.float32, copy=False)
        codes = data if coded else np.empty((0, 0), np.uint8)
        return Inverted.of(coarse.rows, begins, ids, rows, codes, books, metric, max(1, min(probes, lists)))

    def _books(self, d: int) -> tuple[Rows, int]:
        residual, size = self._numbers("<bQ")
        width, m, bits = self._numbers("<QQQ")
        if not residual or bits != 8 or size != m or width != d or m < 1 or d % m:
            raise self.fault(f"it has {m} codes of {bits} bits for {width} numbers")
        flat = np.asarray(self._vector("<f4", ENTRIES * d), np.float32)
        return flat.reshape(m, ENTRIES, d // m), m

    def _sizes(self, lists: int, size: int) -> NDArray[np.int64]:
        if bytes(self._bytes(4)) != LISTS or self._numbers("<QQ") != (lists, size):
            raise self.fault("its lists do not fit")
        form = bytes(self._bytes(4))
        sizes = np.zeros(lists, np.int64)
        if form == FULL:
            sizes[:] = self._vector("<u8", lists)
        elif form == SPARSE:
            (count,) = self._numbers("<Q")
            pairs = self._array(count, "<u8").reshape(-1, 2) if count % 2 == 0 else None
            if pairs is None or (np.asarray(pairs[:, 0], np.uint64) >= lists).any():
                raise self.fault("the sizes of its lists do not fit")
            sizes[pairs[:, 0].astype(np.int64)] = pairs[:, 1]
        else:
            raise self.fault(f"its lists are of the form {form!r}")
        if (sizes < 0).any() or (sizes > MOST).any():
            raise self.fault("the sizes of its lists do not fit")
        return sizes
