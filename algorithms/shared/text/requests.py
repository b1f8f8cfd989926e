"""Requests of plain text to models that take counts of words: a document a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.contract.wire import RequestForm

MEDIA = "text/plain"


def word(column: int) -> str:
    """What the word of a column is called where only its number is known, as in the vocabularies of examples."""
    return f"word{column}"


def read(body: bytes, source: str) -> Lines:
    """A document a line; blank lines are passed over. `UserError` where the body is not UTF-8."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = body[error.start : error.start + 4].hex(" ")
        line = body.count(b"\n", 0, error.start) + 1
        raise UserError(f"{source}, line {line}: must be UTF-8; its bytes {wrong} are not.") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    origins = Origins.of(f"{source}, line", np.array([number for number, _ in lines], np.int64))
    return Lines(text=Ragged.texts([line for _, line in lines]), origins=origins)


def write(records: Any) -> bytes:
    """A line a document: of texts as they are, of counts each word as often as it is counted, in the words of
    examples. `ValueError` where these cannot stand in a line."""
    if isinstance(records, Lines):
        texts = records.text.strings()
        if any("\n" in text or not text.strip() for text in texts):
            raise ValueError("A document is a line that is not blank.")
        return "".join(f"{text}\n" for text in texts).encode()
    assert isinstance(records, Rows)
    rows = records.dense()
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows == np.floor(rows)).all()):
        raise ValueError("Only whole counts can be written as words.")
    if not rows.any(axis=1).all() or rows.sum() > 1e6:
        raise ValueError("A document must have words, and not too many of them.")
    lines = [" ".join(map(word, np.repeat(np.arange(len(row)), row.astype(int)).tolist())) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


FORM = RequestForm(
    read=read,
    write=write,
    schema={"type": "string", "description": "a document a line, of a model that has a vocabulary"},
)
