"""Numbers separated by commas, or else by what the first line has: leading labels, then features.

n rows   d features   l labels

Blocks are parsed by pyarrow, on all cores. Small bodies and blocks that pyarrow refuses go through Python's own
reader, which takes the same texts as numbers and knows the line of what is none.
"""

from __future__ import annotations

import csv
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.numbers import LARGEST, MISSING
from algoport.algorithms.contract.records import Rows
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.recognition import text_format
from algoport.training.formats.text import blocks, check_text

MEDIA = ("text/csv", "csv", "application/csv")
# Bytes up to which Python's float is quicker than setting up pyarrow, which takes 0.15 ms and more with each column.
SMALL = 1 << 15
WIDE = 20_000  # columns from which on it is quicker for any number of bytes
DELIMITERS = ",;\t|"  # the first of these that the first line has; a comma where it has none
# Words for missing values that pyarrow looks for first: with all of them it takes 6 % longer.
FEW, ALL = ("", "nan", "NaN", "NA", "N/A", "null", "NULL"), tuple(sorted(MISSING))
LOOK = 20  # rows behind a first one without a number in which one is looked for, before it is called a header
_BLANK = re.compile(rb"\n[ \t\r]*\n")


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Rows of numbers; an empty field is NaN, and true is 1. Blank lines are skipped, fields may be quoted.

    A request has an answer for every line between its first and its last, so that there a blank line is a row of one
    feature that is missing, or a fault. Parameters: `label_size`, and `header=present` where the first line is names.
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
    records = _records(data, line, layout, delimiter)
    for number, fields, _, _ in records:
        if fields:
            table = _Table(layout, labels, len(fields), delimiter)
            table.row(number, fields, (fields for _, fields, _, _ in records))
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
        if self.layout.answered and not small and _BLANK.search(data):
            return self._plain(data, line, fresh)
        matrix = (
            _quick(bytes(data), self.columns, delimiter, self.layout.answered)
            if small
            else _fast(data, self.columns, delimiter)
        )
        if matrix is not None and not self.layout.missing and _lacking(matrix[:, self.labels :]):
            matrix = None  # read again, line by line
        return self._plain(data, line, fresh) if matrix is None else matrix

    def _plain(self, data: memoryview, line: int, fresh: bool) -> NDArray[np.float32]:
        rows: list[list[float]] = []
        blank = 0  # number of the first blank line since the last row
        records = _records(data, line, self.layout, self.delimiter)
        for number, fields, _, _ in records:
            if not fields:
                blank = blank or number
                continue
            if blank and self.layout.answered and not (fresh and not rows):
                rows += self._blank(blank, number)
            first = (fields for _, fields, _, _ in records) if fresh and not rows else None
            rows.append(self.row(number, fields, first))
            blank = 0
        with np.errstate(over="ignore"):
            return np.array(rows, np.float64).astype(np.float32).reshape(len(rows), self.columns)

    def _blank(self, line: int, stop: int) -> list[list[float]]:
        """The rows of blank lines of a request: of the only feature, which is missing."""
        if self.columns > 1 or self.labels or not self.layout.missing:
            raise self.layout.fault(f"line {line}", "is blank, where each line must be a row; leave it out.")
        return [[border.NAN] for _ in range(line, stop)]

    def row(self, line: int, fields: list[str], following: Iterator[list[str]] | None = None) -> list[float]:
        """The numbers of one row; UserError that says what is wrong with it. `following`: the rows behind it, where it
        is the first of all."""
        place, first = f"line {line}", following is not None
        numbers = [border.number(field) for field in fields]
        if any(number is None for number in numbers):
            raise self._no_numbers(place, fields, numbers, following)
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
            raise self.layout.misfit(place, count, expected, self._width_remedy(fields, count, expected), noun)
        complete = [number for number in numbers if number is not None]
        if not self.layout.missing:
            for column, number in enumerate(complete[self.labels :]):
                if not abs(number) <= LARGEST:
                    raise self.layout.incomplete(place, column, number, fields[self.labels + column])
        return complete

    def _width_remedy(self, fields: list[str], count: int, expected: int) -> str:
        if count == expected + 1 and not fields[-1].strip():
            return f"It ends with '{self.delimiter}', behind which one more field is empty; leave that out."
        return self.layout.label_remedy(MEDIA[0], count, expected)

    def _no_numbers(
        self, place: str, fields: list[str], numbers: list[float | None], following: Iterator[list[str]] | None
    ) -> Exception:
        """The fault of a row of which a field is no number: the field, its column and the likely reason."""
        text = self.delimiter.join(fields)
        other = text_format(text.encode()) if following is not None else None
        if other is not None and MEDIA[0] not in other:
            sentence = f"is plainly {other}, where the content type is {MEDIA[0]}: {excerpt(text)}."
            return self.layout.fault(place, sentence)
        if len(fields) == 1:
            for sign, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas"), ("|", "bars")):
                if sign in text and sign != self.delimiter and border.number(text.partition(sign)[0]) is not None:
                    sentence = f"numbers are separated by {name}, and must be as in the first line: {excerpt(text)}."
                    return self.layout.fault(place, sentence)
        present = (number for number, field in zip(numbers, fields, strict=True) if field.strip())
        if following is not None and all(number is None for number in present):
            behind = list(itertools.islice((row for row in following if row), LOOK))
            if any(_is_number(field) for row in behind for field in row):
                sentence = f"{excerpt(text)} is a probable header; remove it or say header=present in the content type."
                return self.layout.fault(place, sentence)
            if behind:
                sentence = f"no number in its first lines, {excerpt(text)}: it is probably no data; remove it."
                return self.layout.fault("", sentence)
        column = next(index for index, number in enumerate(numbers) if number is None)
        field = fields[column]
        where = f"column {column + 1}" if len(fields) > 1 else "the row"
        return self.layout.fault(
            place, f"not a row of numbers: {excerpt(text)}; {where} is {excerpt(field)}: {border.reason(field)}."
        )


def _is_number(field: str) -> bool:
    """Whether there is a number in a field, and not only a word for none."""
    value = border.number(field)
    return value is not None and value == value  # noqa: PLR0124 (NaN differs from itself)


def _lacking(matrix: NDArray[np.float32]) -> bool:
    """True where a value may be missing or infinite; by overflow, now and then where none is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return not np.isfinite(np.add.reduce(matrix, axis=None))


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
            raise layout.fault(f"line {line + start}", f"not a row of numbers: {_unreadable(str(error))}.") from None
        blank = not fields or (len(fields) == 1 and fields[0].isspace())
        yield line + start, [] if blank else fields, position, reader.line_num


def _unreadable(message: str) -> str:
    """What keeps a line from being split into fields."""
    if "limit" in message:
        return f"a field has more than {csv.field_size_limit():,} letters; a quotation mark probably has no end"
    return "it has a zero byte, as text in UTF-16 and damaged files have" if "NUL" in message else "it is no text"


def _quick(data: bytes, columns: int, delimiter: str, answered: bool) -> NDArray[np.float32] | None:
    """The numbers of a small body without quotes and empty fields, or None. A row of four takes microseconds."""
    lines = (data.strip(b"\r\n") if answered else data).splitlines()
    if b"" in lines:
        if answered:
            return None  # read line by line
        lines = [line for line in lines if line]
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
    if _holds(data, 40):
        return None  # pyarrow takes nan(1) for a number that is missing
    matrix = _by_arrow(data, columns, delimiter, FEW)
    if matrix is None:
        matrix = _by_arrow(data, columns, delimiter, ALL)
    if matrix is None and (b"rue" in bytes(data) or b"alse" in bytes(data)):
        # Truth values in all columns and rows, at a tenth of the cost of a reader that goes line by line.
        sign = re.escape(delimiter.encode())
        words = rb"(?:(?<=[" + sign + rb"\r\n])|\A)(?i:(true)|false)(?=[" + sign + rb"\r\n]|\Z)"
        digits = re.sub(words, lambda match: b"1" if match[1] else b"0", bytes(data))
        matrix = _by_arrow(memoryview(digits), columns, delimiter, ALL)
    return matrix


def _by_arrow(data: memoryview, columns: int, delimiter: str, missing: tuple[str, ...]) -> NDArray[np.float32] | None:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    # 4 MB suit wide rows better (1.4x at 784 columns), 1 MB share narrow ones out more evenly.
    size = 1 << 22 if columns > 200 else 1 << 20
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            pa_csv.ReadOptions(column_names=_names(columns), block_size=size, use_threads=len(data) > size),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=_holds(data, 34)),
            _conversion(columns, missing),
        )
    except pa.ArrowInvalid:
        return None
    matrix = np.empty((table.num_rows, columns), np.float32)
    start = 0
    for batch in table.to_batches():
        matrix[start : start + len(batch)] = batch.to_tensor(null_to_nan=True).to_numpy()
        start += len(batch)
    return matrix


def _holds(data: memoryview, byte: int) -> bool:
    return bool((np.frombuffer(data, np.uint8) == byte).any())


@functools.lru_cache(maxsize=8)
def _names(columns: int) -> list[str]:
    return [str(number) for number in range(columns)]


@functools.lru_cache(maxsize=8)
def _conversion(columns: int, missing: tuple[str, ...]) -> Any:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    types = dict.fromkeys(_names(columns), pa.float32())
    return pa_csv.ConvertOptions(column_types=types, null_values=missing, check_utf8=False)
