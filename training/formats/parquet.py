"""Parquet: numeric columns, leading labels first; or one column of lists of numbers, each a row's features.

Parquet is read from its end. What cannot seek (a FIFO) is copied to a temporary file first: memory stays at a
batch of rows, and the disk that `tempfile` chooses (`TMPDIR`) must hold the whole stream.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Rows
from algoport.training.formats import parquet_footer
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.recognition import format_of

MEDIA = ("application/x-parquet", "parquet", "application/parquet", "application/vnd.apache.parquet")
_MAGIC = b"PAR1"


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Rows in file order, names ignored; null is NaN. `layout.limit` holds against files that unpack to too much."""
    with open_file(stream, layout) as table:
        if table is None:
            return
        columns = _columns(table.file.schema_arrow, layout)
        for number, batch in batches(table, layout):
            yield _rows(batch, columns, layout, number)


class ParquetFile(NamedTuple):
    """A file whose footer has been read."""

    file: Any
    promised: int  # values that it says it holds


@contextmanager
def open_file(stream: BinaryIO, layout: Layout) -> Iterator[Any]:
    """The file, or None where the stream is empty; what pyarrow says of a broken one becomes a `UserError`."""
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    with _seekable(stream) as file:
        if not _begins(file, layout):
            yield None
            return
        try:
            table = pa_parquet.ParquetFile(file, thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20)
            if layout.limit is not None:
                layout.spend(_unpacked_size(file, layout))
            yield ParquetFile(table, _value_count(table, file, layout))
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            message = (str(error).splitlines() or [type(error).__name__])[0]
            raise layout.fault("", f"cannot be read as Parquet: {message[:200]}.") from None


def write(rows: Rows) -> bytes:
    """float32 columns `label_0`, …, then `feature_0`, …; NaN stays NaN."""
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    columns: dict[str, Any] = {}
    for name, matrix in (("label", rows.label), ("feature", rows.dense())):
        if matrix is not None:
            columns |= {f"{name}_{number}": pa.array(column) for number, column in enumerate(matrix.T)}
    sink = pa.BufferOutputStream()
    pa_parquet.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file, 1 << 20)
        file.seek(0)
        yield file


def _begins(file: BinaryIO, layout: Layout) -> bool:
    """Whether there is anything; UserError where it plainly is something else."""
    start = file.read(1 << 12)
    file.seek(0, io.SEEK_SET)
    if start and not start.startswith(_MAGIC):
        other = format_of(start)
        sentence = f"is plainly {other}" if other else f"does not begin as Parquet does: {excerpt(start)}"
        raise layout.fault("", f"{sentence}, where the content type is {MEDIA[0]}.")
    return bool(start)


def _columns(schema: Any, layout: Layout) -> int:
    """How many columns lead as labels; UserError where a column is not of numbers."""
    import pyarrow.types as kinds

    labels = layout.label_size
    if len(schema) <= labels:
        raise layout.fault("", f"has {len(schema)} columns and no features, where label_size is {labels}.")
    for number, field in enumerate(schema):
        lists = kinds.is_list(field.type) or kinds.is_large_list(field.type) or kinds.is_fixed_size_list(field.type)
        if lists and number == labels and len(schema) == labels + 1 and _numeric(field.type.value_type):
            continue
        if not _numeric(field.type):
            raise layout.fault(
                f"column '{field.name}'",
                f"must be of numbers, or the one column of features be of lists of numbers; it is of {field.type}.",
            )
    return labels


def _numeric(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind))


def _value_count(table: Any, file: BinaryIO, layout: Layout) -> int:
    """How many values there are; a flat column has one a row."""
    import pyarrow.types as kinds

    if not any(kinds.is_nested(field.type) for field in table.schema_arrow):
        return int(table.metadata.num_rows * table.metadata.num_columns)
    try:
        return parquet_footer.values(file)
    except ValueError as error:
        raise layout.fault("", f"cannot be read as Parquet: {error}.") from None


def _unpacked_size(file: BinaryIO, layout: Layout) -> int:
    try:
        return parquet_footer.unpacked_size(file, layout.limit or 0)
    except (ValueError, OSError) as error:
        raise layout.fault("", f"cannot be read as Parquet: {error}.") from None


def batches(table: ParquetFile, layout: Layout) -> Iterator[tuple[int, Any]]:
    """Batches of about `layout.block` decoded bytes, with the number of the first row, from 1."""
    meta, promised = table.file.metadata, table.promised
    # Before anything is unpacked: a kilobyte of run lengths can stand for any number of values.
    layout.spend(4 * max(promised, meta.num_rows))
    layout.spend(sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups)))
    width = max(1, promised // max(1, meta.num_rows))
    row, size = 1, 0
    count = max(1, layout.block // (4 * width))
    for batch in table.file.iter_batches(batch_size=count, use_threads=layout.limit is None):
        size += batch.nbytes
        layout.spend(size // 2)  # columns of doubles take twice what float32 will
        if len(batch):
            yield row, batch
            row += len(batch)


def _rows(batch: Any, labels: int, layout: Layout, row: int) -> Rows:
    columns = [batch.column(number) for number in range(batch.num_columns)]
    if hasattr(columns[labels], "flatten") and hasattr(columns[labels].type, "value_type"):
        features = _vectors(columns[labels], layout, row)
    else:
        features = _matrix(columns[labels:])
    if layout.width is not None and features.shape[1] != layout.width:
        count, expected = features.shape[1], layout.width
        raise layout.misfit(f"row {row}", count, expected, layout.label_remedy(MEDIA[0], count, expected))
    return Rows(features=features, label=_matrix(columns[:labels]) if labels else None)


def _vectors(column: Any, layout: Layout, row: int) -> NDArray[np.float32]:
    import pyarrow as pa
    from pyarrow import compute

    if column.null_count:
        raise layout.fault(f"row {row + _first(column.is_null())}", "has null in the place of its features.")
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
    else:
        lengths = compute.list_value_length(column).to_numpy(zero_copy_only=False)
        width = layout.width or int(lengths[0])
        if (lengths != width).any():
            index = int(np.argmax(lengths != width))
            raise layout.misfit(f"row {row + index}", int(lengths[index]), width)
    if not width:
        raise layout.fault(f"row {row}", "has no features.")
    return np.ascontiguousarray(_floats(column.flatten()).reshape(-1, width))


def _first(mask: Any) -> int:
    return int(np.argmax(mask.to_numpy(zero_copy_only=False)))


def _matrix(columns: list[Any]) -> NDArray[np.float32]:
    matrix = np.empty((len(columns[0]), len(columns)), np.float32)
    # By bands of rows, so that a cache line of the matrix is filled while it is at hand.
    arrays = [_floats(column) for column in columns]
    for start in range(0, len(matrix), 512):
        band = slice(start, start + 512)
        matrix[band] = np.array([array[band] for array in arrays]).T
    return matrix


def _floats(column: Any) -> NDArray[np.float32]:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    with np.errstate(over="ignore"):
        return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.float32)
