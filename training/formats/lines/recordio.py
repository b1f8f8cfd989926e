"""The stream of an augmented manifest of texts: RecordIO frames that are a text and its label by turns.

The attributes must be `source` and `label`, in this order. Where the frames are whole files of JSON Lines, as a pipe of
such files wraps them, the first byte says so.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.training.formats.instances import of_lines
from algoport.training.formats.layout import Layout
from algoport.training.formats.lines.labels import join
from algoport.training.formats.lines.values import decode, line
from algoport.training.formats.recordio import frame, frames

MEDIA = ("application/x-recordio",)
_BLOCK = 1 << 12  # texts handed on at a time, however short they are


def read(stream: BinaryIO, layout: Layout) -> Iterator[Lines]:
    """Texts with their labels. `UserError` names the record that is no text, or no label."""
    payloads = frames(stream, layout, MEDIA[0])
    first = next(payloads, None)
    if first is None:
        return
    every = itertools.chain([first], payloads)
    if first.lstrip()[:1] == b"{":
        for payload in every:
            for instances in of_lines(io.BytesIO(payload), layout):
                yield decode(instances)
        return
    texts: list[bytes] = []
    labels: list[str] = []
    before = size = 0
    for number, payload in enumerate(every):
        place = f"record {number + 1}"
        if number % 2 == 0:
            texts.append(line(_text(payload, layout, place), layout, place))
            size += len(payload)
            continue
        labels.append(join(_value(payload, layout, place), layout, place))
        if size >= layout.block or len(texts) >= _BLOCK:
            yield _lines(texts, labels, before, layout)
            before, texts, labels, size = before + len(texts), [], [], 0
    if len(labels) < len(texts):
        raise layout.fault(
            f"record {2 * (before + len(texts)) - 1}",
            "is a text, and no label follows it: the attributes must be source and label, in this order.",
        )
    if texts:
        yield _lines(texts, labels, before, layout)


def write(lines: Lines) -> bytes:
    """Two frames a line: its text, and the JSON of its labels."""
    labels, texts = lines.labels(), lines.text.encoded()
    if not all(labels) or lines.configuration is not None:
        raise ValueError("An augmented manifest has a label for each text, and nothing else.")
    if texts and texts[0].lstrip()[:1] == b"{":
        raise ValueError("A first text that begins with a brace would be taken for JSON Lines.")
    return b"".join(
        frame(part) for text, own in zip(texts, labels, strict=True) for part in (text, json.dumps(own).encode())
    )


def _lines(texts: list[bytes], labels: list[str], before: int, layout: Layout) -> Lines:
    numbers = range(2 * before + 1, 2 * (before + len(texts)) + 1, 2)
    origins = Origins.of(f"{layout.name}, record", numbers)
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(labels), origins=origins)


def _text(payload: bytes, layout: Layout, place: str) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        at = error.start
        raise layout.fault(place, f"must be UTF-8; its bytes {payload[at : at + 4].hex(' ')} are not.") from None


def _value(payload: bytes, layout: Layout, place: str) -> Any:
    """What a label's text says: JSON, or a word without quotes."""
    text = _text(payload, layout, place)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | list) or type(value) is int else text
