"""From the columns of a prediction to the bytes of an answer.

Floats are always printed as floats (`4.0`), float32 with the fewest digits that give back the same float32. JSON has
no word for what is not finite: NaN and infinities are `null` there, and `nan`, `inf` and `-inf` in CSV. A vector is
a list in JSON, and as many fields as it has numbers in CSV. What is of any other shape is as JSON has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Answer
from algoport.algorithms.contract.records import Records
from algoport.training.formats import recordio

Columns: TypeAlias = Mapping[str, NDArray[Any] | Sequence[NDArray[Any]]]


class Values(list[Any]):
    """A column whose entries are of any shape."""


def encoded(columns: Columns, answer: Answer, media: str, records: Records, *, batch: bool = False) -> bytes:
    """The answer to these records: one entry each, in their order. In batch mode no newline ends it."""
    ordered = _ordered(columns, answer)
    if any(len(column) != len(records) for column in ordered.values()):
        sizes = {name: len(column) for name, column in ordered.items()}
        raise ValueError(f"A prediction of {len(records)} records has columns of other lengths: {sizes}.")
    return _WRITERS[media](ordered, answer, records, batch)


def _ordered(columns: Columns, answer: Answer) -> dict[str, Any]:
    """The columns that every answer has, in the declared order; then those that were asked for, in the order in which
    the model gives them. Each in its declared number type."""
    kinds = {column.name: column.number for column in answer.columns}
    always = [column.name for column in answer.columns if column.name in columns and not column.optional]
    names = [*always, *(name for name in columns if name not in always)]
    return {name: _typed(columns[name], kinds.get(name, "float")) for name in names}


def _typed(column: Any, number: str) -> Any:
    """As it shall be printed. A list whose vectors are of one length becomes a table, which is faster."""
    if number == "json":
        return Values(column)
    if isinstance(column, np.ndarray) and column.dtype != object:
        if number == "int" and (column.dtype.kind != "f" or np.isfinite(column).all()):
            return np.ascontiguousarray(column, np.int64)
        kind = np.float64 if column.dtype == np.float64 else np.float32
        return np.ascontiguousarray(column, kind)
    return [_typed(np.atleast_1d(vector), number) for vector in column]


def _json(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    if answer.bare:
        return b"".join(text for column in columns.values() for text in _texts(column, bare=False))
    body = b"[" + b",".join(_objects(columns)) + b"]"
    return b'{"' + answer.key.encode() + b'":' + body + b"}" if answer.key else body


def _json_lines(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    return _lines(_objects(columns), batch)


def _csv(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    texts = [_texts(column, bare=True) for column in columns.values()]
    lines = texts[0] if len(texts) == 1 else list(map(b",".join, zip(*texts, strict=True)))
    return _lines(lines, batch)


def _recordio(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    return recordio.answers(columns, records.uid, records.metadata)


def _lines(lines: Sequence[bytes], batch: bool) -> bytes:
    text = b"\n".join(lines)
    return text if batch or not lines else text + b"\n"


def _objects(columns: Mapping[str, Any]) -> list[bytes]:
    """One JSON object a record."""
    import orjson

    texts = [_texts(column, bare=False) for column in columns.values()]
    names = (orjson.dumps(name).replace(b"%", b"%%") for name in columns)
    form = b"{" + b",".join(name + b":%b" for name in names) + b"}"
    return list(map(form.__mod__, zip(*texts, strict=True)))


def _texts(column: Any, *, bare: bool) -> list[bytes]:
    """The text of every entry; `bare`: without the brackets of vectors, and with words for what is not finite."""
    import orjson

    if not len(column):
        return []
    if isinstance(column, Values):
        return [orjson.dumps(entry, option=orjson.OPT_SERIALIZE_NUMPY) for entry in column]
    vectors = isinstance(column, list) or column.ndim > 1
    if not isinstance(column, list) and column.ndim > 2:
        column = column.reshape(len(column), -1) if bare else column
    text = orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    if bare and not _finite(column):
        return _in_words(column)
    if not vectors:
        return text.split(b",")
    if not isinstance(column, list) and column.ndim > 2:
        return [orjson.dumps(entry, option=orjson.OPT_SERIALIZE_NUMPY) for entry in column]
    entries = text[1:-1].split(b"],[")
    return entries if bare else [b"[" + entry + b"]" for entry in entries]


def _finite(column: Any) -> bool:
    if isinstance(column, list):
        return all(_finite(vector) for vector in column)
    return bool(np.isfinite(column).all())


def _in_words(column: Any) -> list[bytes]:
    """As CSV, number by number; only where one is not finite, which is rare."""
    return [b",".join(str(number).encode() for number in np.ravel(entry)) for entry in column]


_WRITERS: dict[str, Callable[[Mapping[str, Any], Answer, Records, bool], bytes]] = {
    "application/json": _json,
    "application/jsonlines": _json_lines,
    "text/csv": _csv,
    recordio.MEDIA[0]: _recordio,
}
