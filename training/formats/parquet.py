"""Parquet: numeric columns, leading labels first; or one column of lists of numbers, each a row's features.

Columns that pandas wrote for its index are none of the data, and are passed over. Where rows have weights, they are the
column named `weight`.

Parquet is read from its end. What cannot seek (a FIFO) is copied to a temporary file first: memory stays at a
batch of rows, and the disk that `tempfile` chooses (`TMPDIR`) must hold the whole stream.
"""

from __future__ import annotations

import io
import json
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
_DAMAGED = "cannot be read as Parquet: it is cut off or damaged; write it again or copy it once more"
WEIGHTS = ("weight", "weights", "sample_weight", "instance_weight")  # names of the column of weights, in any case


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Rows in file order, names ignored but for the weight's; null is NaN. `layout.limit` holds against files that
    unpack to too much."""
    with open_file(stream, layout) as table:
        if table is None:
            return
        columns = _columns(table.fields, layout)
        for number, batch in batches(table, layout):
            yield _rows(batch, columns, layout, number)


class ParquetFile(NamedTuple):
    """A file whose footer has been read."""

    file: Any
    promised: int  # values that it says it holds
    columns: list[int]  # those that are data

    @property
    def fields(self) -> list[Any]:
        """Name and type of each column that is data."""
        schema = self.file.schema_arrow
        return [schema.field(number) for number in self.columns]


class Columns(NamedTuple):
    """What the columns are."""

    labels: int  # leading ones
    weight: int | None


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
            yield ParquetFile(table, _value_count(table, file, layout), _data_columns(table.schema_arrow, layout))
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError):
            raise layout.fault("", f"{_DAMAGED}.") from None


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


def _data_columns(schema: Any, layout: Layout) -> list[int]:
    """The numbers of the columns that are not the index of a table of pandas, as its own facts in the file say."""
    try:
        facts = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = [name for name in facts["index_columns"] if isinstance(name, str)]
    except (ValueError, KeyError, TypeError, RecursionError):
        index = []
    for name in index:
        if name in schema.names:
            layout.note(f"column {excerpt(name)}, the index of the table of pandas that was written")
    return [number for number, name in enumerate(schema.names) if name not in index]


def _columns(fields: list[Any], layout: Layout) -> Columns:
    """How many columns lead as labels, and which is the weight; UserError where a column is not of numbers."""
    import pyarrow.types as kinds

    labels, weight = layout.label_size, None
    if layout.weighted:
        weight = next((number for number, field in enumerate(fields) if field.name.lower() in WEIGHTS), None)
        if weight is None or weight < labels:
            names = ", ".join(excerpt(field.name, 30) for field in fields[:8])
            raise layout.fault(
                "", f"must have a column named weight behind the label, as {layout.weighted_name} says; it has {names}."
            )
    if weight is not None and not _numeric(fields[weight].type):
        raise layout.fault(
            f"column '{fields[weight].name}'",
            f"must be of numbers, as it is the weight; it is of {fields[weight].type}.",
        )
    data = [field for number, field in enumerate(fields) if number != weight]
    if len(data) <= labels:
        raise layout.fault("", f"has {len(data)} columns and no features, where label_size is {labels}.")
    for number, field in enumerate(data):
        lists = kinds.is_list(field.type) or kinds.is_large_list(field.type) or kinds.is_fixed_size_list(field.type)
        if lists and number == labels and len(data) == labels + 1 and _numeric(field.type.value_type):
            continue
        if not _numeric(field.type):
            raise layout.fault(
                f"column '{field.name}'",
                f"must be of numbers, or the one column of features be of lists of numbers; it is of {field.type}.",
            )
    return Columns(labels, weight)


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
    except ValueError:
        raise layout.fault("", f"{_DAMAGED}.") from None


def _unpacked_size(file: BinaryIO, layout: Layout) -> int:
    try:
        return parquet_footer.unpacked_size(file, layout.limit or 0)
    except (ValueError, OSError):
        raise layout.fault("", f"{_DAMAGED}.") from None


def batches(table: ParquetFile, layout: Layout) -> Iterator[tuple[int, Any]]:
    """Batches of about `layout.block` decoded bytes, with the number of the first row, from 1."""
    meta, promised = table.file.metadata, table.promised
    # Before anything is unpacked: a kilobyte of run lengths can stand for any number of values.
    layout.spend(4 * max(promised, meta.num_rows))
    layout.spend(sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups)))
    width = max(1, promised // max(1, meta.num_rows))
    row, size = 1, 0
    count = max(1, layout.block // (4 * width))
    for batch in table.file.iter_batches(count, use_threads=layout.limit is None):
        size += batch.nbytes
        layout.spend(size // 2)  # columns of doubles take twice what float32 will
        if len(batch):
            yield row, batch.select(table.columns)
            row += len(batch)


def _rows(batch: Any, columns: Columns, layout: Layout, row: int) -> Rows:
    labels = columns.labels
    weight = None if columns.weight is None else _floats(batch.column(columns.weight))
    data = [batch.column(number) for number in range(batch.num_columns) if number != columns.weight]
    if hasattr(data[labels], "flatten") and hasattr(data[labels].type, "value_type"):
        features = _vectors(data[labels], layout, row)
    else:
        features = _matrix(data[labels:])
    if layout.width is not None and features.shape[1] != layout.width:
        count, expected = features.shape[1], layout.width
        raise layout.misfit(f"row {row}", count, expected, layout.label_remedy(MEDIA[0], count, expected))
    return Rows(features=features, label=_matrix(data[:labels]) if labels else None, weight=weight)


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
