"""Numbers separated by commas, or else by what the first line has: leading labels, then features.

n rows   d features   l labels

Blocks are parsed by pyarrow, on all cores. Small bodies and blocks that pyarrow refuses go through Python's own
reader, which takes the same texts as numbers and knows the line of what is none.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Rows
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.recognition import text_format
from algoport.training.formats.text import blocks, check_text

MEDIA = ("text/csv", "csv", "application/csv")
MISSING = frozenset(("", "nan", "NaN", "NA", "N/A", "null", "NULL"))
# Bytes up to which Python's float is quicker than setting up pyarrow, which takes 0.15 ms and more with each column.
SMALL = 1 << 15
WIDE = 20_000  # columns from which on it is quicker for any number of bytes
DELIMITERS = ",;\t|"  # the first of these that the first line has; a comma where it has none
_LARGEST = float(np.finfo(np.float32).max)


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Rows of numbers; an empty field is NaN. Blank lines are skipped, fields may be quoted.

    Parameters: `label_size`, and `header=present` where the first line is names.
    """
    table: _Table | None = None
    delimiter = ","
    header = layout.parameters.get("header", "absent").lower() in ("present", "true", "1")
    for block in blocks(stream, layout, quoted=True):
        data, line = block.data, block.line
        if block.line == 1:
            check_text(bytes(data[:8]), layout, MEDIA[0])
            delimiter = _guess_delimiter(data)
        if header:
            data, line, header = _behind_header(data, line, layout, delimiter)
        fresh = table is None
        table = table or _first_row(data, line, layout, delimiter)
        if table is not None:
            matrix = table.decoded(data, line, fresh)
            if len(matrix):
                yield table.rows(matrix)


def write(rows: Rows) -> bytes:
    """One line a row: labels, features. NaN is an empty field. Digits suffice to read the same float32 back."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    features = rows.dense()
    matrix = features if rows.label is None else np.column_stack([rows.label, features])
    # A lone empty field would be a blank line, and so no row.
    arrays = [pa.array(column, from_pandas=matrix.shape[1] > 1) for column in matrix.T]
    sink = pa.BufferOutputStream()
    table = pa.table(arrays, names=[str(number) for number in range(len(arrays))])
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    return bytes(sink.getvalue())


def _guess_delimiter(data: memoryview) -> str:
    """What separates the fields of the first line that is not blank."""
    first = bytes(data[: 1 << 20]).lstrip().partition(b"\n")[0].decode("utf-8", "replace")
    return next((sign for sign in DELIMITERS if sign in first), ",")


def _behind_header(data: memoryview, line: int, layout: Layout, delimiter: str) -> tuple[memoryview, int, bool]:
    """What follows the first line that is not blank, its number, and whether that line is still to come."""
    for _, fields, end, lines in _records(data, line, layout, delimiter):
        if fields:
            return data[end:], line + lines, False
    return data[:0], line, True


def _first_row(data: memoryview, line: int, layout: Layout, delimiter: str) -> _Table | None:
    """What the first row says of all; None where there is no row. UserError where it is not as it must be."""
    labels = layout.label_size + layout.weighted
    columns = bytes(data[:SMALL]).partition(b"\n")[0].count(delimiter.encode()) + 1
    if len(data) <= SMALL and columns - labels == layout.width:
        # Nothing to report of a row that is as it must be: a request of one row spends most of its time here.
        return _Table(layout, labels, columns, delimiter)
    for number, fields, _, _ in _records(data, line, layout, delimiter):
        if fields:
            table = _Table(layout, labels, len(fields), delimiter)
            table.row(number, fields, first=True)
            return table
    return None


@dataclass(frozen=True)
class _Table:
    """Rows of one number of columns."""

    layout: Layout
    labels: int  # and the weight, where there is one: the columns before the features
    columns: int
    delimiter: str

    def rows(self, matrix: NDArray[np.float32]) -> Rows:
        if not self.labels:
            return Rows(features=matrix)
        features, front = np.ascontiguousarray(matrix[:, self.labels :]), matrix[:, : self.labels]
        if not self.layout.weighted:
            return Rows(features=features, label=np.ascontiguousarray(front))
        label, weight = np.ascontiguousarray(front[:, :-1]), np.ascontiguousarray(front[:, -1])
        return Rows(features=features, label=label if label.shape[1] else None, weight=weight)

    def decoded(self, data: memoryview, line: int, fresh: bool) -> NDArray[np.float32]:
        """The numbers (n, l + d) of a block whose first line has that number; `fresh`: with the first row of all."""
        small, delimiter = len(data) <= SMALL or self.columns > WIDE, self.delimiter
        matrix = _quick(bytes(data), self.columns, delimiter) if small else _fast(data, self.columns, delimiter)
        if matrix is not None and not self.layout.missing and _lacking(matrix[:, self.labels :]):
            matrix = None  # read again, line by line
        return self._plain(data, line, fresh) if matrix is None else matrix

    def _plain(self, data: memoryview, line: int, fresh: bool) -> NDArray[np.float32]:
        rows: list[list[float]] = []
        for number, fields, _, _ in _records(data, line, self.layout, self.delimiter):
            if fields:
                rows.append(self.row(number, fields, first=fresh and not rows))
        with np.errstate(over="ignore"):
            return np.array(rows, np.float64).astype(np.float32).reshape(len(rows), self.columns)

    def row(self, line: int, fields: list[str], first: bool = False) -> list[float]:
        """The numbers of one row; UserError that says what is wrong with it."""
        place = f"line {line}"
        numbers = [_number(field) for field in fields]
        if any(number is None for number in numbers):
            raise self.layout.fault(place, self._no_numbers(self.delimiter.join(fields), numbers, first))
        expected = self.layout.width if first and self.layout.width is not None else self.columns - self.labels
        count = len(fields) - self.labels
        if count <= 0 and (first or expected > 0):
            raise self.layout.fault(
                place, f"has {len(fields)} columns and no features, where label_size is {self.labels}."
            )
        if count != expected:
            nouns = {0: "numbers", 1: "numbers after the label"}
            noun = nouns.get(self.labels, f"numbers after the {self.labels} labels")
            if self.layout.weighted:
                noun = "numbers after the label and the weight"
            raise self.layout.misfit(place, count, expected, self.layout.label_remedy(MEDIA[0], count, expected), noun)
        complete = [number for number in numbers if number is not None]
        if not self.layout.missing:
            for column, number in enumerate(complete[self.labels :]):
                if not abs(number) <= _LARGEST:
                    raise self.layout.incomplete(place, column, number)
        return complete

    def _no_numbers(self, text: str, numbers: list[float | None], first: bool) -> str:
        other = text_format(text.encode()) if first else None
        if other is not None:
            return f"is plainly {other}, where the content type is {MEDIA[0]}: {excerpt(text)}."
        if len(numbers) == 1:
            for sign, name in ((";", "semicolons"), ("\t", "tabs")):
                if sign in text:
                    return f"numbers are separated by {name}, and must be as in the first line: {excerpt(text)}."
        present = (number for number, field in zip(numbers, text.split(self.delimiter), strict=False) if field.strip())
        if first and all(number is None for number in present):
            return f"{excerpt(text)} is a probable header; remove it or say header=present in the content type."
        return f"not a row of numbers: {excerpt(text)}."


def _lacking(matrix: NDArray[np.float32]) -> bool:
    """True where a value may be missing or infinite; by overflow, now and then where none is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return not np.isfinite(np.add.reduce(matrix, axis=None))


def _number(field: str) -> float | None:
    field = field.strip(" \t\r\n")
    if field in MISSING:
        return float("nan")
    try:
        return float(field) if field.isascii() and "_" not in field else None
    except ValueError:
        return None


def _records(data: memoryview, line: int, layout: Layout, delimiter: str) -> Iterator[tuple[int, list[str], int, int]]:
    """Record by record: its first line's number, its fields (none for a blank line), and the bytes and lines up
    to its end."""
    position = 0

    def lines() -> Iterator[str]:
        nonlocal position
        rest, size = data, 1 << 12
        while len(rest):
            # Step by step, since often only the first record is wanted.
            parts = bytes(rest[:size]).splitlines(keepends=True)
            if len(parts) > 1 and len(rest) > size:
                parts.pop()
            elif len(rest) > size:
                size *= 4
                continue
            for part in parts:
                position += len(part)
                yield part.decode("utf-8", "replace")
            rest, size = data[position:], 1 << 20

    reader = csv.reader(lines(), delimiter=delimiter)
    while True:
        start = reader.line_num
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise layout.fault(f"line {line + start}", f"not a row of numbers: {error}.") from None
        blank = not fields or (len(fields) == 1 and fields[0].isspace())
        yield line + start, [] if blank else fields, position, reader.line_num


def _quick(data: bytes, columns: int, delimiter: str) -> NDArray[np.float32] | None:
    """The numbers of a small body without quotes and empty fields, or None. A row of four takes microseconds."""
    lines = [line for line in data.splitlines() if line]
    sign = delimiter.encode()
    if b'"' in data or b"_" in data or any(line.count(sign) != columns - 1 for line in lines):
        return None
    matrix = np.empty((len(lines), columns), np.float32)
    try:
        with np.errstate(over="ignore"):
            for number, line in enumerate(lines):
                matrix[number] = np.fromiter(map(float, line.split(sign)), np.float64, columns)
    except ValueError:
        return None
    return matrix


def _fast(data: memoryview, columns: int, delimiter: str) -> NDArray[np.float32] | None:
    """The numbers of a block, or None where pyarrow refuses it."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    # 4 MB suit wide rows better (1.4x at 784 columns), 1 MB share narrow ones out more evenly.
    size = 1 << 22 if columns > 200 else 1 << 20
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            pa_csv.ReadOptions(column_names=_names(columns), block_size=size, use_threads=len(data) > size),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=_quotes(data)),
            _conversion(columns),
        )
    except pa.ArrowInvalid:
        return None
    matrix = np.empty((table.num_rows, columns), np.float32)
    start = 0
    for batch in table.to_batches():
        matrix[start : start + len(batch)] = batch.to_tensor(null_to_nan=True).to_numpy()
        start += len(batch)
    return matrix


def _quotes(data: memoryview) -> bool:
    return bool((np.frombuffer(data, np.uint8) == 34).any())


@functools.lru_cache(maxsize=8)
def _names(columns: int) -> list[str]:
    return [str(number) for number in range(columns)]


@functools.lru_cache(maxsize=8)
def _conversion(columns: int) -> Any:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    types = dict.fromkeys(_names(columns), pa.float32())
    return pa_csv.ConvertOptions(column_types=types, null_values=sorted(MISSING), check_utf8=False)
