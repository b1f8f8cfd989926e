"""Parquet: a row is an object, and its columns are the fields. Lists of numbers become arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from algoport.algorithms.contract.records import Objects
from algoport.training.formats.layout import Layout
from algoport.training.formats.parquet import MEDIA, batches, open_file

__all__ = ["MEDIA", "read", "write"]


def read(stream: BinaryIO, layout: Layout) -> Iterator[Objects]:
    """Objects in file order. A missing number is NaN, a missing field is left out, a time is its ISO text."""
    with open_file(stream, layout) as table:
        if table is None:
            return
        for number, batch in batches(table, layout):
            columns = {name: _values(batch.column(place)) for place, name in enumerate(batch.schema.names)}
            values = [
                {name: column[row] for name, column in columns.items() if column[row] is not None}
                for row in range(len(batch))
            ]
            places = [f"{layout.name}, row {number + row}" for row in range(len(batch))]
            yield Objects(values=values, places=places, nbytes=batch.nbytes)


def write(objects: Objects) -> bytes:
    """A table with the fields of the first object, and of the others, as columns."""
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    names = list(dict.fromkeys(name for value in objects.values for name in value))
    columns = {name: [_plain(value.get(name)) for value in objects.values] for name in names}
    sink = pa.BufferOutputStream()
    pa_parquet.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def _values(column: Any) -> Any:
    """One entry a row: views of one array where rows are lists of numbers."""
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_fixed_size_list(kind):
        column = column.cast(pa.list_(kind.value_type))
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        entries = _values(column.flatten())
        lengths = np.asarray(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)
        ends, missing = np.cumsum(lengths), column.is_null().to_pylist()
        return [
            None if absent else entries[end - length : end]
            for absent, end, length in zip(missing, ends.tolist(), lengths.tolist(), strict=True)
        ]
    if kinds.is_temporal(kind):
        return [None if value is None else value.isoformat(sep=" ") for value in column.to_pylist()]
    if kinds.is_floating(kind) or (kinds.is_integer(kind) and not column.null_count):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    return list(column.to_pylist())


def _plain(value: Any) -> Any:
    """As pyarrow takes it: "NaN" among numbers is NaN, and arrays are lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [float("nan") if entry == "NaN" else _plain(entry) for entry in value]
    return value
