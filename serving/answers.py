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
from algoport.serving import memory
from algoport.training.formats import ContentType, npy, recordio

Columns: TypeAlias = Mapping[str, NDArray[Any] | Sequence[NDArray[Any]]]
PNG = "image/png"


class Values(list[Any]):
    """A column whose entries are of any shape."""


def answer_type(text: str) -> ContentType:
    """The content type of an answer: `image/png` is meant as it stands, which of a request means any picture."""
    given, canonical = text.partition(";")[0].strip().lower(), ContentType.parse(text)
    return ContentType(given, canonical.parameters) if given == PNG else canonical


class Writer:
    """The bytes of an answer, put together from what is predicted part by part: one entry a record, in their order."""

    def __init__(
        self, answer: Answer, media: str, *, wire: Wire | None = None, batch: bool = False, joined: bool = False
    ) -> None:
        """`batch`: for batch transform, which joins answers: each must then end as a line. `joined`: CSV has vectors in
        brackets and, but for batch transform, all records in one line."""
        self._answer, self._media, self._batch, self._joined = answer, media, batch, joined and media == "text/csv"
        self._form = None if wire is None else wire.answers.get(media)
        self._pieces: list[bytes] = []
        self._columns: list[dict[str, Any]] = []
        self._count = 0

    def add(self, columns: Columns, records: Records) -> int:
        """Take the columns of the next records; about how many bytes more this will take until the answer is sent.
        `UserError` where the type cannot hold what was asked for, such as several pictures."""
        ordered = _in_order(columns, self._answer)
        if any(len(column) != len(records) for column in ordered.values()):
            sizes = {name: len(column) for name, column in ordered.items()}
            raise ValueError(f"A prediction of {len(records)} records has columns of other lengths: {sizes}.")
        self._count += len(records)
        if self._form is None and self._media in _PIECES:
            if len(records) or not self._pieces:
                self._pieces.append(self._piece(ordered, records))
            return 2 * len(self._pieces[-1])
        self._columns.append(ordered)
        return 3 * memory.of_columns(ordered)

    def body(self, records: Records) -> bytes:
        """The whole answer; `records` are all of them."""
        if self._pieces:
            one_line = self._joined and not self._batch
            joined = _one_line if one_line else _JOINED[self._media]
            text = joined(self._pieces, self._answer, self._count)
        elif self._form is None or not self._count:
            text = _WHOLE[self._media](self._together(), self._answer, records)
        else:
            columns = self._together()
            content = self._form.content(Prediction(columns=columns, records=records, batch=self._batch))
            text = content if isinstance(content, bytes) else _ARRANGED[self._media](content, records)
        joined_later = self._batch and self._media == "application/json"
        return text + b"\n" if joined_later and not text.endswith(b"\n") else text

    def _piece(self, columns: Mapping[str, Any], records: Records) -> bytes:
        if self._joined:
            return (b"\n" if self._batch else b",").join(_csv_texts(columns, self._answer, joined=True))
        return _PIECES[self._media](columns, self._answer, records)

    def _together(self) -> dict[str, Any]:
        if len(self._columns) == 1:
            return self._columns[0]
        return {name: concatenated([part[name] for part in self._columns]) for name in self._columns[0]}


def encode(
    columns: Columns,
    answer: Answer,
    media: str,
    records: Records,
    *,
    wire: Wire | None = None,
    batch: bool = False,
) -> bytes:
    """The answer to these records, from their columns. `UserError` where the type cannot hold what was asked for."""
    writer = Writer(answer, media, wire=wire, batch=batch)
    writer.add(columns, records)
    return writer.body(records)


def concatenated(parts: Sequence[Any]) -> Any:
    """A column of several parts of the records: an array where they are arrays that fit together, else a list."""
    if all(isinstance(part, np.ndarray) for part in parts) and len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    vectors = [vector for part in parts for vector in part]
    return Values(vectors) if any(isinstance(part, Values) for part in parts) else vectors


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


def _entries(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
    return b",".join(_objects(columns, answer))


def _json(pieces: Sequence[bytes], answer: Answer, count: int) -> bytes:
    body = b"[" + b",".join(pieces) + b"]"
    return b'{"' + answer.key.encode() + b'":' + body + b"}" if answer.key else body


def _object_lines(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
    return b"\n".join(_objects(columns, answer))


def _csv_lines(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
    return b"\n".join(_csv_texts(columns, answer))


def _csv_texts(columns: Mapping[str, Any], answer: Answer, joined: bool = False) -> list[bytes]:
    """The line of every record, without its end."""
    quoted = {column.name for column in answer.columns if column.bracketed}
    texts = []
    for name, column in columns.items():
        text = _texts(column, bare=True)
        if _holds_vectors(column) and (name in quoted or joined):
            form = b'"[%b]"' if name in quoted else b"[%b]"
            text = [form % entry.replace(b",", b", ") for entry in text]
        texts.append(text)
    return texts[0] if len(texts) == 1 else list(map(b",".join, zip(*texts, strict=True)))


def _holds_vectors(column: Any) -> bool:
    return not isinstance(column, Values) and len(column) > 0 and np.ndim(column[0]) > 0


def _one_line(pieces: Sequence[bytes], answer: Answer, count: int) -> bytes:
    return b",".join(pieces) + b"\n" if count else b""


def _lines(pieces: Sequence[bytes], answer: Answer, count: int) -> bytes:
    """With a newline at the end, in batch mode too: who joins answers byte by byte would else make one line of two,
    and who joins them with newlines leaves a blank line, which is read over."""
    return b"\n".join(pieces) + b"\n" if count else b""


def _recordio(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
    return recordio.answers(columns, records.uid, records.metadata)


def _as_they_are(pieces: Sequence[bytes], answer: Answer, count: int) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _npy(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
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


def _png(columns: Mapping[str, Any], answer: Answer, records: Records) -> bytes:
    """The only picture of the only record."""
    names = [column.name for column in answer.columns if column.number == "pixels" and column.name in columns]
    if len(records) != 1:
        raise UserError(
            f"An answer in {PNG} is one picture; the request has {len(records)} records. Send each in a request of its "
            "own, or ask for another Accept."
        )
    return _picture(columns[names[0]][0], records)


def _picture(pixels: Any, records: Records) -> bytes:
    """A PNG file of (h, w) or (h, w, 3) pixels."""
    from algoport.algorithms.shared.vision import decoding

    return decoding.encode(np.ascontiguousarray(pixels, np.uint8).reshape(*pixels.shape[:2], -1))


def _value(content: Any, records: Records) -> bytes:
    import orjson

    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(content: Sequence[Any], records: Records) -> bytes:
    return b"".join([_value(entry, records) + b"\n" for entry in content])


def _messages(content: Any, records: Records) -> bytes:
    return recordio.messages(content, records.uid, records.metadata)


def _array(content: Any, records: Records) -> bytes:
    return npy.array(content)


def _objects(columns: Mapping[str, Any], answer: Answer) -> list[bytes]:
    """One JSON object a record, without the columns that only other records have something for."""
    import orjson

    texts = [_texts(column, bare=False) for column in columns.values()]
    partial = {column.name for column in answer.columns if column.optional and column.number == "json"}
    if any(entry is None for name in partial & columns.keys() for entry in columns[name]):
        keys = [(orjson.dumps(name) + b":", b"null" if name in partial else b"") for name in columns]
        return [
            b"{" + b",".join(key + text for (key, none), text in zip(keys, row, strict=True) if text != none) + b"}"
            for row in zip(*texts, strict=True)
        ]
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


# What is made of some of the records, and of all these pieces.
_PIECES: dict[str, Callable[[Mapping[str, Any], Answer, Records], bytes]] = {
    "application/json": _entries,
    "application/jsonlines": _object_lines,
    "text/csv": _csv_lines,
    recordio.MEDIA[0]: _recordio,
}
_JOINED: dict[str, Callable[[Sequence[bytes], Answer, int], bytes]] = {
    "application/json": _json,
    "application/jsonlines": _lines,
    "text/csv": _lines,
    recordio.MEDIA[0]: _as_they_are,
}
# What is made of all records at once.
_WHOLE: dict[str, Callable[[Mapping[str, Any], Answer, Records], bytes]] = {**_PIECES, npy.MEDIA[0]: _npy, PNG: _png}
# The same of what `wire.py` has arranged.
_ARRANGED: dict[str, Callable[[Any, Records], bytes]] = {
    "application/json": _value,
    "application/jsonlines": _values,
    recordio.MEDIA[0]: _messages,
    npy.MEDIA[0]: _array,
    PNG: _picture,
}
