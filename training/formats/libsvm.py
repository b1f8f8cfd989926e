"""Lines of `label[:weight] key:value key:value …`, keys counted from 0; what is not mentioned is zero.

Where labels are expected (`label_size` of the content type, else `layout.labels`), the first token of a line is
the label, with its weight behind a colon. Elsewhere, as in requests, a first token with a colon is a feature, and
the label may be missing. A second token `qid:N` is the group of a row that is ranked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.records import Rows
from algoport.training.formats.layout import MOST_COLUMNS, Layout, excerpt
from algoport.training.formats.recognition import text_format
from algoport.training.formats.record import sorted_csr
from algoport.training.formats.text import blocks, check_text

MEDIA = ("text/libsvm", "text/x-libsvm", "libsvm")
SMALL = 1 << 16  # bytes up to which lines are split by Python: numba need not be loaded for a request
# The label, and the group behind it.
_GROUPED = re.compile(rb"^([ \t]*\S+)[ \t]+qid:(\d{1,18})(?=\s|$)", re.MULTILINE)
_NUMBER = re.compile(rb"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?\Z|[-+]?(?:nan|inf)\Z", re.IGNORECASE)


@dataclass(frozen=True)
class _Lines:
    """What lines hold, laid end to end."""

    values: NDArray[np.float32]
    keys: NDArray[np.int64]
    bounds: NDArray[np.int64]
    labels: NDArray[np.float32]  # NaN where there is none
    weights: NDArray[np.float32]
    line: int  # of the block's first
    groups: NDArray[np.int64] | None = None


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Sparse rows. Where the layout has no width, it is one more than the largest key of the stream, which must be
    read to its end for that: the rows are then held in memory, as sparse as they are."""
    pending: list[Rows] = []
    labeled: bool | None = None
    width = 1
    for block in blocks(stream, layout):
        data = bytes(block.data)
        if block.line == 1:
            check_text(data[:8], layout, MEDIA[0])
        if layout.answered:
            _check_blank(data, block.line, layout)
        lines = _with_group(data, block.line, layout) if b"qid:" in data else _parse(data, block.line, layout)
        if len(lines.bounds) == 1:
            continue
        labeled = _with_label(lines, data, layout, labeled)
        if layout.width is None:
            _check_keys(lines, data, layout)
            width = max(width, int(lines.keys.max(initial=0)) + 1)
            pending.append(_rows(lines, data, layout, MOST_COLUMNS))
        else:
            yield _rows(lines, data, layout, layout.width)
    while pending:
        yield _of_width(pending.pop(0), width)


def write(rows: Rows) -> bytes:
    """A line a row; zeros are left out, also of dense rows. A row without label has none written."""
    from scipy import sparse

    matrix = sparse.csr_array(rows.features)
    if rows.label is not None and rows.label.shape[1] != 1:
        raise ValueError("A line of libsvm has one label.")
    lines = []
    for number in range(len(rows)):
        begin, end = matrix.indptr[number : number + 2]
        tokens = [
            f"{key}:{value}" for key, value in zip(matrix.indices[begin:end], matrix.data[begin:end], strict=True)
        ]
        if rows.label is not None:
            weight = "" if rows.weight is None else f":{rows.weight[number]}"
            tokens.insert(0, f"{rows.label[number, 0]}{weight}")
            if rows.group is not None:
                tokens.insert(1, f"qid:{rows.group[number]}")
        # A row of zeros without a label would be a blank line, and so no row.
        lines.append(" ".join(tokens or ["0:0"]))
    return "".join(f"{line}\n" for line in lines).encode()


def _of_width(rows: Rows, width: int) -> Rows:
    """The same sparse rows, which are wider than all their keys need."""
    from scipy import sparse

    wide: Any = rows.features
    matrix = sparse.csr_array((wide.data, wide.indices, wide.indptr), shape=(len(rows), width))
    matrix.has_canonical_format = True
    return replace(rows, features=matrix)


def _check_keys(lines: _Lines, data: bytes, layout: Layout) -> None:
    """`UserError` where a key is beyond what any model can tell apart."""
    large = lines.keys >= MOST_COLUMNS
    if large.any():
        index = int(np.argmax(large))
        row = int(np.searchsorted(lines.bounds, index, side="right")) - 1
        place = f"line {_number_of(data, lines.line, row)}"
        raise layout.too_wide(place, "has key", int(lines.keys[index]))


def _check_blank(data: bytes, line: int, layout: Layout) -> None:
    """`UserError` where a line of a request between its first row and its last is blank: it would get no answer."""
    any_row, blank = False, 0  # number of a blank line behind the first row
    for number, text in enumerate(data.split(b"\n"), line):
        if not text.partition(b"#")[0].strip():
            blank = blank or number * any_row
        elif blank:
            raise layout.fault(f"line {blank}", "is blank, where each line must be a row; write 0:0 for one of zeros.")
        else:
            any_row = True


def _rows(lines: _Lines, data: bytes, layout: Layout, width: int) -> Rows:
    def place(row: int) -> str:
        return f"line {_number_of(data, lines.line, row)}"

    def check(wrong: NDArray[np.bool_], sentence: object) -> None:
        if wrong.any():
            raise layout.fault(place(int(np.argmax(wrong))), "has a key twice.")

    large = lines.keys >= width
    if large.any():
        index = int(np.argmax(large))
        row = int(np.searchsorted(lines.bounds, index, side="right")) - 1
        raise layout.fault(
            place(row), f"has key {lines.keys[index]}, where {layout.width_name} is {width} and keys count from 0."
        )
    missing = np.isnan(lines.weights)
    weighted = not missing.all()
    return Rows(
        features=sorted_csr(lines.values, lines.keys, lines.bounds, width, check),
        label=None if np.isnan(lines.labels).all() else lines.labels[:, None],
        weight=np.where(missing, np.float32(1), lines.weights) if weighted else None,
        group=lines.groups,
    )


def _with_label(lines: _Lines, data: bytes, layout: Layout, before: bool | None) -> bool:
    missing = np.isnan(lines.labels)
    expected = not missing[0] if before is None else before
    wrong = missing == expected
    if wrong.any():
        number = _number_of(data, lines.line, int(np.argmax(wrong)))
        has, had = ("no", "have one") if expected else ("a", "have none")
        raise layout.fault(f"line {number}", f"has {has} label, where the lines before {had}.")
    return bool(expected)


def _number_of(data: bytes, line: int, row: int) -> int:
    """The line on which a row of the block stands."""
    present = (number for number, text in enumerate(data.split(b"\n"), line) if text.partition(b"#")[0].strip())
    return next(number for index, number in enumerate(present) if index == row)


def _with_group(data: bytes, line: int, layout: Layout) -> _Lines:
    """Lines of which each has a group behind its label."""
    numbers = [int(number) for _, number in _GROUPED.findall(data)]
    lines = _parse(_GROUPED.sub(rb"\1", data), line, layout)
    if len(numbers) != len(lines.labels):
        raise layout.fault(
            "", f"{len(numbers)} of the {len(lines.labels)} rows from line {line} on have a qid; all must."
        )
    return replace(lines, groups=np.array(numbers, np.int64))


def _parse(data: bytes, line: int, layout: Layout) -> _Lines:
    lines = _quick(data, line, layout) if len(data) > SMALL else None
    return _plain(data, line, layout) if lines is None else lines


def _quick(data: bytes, line: int, layout: Layout) -> _Lines | None:
    from algoport.training.formats import kernels

    text = np.frombuffer(data, np.uint8)
    most, rows = int(np.count_nonzero(text == 58)), int(np.count_nonzero(text == 10)) + 1
    values, keys = np.empty(most, np.float32), np.empty(most, np.int64)
    bounds = np.empty(rows + 1, np.int64)
    labels, weights = np.empty(rows, np.float32), np.empty(rows, np.float32)
    n = kernels.libsvm(text, layout.label_size > 0, values, keys, bounds, labels, weights)
    if n < 0:
        return None
    v = int(bounds[n])
    return _Lines(values[:v], keys[:v], bounds[: n + 1], labels[:n], weights[:n], line)


def _plain(data: bytes, line: int, layout: Layout) -> _Lines:
    keys: list[int] = []
    values: list[float] = []
    labels: list[float] = []
    weights: list[float] = []
    bounds = [0]
    for number, text in enumerate(data.split(b"\n"), line):
        tokens = text.partition(b"#")[0].split()
        if not tokens:
            continue
        try:
            label, weight = float("nan"), float("nan")
            if layout.label_size > 0 or b":" not in tokens[0]:
                name, colon, share = tokens.pop(0).partition(b":")
                label, weight = _value(name), _value(share) if colon else weight
            for token in tokens:
                key, _, value = token.partition(b":")
                keys.append(_key(key))
                if keys[-1] >= 1 << 63:
                    raise layout.too_wide(f"line {number}", "has key", keys[-1])
                values.append(_value(value))
        except ValueError:
            raise layout.fault(f"line {number}", _sentence(text, number == 1, layout.label_size > 0)) from None
        bounds.append(len(keys))
        labels.append(label)
        weights.append(weight)
    with np.errstate(over="ignore"):
        return _Lines(
            np.array(values, np.float64).astype(np.float32),
            np.array(keys, np.int64),
            np.array(bounds, np.int64),
            np.array(labels, np.float64).astype(np.float32),
            np.array(weights, np.float64).astype(np.float32),
            line,
        )


def _key(text: bytes) -> int:
    if not text.isdigit() or len(text) > 100:
        raise ValueError
    return int(text)


def _value(text: bytes) -> float:
    if not _NUMBER.match(text):
        raise ValueError
    return float(text)


def _sentence(text: bytes, first: bool, labeled: bool) -> str:
    """What is wrong with a line: another format, or the first of its tokens that cannot be read, and why."""
    other = text_format(text) if first else None
    if other is not None and not other.startswith("libsvm"):
        return f"is plainly {other}, where the content type is {MEDIA[0]}: {excerpt(text)}."
    reasons = (
        (token, _reason(token, not number and (labeled or b":" not in token)))
        for number, token in enumerate(text.partition(b"#")[0].split())
    )
    token, reason = next((pair for pair in reasons if pair[1]), (text, "it cannot be read"))
    return f"not a label and pairs key:value: {excerpt(text)}; {excerpt(token, 40)} is wrong: {reason}."


def _reason(token: bytes, label: bool) -> str:
    """Why a token cannot be read; empty where it can."""
    name, colon, rest = token.partition(b":")
    if label:
        parts = [name, rest] if colon else [name]
    elif not colon:
        return "it has no colon, which stands between a key and its value"
    elif name == b"qid":
        return "a group is a whole number of at most 18 digits, and stands right behind the label"
    elif not name.isdigit():
        return "a key is the number of a feature, from 0, in decimal digits"
    else:
        parts = [rest]
    for part in parts:
        if not _NUMBER.match(part):
            text = part.decode("utf-8", "replace")
            return border.reason(text) if text and not border.is_missing(text) else "leave out what has no value"
    return "" if label or len(name) <= 100 else "its key is too long"
