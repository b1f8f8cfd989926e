"""Streams that are harder to read than a file, and how rows are compared."""

import io

import numpy as np

from algoport.algorithms.contract.records import Rows, concatenate
from algoport.training.formats import find
from algoport.training.formats.layout import Layout


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, as a FIFO may, and cannot seek."""

    def __init__(self, data: bytes, step: int = 7) -> None:
        self._data, self._step, self._at = data, step, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        part = self._data[self._at : self._at + min(self._step, len(buffer))]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def rows(media: str, data: bytes | io.IOBase, name: str = "train/part", **layout) -> Rows:
    """All rows of the data."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    return concatenate(find(media).read(stream, Layout(name, **layout)))


def assert_same(one: Rows, other: Rows, tolerance: float = 0) -> None:
    np.testing.assert_array_equal(one.dense(), other.dense())
    for name in ("label", "weight"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs)
    assert one.uid == other.uid
    assert one.metadata == other.metadata
    assert one.configuration == other.configuration
    assert one.dense().dtype == np.float32
    if one.is_sparse:
        assert_canonical(one.features)
    else:
        assert one.features.flags.c_contiguous


def assert_canonical(matrix) -> None:
    """Sorted and unique indices, seen without trusting the matrix's own word."""
    for row in range(matrix.shape[0]):
        assert (np.diff(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]) > 0).all()
    assert matrix.dtype == np.float32
