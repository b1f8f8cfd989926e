"""Arrays as NumPy saves them (`.npy`), 1-D or 2-D, of any real type. Nothing is unpickled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Rows
from algoport.training.formats.layout import Layout
from algoport.training.formats.recognition import format_of
from algoport.training.formats.window import Window

MEDIA = ("application/x-npy", "npy", "application/npy")
_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 16


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """The rows of a matrix; a vector is one row. Arrays one after another, as in a FIFO, are read on.

    Leading columns are labels and the weight as in CSV. An array in Fortran order is held in memory as a whole.
    """
    source = _Source(stream, layout)
    width, row = layout.width, 1
    while source.more():
        for matrix in source.array():
            labels = layout.label_size
            front = labels + layout.weighted
            count = matrix.shape[1] - front
            if width is not None and count != width:
                raise layout.misfit(f"row {row}", count, width, layout.label_remedy(MEDIA[0], count, width))
            if count <= 0:
                raise layout.fault("", f"has {matrix.shape[1]} columns and no features, where label_size is {labels}.")
            width, row = count, row + len(matrix)
            features = np.ascontiguousarray(matrix[:, front:])
            label = np.ascontiguousarray(matrix[:, :labels]) if labels else None
            weight = np.ascontiguousarray(matrix[:, labels]) if layout.weighted else None
            if len(matrix):
                yield Rows(features=features, label=label, weight=weight)


def write(rows: Rows) -> bytes:
    """A float32 matrix; labels are its leading columns."""
    features = rows.dense()
    return array(features if rows.label is None else np.column_stack([rows.label, features]))


def array(numbers: NDArray[Any]) -> bytes:
    """The file of an array of any shape."""
    import io

    sink = io.BytesIO()
    np.lib.format.write_array(sink, np.ascontiguousarray(numbers), version=(1, 0), allow_pickle=False)
    return sink.getvalue()


class _Source:
    """Arrays out of a stream, read in pieces: a header may claim any size, but only bytes that come are kept."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self._window, self._layout = Window(stream, max(layout.block, _LONGEST_HEADER)), layout
        self._first = True

    def more(self) -> bool:
        return self._window.fill()

    def array(self) -> Iterator[NDArray[np.float32]]:
        """The next array, as float32 matrices of consecutive rows."""
        shape, fortran, dtype = self._header()
        n, d = (1, *shape) if len(shape) == 1 else shape
        self._layout.spend(n * d * 4)
        if fortran and n > 1 and d > 1:
            columns = np.concatenate(list(self._rows(d, n, dtype)))
            yield np.ascontiguousarray(columns.T)
        else:
            yield from self._rows(n, d, dtype)

    def _rows(self, n: int, d: int, dtype: np.dtype[Any]) -> Iterator[NDArray[np.float32]]:
        size = d * dtype.itemsize
        done = 0
        while done < n:
            while self._window.fill() and self._window.end < size and not self._window.ended:
                self._window.grow()
            count = min(n - done, self._window.end // size)
            if not count:
                raise self._layout.fault(f"row {done + 1}", f"is missing: the header promises {n:,} rows of {d:,}.")
            numbers = np.frombuffer(self._window.bytes[: count * size], dtype).reshape(count, d)
            with np.errstate(over="ignore"):  # which must not be left open while somebody else computes
                copied = numbers.astype(np.float32, order="C")  # in any case, for the window's bytes change
            yield copied
            self._window.drop(count * size)
            done += count

    def _header(self) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        import io

        start = bytes(self._window.view[:_LONGEST_HEADER])
        if not start.startswith(_MAGIC):
            other = format_of(start) if self._first else None
            sentence = f"is plainly {other}" if other else "has bytes that do not begin as a NumPy array does"
            raise self._layout.fault("", f"{sentence}, where the content type is {MEDIA[0]}.")
        self._first = False
        head = io.BytesIO(start)
        try:
            version = np.lib.format.read_magic(head)
            header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(head, max_header_size=10_000)
        except Exception:
            raise self._layout.fault(
                "", "its NumPy header cannot be read: it is cut off or damaged; write it again with numpy.save."
            ) from None
        if dtype.kind not in "biuf" or dtype.hasobject:
            raise self._layout.fault("", f"must hold real numbers; its type is {dtype}.")
        if len(shape) not in (1, 2) or any(extent < 0 for extent in shape) or math.prod(shape[-1:]) == 0:
            raise self._layout.fault("", f"must be a matrix of rows, or one row; its shape is {shape}.")
        self._window.drop(head.tell())
        return shape, fortran, dtype
