"""Sparse matrices as SciPy saves them (`scipy.sparse.save_npz`), of any real type. Nothing is unpickled.

The archive may also hold `label` (n,) or (n, l) and `weight` (n,), as `numpy.savez` writes them beside the parts of the
matrix; without, leading columns of the matrix are labels and the weight, as in CSV.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training.formats.layout import MOST_COLUMNS, Layout
from algoport.training.formats.record import sorted_csr

MEDIA = ("application/x-npz", "npz")
BLOCK = 1 << 16  # rows that are handed out at a time
PARTS = ("format", "shape", "data", "indices", "indptr")
_MOST_RATIO = 1100  # what deflate can make of a byte, with room
_MOST_HEADER = 10_000


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """The rows of a matrix, which is held in memory as a whole: the archive's table of contents stands at its end."""
    body = stream.read(-1 if layout.limit is None else layout.limit + 1)
    if not body:
        return
    arrays = _arrays(body, layout)
    matrix = _matrix(arrays, layout)
    labels = 0 if "label" in arrays else layout.label_size
    front = labels + (layout.weighted and "weight" not in arrays)
    width = matrix.shape[1] - front
    if layout.width is not None and width != layout.width:
        raise layout.misfit("row 1", width, layout.width, layout.label_remedy(MEDIA[0], width, layout.width))
    if width <= 0:
        raise layout.fault("", f"has {matrix.shape[1]} columns and no features, where label_size is {labels}.")
    lead = matrix[:, :front].toarray() if front else np.empty((matrix.shape[0], 0), np.float32)
    label = _column(arrays, "label", matrix.shape[0], layout) if "label" in arrays else lead[:, :labels]
    weight = _column(arrays, "weight", matrix.shape[0], layout) if "weight" in arrays else lead[:, labels:]
    features = matrix[:, front:] if front else matrix
    for first in range(0, matrix.shape[0], BLOCK):
        span = slice(first, first + BLOCK)
        yield Rows(
            features=sparse.csr_array(features[span]),
            label=np.ascontiguousarray(label[span]) if label.shape[1] else None,
            weight=np.ascontiguousarray(weight[span, 0]) if weight.shape[1] else None,
        )


def write(rows: Rows) -> bytes:
    """A CSR matrix as SciPy writes it, with the labels and weights in arrays beside it."""
    matrix: Any = sparse.csr_array(rows.features)
    beside: Any = {name: value for name, value in (("label", rows.label), ("weight", rows.weight)) if value is not None}
    sink = io.BytesIO()
    shape = np.array(matrix.shape, np.int64)
    parts: dict[str, Any] = {"indices": matrix.indices, "indptr": matrix.indptr, "data": matrix.data, "shape": shape}
    np.savez_compressed(sink, format=np.bytes_("csr"), **parts, **beside)
    return sink.getvalue()


def _arrays(body: bytes, layout: Layout) -> dict[str, NDArray[Any]]:
    """The arrays of the archive by name."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            if min((entry.header_offset for entry in entries.values()), default=0) > 0:
                raise layout.fault("", "is several archives in one stream; read them in File mode, or as one archive.")
            missing = [name for name in PARTS if name not in entries]
            if missing:
                raise layout.fault("", f"has no '{missing[0]}'; it must be what scipy.sparse.save_npz writes.")
            wanted = [*PARTS, *(name for name in ("label", "weight") if name in entries)]
            layout.spend(sum(entries[name].file_size for name in wanted))
            return {name: _array(archive, entries[name], layout) for name in wanted}
    except UserError:
        raise
    except Exception as error:
        raise layout.fault("", f"cannot be read as a NumPy archive (.npz): {str(error)[:200]!r}.") from None


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, layout: Layout) -> NDArray[Any]:
    """An array whose bytes are there: neither header is believed beyond them."""
    if entry.file_size > _MOST_RATIO * max(entry.compress_size, 64):
        raise layout.fault(
            "", f"its '{entry.filename[:60]}' would be {entry.file_size:,} bytes, more than it can hold."
        )
    head = io.BytesIO(archive.read(entry))
    version = np.lib.format.read_magic(head)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(head, max_header_size=_MOST_HEADER)
    if dtype.hasobject or any(extent < 0 for extent in shape):
        raise layout.fault("", f"its '{entry.filename[:60]}' must be numbers; its type is {dtype}.")
    numbers = np.frombuffer(head.getbuffer()[head.tell() :], dtype)
    return np.asarray(numbers.reshape(shape, order="F" if fortran else "C"))


def _matrix(arrays: dict[str, NDArray[Any]], layout: Layout) -> sparse.csr_array:
    """The matrix with sorted, unique columns."""
    form = arrays["format"].reshape(-1)[:1].tolist()
    if form not in ([b"csr"], ["csr"]):
        raise layout.fault("", f"must be a matrix in CSR form; it is {str(form)[:40]}. Save matrix.tocsr().")
    kinds = {"shape": "iu", "indices": "iu", "indptr": "iu", "data": "biuf"}
    for name, kind in kinds.items():
        if arrays[name].dtype.kind not in kind or arrays[name].ndim != 1:
            real = "real" if name == "data" else "whole"
            what = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise layout.fault("", f"its '{name}' must be a list of {real} numbers; it is {what}.")
    shape = [int(extent) for extent in arrays["shape"]]
    bounds, keys = arrays["indptr"].astype(np.int64), arrays["indices"].astype(np.int64)
    whole = len(shape) == 2 and len(bounds) == shape[0] + 1 and len(keys) == len(arrays["data"])
    if not whole or bounds[0] != 0 or bounds[-1] != len(keys) or (np.diff(bounds) < 0).any():
        raise layout.fault("", "its 'shape', 'indptr', 'indices' and 'data' do not fit each other.")
    if shape[1] > MOST_COLUMNS:
        raise layout.too_wide("row 1", "its shape is", shape[1])
    if len(keys) and not 0 <= int(keys.min()) <= int(keys.max()) < shape[1]:
        raise layout.fault("", f"has column {int(keys.max())}, where its shape has {shape[1]} and they count from 0.")

    def check(wrong: NDArray[np.bool_], _: object) -> None:
        if wrong.any():
            raise layout.fault(f"row {int(np.argmax(wrong)) + 1}", "has a column twice.")

    with np.errstate(over="ignore"):
        values = arrays["data"].astype(np.float32)
    return sorted_csr(values, keys, bounds, shape[1], check)


def _column(arrays: dict[str, NDArray[Any]], name: str, rows: int, layout: Layout) -> NDArray[np.float32]:
    """Labels or weights (n, l)."""
    array = arrays[name]
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or len(array) != rows:
        raise layout.fault("", f"its '{name}' must be a number for each of {rows} rows; its shape is {array.shape}.")
    with np.errstate(over="ignore"):
        return np.asarray(array.reshape(rows, -1), np.float32)
