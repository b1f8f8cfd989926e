"""From the columns of a prediction to the bytes of an answer.

Floats are always printed as floats (`4.0`), float32 with the fewest digits that give back the same float32. JSON has
no word for what is not finite: NaN and infinities are `null` there, and `nan`, `inf` and `-inf` in CSV. A vector is
a list in JSON, and as many fields as it has numbers in CSV. What is of any other shape is as JSON has it.

What looks otherwise is arranged by the algorithm's `wire.py`, and becomes bytes here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Answer
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Records
from algoport.algorithms.contract.wire import Prediction, Wire
from algoport.training.formats import ContentType, npy, recordio

Columns: TypeAlias = Mapping[str, NDArray[Any] | Sequence[NDArray[Any]]]
PNG = "image/png"


class Values(list[Any]):
    """A column whose entries are of any shape."""


def answer_type(text: str) -> ContentType:
    """The content type of an answer: `image/png` is meant as it stands, which of a request means any picture."""
    given, canonical = text.partition(";")[0].strip().lower(), ContentType.parse(text)
    return ContentType(given, canonical.parameters) if given == PNG else canonical


def encode(
    columns: Columns,
    answer: Answer,
    media: str,
    records: Records,
    *,
    wire: Wire | None = None,
    batch: bool = False,
) -> bytes:
    """The answer to these records: one entry each, in their order. In batch mode no newline ends it. `UserError` where
    the type cannot hold what was asked for, such as several pictures."""
    ordered = _in_order(columns, answer)
    if any(len(column) != len(records) for column in ordered.values()):
        sizes = {name: len(column) for name, column in ordered.items()}
        raise ValueError(f"A prediction of {len(records)} records has columns of other lengths: {sizes}.")
    form = None if wire is None else wire.answers.get(media)
    if form is None or not len(records):
        return _WRITERS[media](ordered, answer, records, batch)
    content = form.content(Prediction(columns=ordered, records=records, batch=batch))
    return content if isinstance(content, bytes) else _ARRANGED[media](content, records, batch)


def _in_order(columns: Columns, answer: Answer) -> dict[str, Any]:
    """The columns that every answer has, in the declared order; then those that were asked for, in the order in which
    the model gives them. Each in its declared number type."""
    kinds = {column.name: column.number for column in answer.columns}
    always = [column.name for column in answer.columns if column.name in columns and not column.optional]
    names = [*always, *(name for name in columns if name not in always)]
    return {name: _as_declared(columns[name], kinds.get(name, "float")) for name in names}


def _as_declared(column: Any, number: str) -> Any:
    """As it shall be printed. A list whose vectors are of one length becomes a table, which is faster."""
    if number in ("json", "pixels"):
        return Values(column)
    if isinstance(column, np.ndarray) and column.dtype != object:
        if number == "int" and (column.dtype.kind != "f" or np.isfinite(column).all()):
            return np.ascontiguousarray(column, np.int64)
        kind = np.float64 if column.dtype == np.float64 else np.float32
        return np.ascontiguousarray(column, kind)
    return [_as_declared(np.atleast_1d(vector), number) for vector in column]


def _json(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
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


def _npy(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    """An array with a row a record: the only column as it is, or several side by side."""
    arrays = [_stacked(name, column) for name, column in columns.items()]
    flat = [array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays]
    return npy.array(arrays[0] if len(arrays) == 1 else np.concatenate(flat, axis=1))


def _stacked(name: str, column: Any) -> NDArray[Any]:
    """One array of a column; `UserError` where its entries are of several shapes, or no numbers."""
    if isinstance(column, np.ndarray):
        return column
    if not len(column):
        return np.empty((0, 0), np.float32)
    entries = [np.asarray(entry) for entry in column]
    if len({entry.shape for entry in entries}) > 1 or any(entry.dtype.kind not in "biuf" for entry in entries):
        raise UserError(
            f"'{name}' has entries of several shapes, which no array in {npy.MEDIA[0]} holds; another Accept, such as "
            "application/json, can hold them, and so can a request of one record."
        )
    return np.stack(entries)


def _png(columns: Mapping[str, Any], answer: Answer, records: Records, batch: bool) -> bytes:
    """The only picture of the only record."""
    names = [column.name for column in answer.columns if column.number == "pixels" and column.name in columns]
    if len(records) != 1:
        raise UserError(
            f"An answer in {PNG} is one picture; the request has {len(records)} records. Send each in a request of its "
            "own, or ask for another Accept."
        )
    return _picture(columns[names[0]][0], records, batch)


def _picture(pixels: Any, records: Records, batch: bool) -> bytes:
    """A PNG file of (h, w) or (h, w, 3) pixels."""
    from algoport.algorithms.shared.vision import decoding

    return decoding.encode(np.ascontiguousarray(pixels, np.uint8).reshape(*pixels.shape[:2], -1))


def _value(content: Any, records: Records, batch: bool) -> bytes:
    import orjson

    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(content: Sequence[Any], records: Records, batch: bool) -> bytes:
    return _lines([_value(entry, records, batch) for entry in content], batch)


def _messages(content: Any, records: Records, batch: bool) -> bytes:
    return recordio.messages(content, records.uid, records.metadata)


def _array(content: Any, records: Records, batch: bool) -> bytes:
    return npy.array(content)


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
    tables = not isinstance(column, Values) and np.ndim(column[0]) > 1
    if isinstance(column, Values) or (tables and not bare):
        return [orjson.dumps(entry, option=orjson.OPT_SERIALIZE_NUMPY) for entry in column]
    if tables:
        column = [np.ravel(entry) for entry in column]
    if bare and not _finite(column):
        return _in_words(column)
    text = orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    if not isinstance(column, list) and column.ndim == 1:
        return text.split(b",")
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
    npy.MEDIA[0]: _npy,
    PNG: _png,
}
# The same of what `wire.py` has arranged.
_ARRANGED: dict[str, Callable[[Any, Records, bool], bytes]] = {
    "application/json": _value,
    "application/jsonlines": _values,
    recordio.MEDIA[0]: _messages,
    npy.MEDIA[0]: _array,
    PNG: _picture,
}
