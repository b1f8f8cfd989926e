"""What a request comes to take in memory, beyond its body: known before it is taken, so that it can be refused."""

from __future__ import annotations

from typing import Any

from algoport.algorithms.shared.vision import headers
from algoport.training.formats import ContentType

# Bytes of one object, list and number of JSON while it is decoded: as Python has them, beside what is made of them.
_OBJECT, _LIST, _NUMBER = 450, 150, 40
_LINE, _FIELD, _PAIR = 64, 8, 32  # of a text's line, a field of CSV (twice a float32) and a pair of libsvm
# Of a picture's place: red, green and blue as they are decoded, and once more as they are turned or resized.
_PIXEL = 6
_SEPARATORS = (b",", b";", b"\t", b"|")


def to_decode(body: bytes, kind: ContentType) -> int:
    """Bytes that a body's last copy and its records may take while they are decoded; by what the body is made of, which
    is counted and not read."""
    return len(body) + _records(body, kind)


def _records(body: bytes, kind: ContentType) -> int:
    count = body.count
    if kind.media == "application/json":
        return count(b"{") * _OBJECT + count(b"[") * _LIST + count(b",") * _NUMBER
    if kind.media == "application/jsonlines":  # some thousands of lines are objects at a time
        lines = count(b"\n") + 1
        return lines * 2 * _LINE + count(b",") * 2 * _FIELD + min(lines, 4096) * 4 * _OBJECT
    if kind.media == "text/libsvm":
        return count(b":") * _PAIR + count(b"\n") * _LINE
    if kind.media == "text/csv":
        return (sum(map(count, _SEPARATORS)) + count(b"\n")) * _FIELD
    if kind.media.startswith("image/") or kind.media == "application/x-image":
        height, width = headers.size(body) or (0, 0)
        return len(body) + height * width * _PIXEL
    return len(body)


def of_columns(columns: Any) -> int:
    """Bytes that the numbers of an answer's columns take."""
    return sum(_of_column(column) for column in columns.values())


def _of_column(column: Any) -> int:
    own = getattr(column, "nbytes", None)
    if own is not None:
        return int(own)
    return sum(int(getattr(entry, "nbytes", _OBJECT)) for entry in column)
