"""What is done to records on their way: InputFilter before, JoinSource and OutputFilter after.

Columns of CSV are passed on as they are written, with their quotes; values of JSON as Python's json reads them, which
keeps whole numbers of any length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from algoport.containers.transform.filters import Filter, Mismatch, Places

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
MEDIA = (CSV, JSON, LINES)  # of which records can be filtered and joined

_FIELD = re.compile(rb'((?:"(?:[^"]|"")*+"|[^",]++)*+)(,|$)', re.DOTALL)


class Unfit(Exception):
    """A record, or the answer to it, is not what filters and joins need. `number`: of which record, from 0."""

    def __init__(self, sentence: str, number: int = 0) -> None:
        super().__init__(sentence)
        self.number = number


@dataclass(frozen=True, kw_only=True)
class Processing:
    """What is done to the records of a request, and to their answers."""

    media: str
    by_line: bool  # a record a line; otherwise a body is one document
    before: Filter
    joined: bool
    after: Filter

    @property
    def is_nothing(self) -> bool:
        """Whether bodies and answers pass as they are."""
        return self.before.is_all and not self.joined and self.after.is_all

    @property
    def reads_answers(self) -> bool:
        """Whether answers must be of the media type of the records."""
        return self.joined or not self.after.is_all

    def request(self, body: bytes) -> bytes:
        """What is sent for it. Raises `Unfit`."""
        if self.before.is_all:
            return body
        made = [self._filtered(record, self.before, number) for number, record in enumerate(self._records(body))]
        return b"".join(line + b"\n" for line in made) if self.by_line else made[0]

    def result(self, body: bytes, answer: bytes) -> bytes:
        """What the output gets for its answer. Raises `Unfit`."""
        if not self.reads_answers:
            return answer
        records, answers = self._records(body), self._records(answer)
        if self.by_line and len(records) == 1 and self.media != CSV:
            answers = [answer]  # which may be written over several lines
        if len(records) != len(answers):
            raise Unfit(
                f"the answer has {len(answers)} lines for {len(records)} records, so that they cannot be joined"
            )
        pairs = enumerate(zip(records, answers, strict=True))
        made = [self._result(record, one, number) for number, (record, one) in pairs]
        return b"".join(line + b"\n" for line in made) if self.by_line else made[0]

    def _result(self, record: bytes, answer: bytes, number: int) -> bytes:
        if not self.joined:
            return self._filtered(answer, self.after, number)
        if self.media == CSV:
            return self._filtered(record + b"," + answer, self.after, number)
        given, got = _read(record, "the record", number), _read(answer, "the answer", number)
        both = (
            {**given, "SageMakerOutput": got}
            if isinstance(given, dict)
            else {"SageMakerInput": given, "SageMakerOutput": got}
        )
        return _write(_take(self.after, both, number))

    def _records(self, body: bytes) -> list[bytes]:
        if not self.by_line:
            return [body]
        return [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip()]

    def _filtered(self, record: bytes, path: Filter, number: int) -> bytes:
        if path.is_all:
            return record
        if self.media == CSV:
            places = path.columns
            assert places is not None  # which was checked with the request
            return _columns(record, places, path, number)
        return _write(_take(path, _read(record, "it", number), number))


def fields(row: bytes) -> list[bytes]:
    """The columns of a row of CSV as they are written."""
    if b'"' not in row:
        return row.split(b",")
    return list(_quoted(row))


def _quoted(row: bytes) -> Iterator[bytes]:
    at = 0
    while True:
        match = _FIELD.match(row, at)
        if match is None:  # a quote that nothing closes: the rest is one column
            yield row[at:]
            return
        yield match[1]
        if not match[2]:
            return
        at = match.end()


def _columns(row: bytes, places: Places, path: Filter, number: int) -> bytes:
    try:
        return b",".join(places.of(fields(row)))
    except Mismatch as error:
        raise Unfit(f"{path.text}: {error} columns", number) from None


def _take(path: Filter, value: Any, number: int) -> Any:
    try:
        return path.of(value)
    except Mismatch as error:
        raise Unfit(f"{path.text}: {error}", number) from None


def _read(text: bytes, what: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{what} is not JSON: {error}", number) from None


def _write(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
