"""How requests and answers look where that is odd: JSON has texts, and RecordIO ids under `features`.

An instance of JSON is `{"data": "so good !"}`, a line of JSON Lines `{"source": "so good !"}`; both names are read in
both. As an addition, a list of ids may stand for the text, and `configuration` beside the instances for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import json_fault
from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.contract.records.sequences import LARGEST, Sequences
from algoport.algorithms.contract.wire import AnswerForm, Message, Prediction, RequestForm

_NAMES = ("data", "source")
_OWN = "configuration"
_SHOWN = 60  # letters of what a message quotes
_EXAMPLE = '{"instances": [{"data": "you are so good !"}]}'
_INSTANCE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]},
        _OWN: {"type": "object"},
    },
    "required": ["data"],
}


def read_json(body: bytes, source: str) -> Lines | Sequences:
    """The sentences of a body. `UserError` where it is not what it must be."""
    given = _parsed(body, source)
    values = given.get("instances") if isinstance(given, Mapping) else None
    if not isinstance(values, list):
        raise UserError(f'{source}: must be an object with a list "instances": {_EXAMPLE}.')
    places = [f"{source}, instance {number}" for number in range(1, len(values) + 1)]
    origins = Origins.of(f"{source}, instance", range(1, len(values) + 1))
    return _records(values, places, origins, given.get(_OWN))


def read_lines(body: bytes, source: str) -> Lines | Sequences:
    """A sentence a line; blank lines are passed over."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    places = [f"{source}, line {number}" for number, _ in lines]
    values = [_parsed(line, place) for (_, line), place in zip(lines, places, strict=True)]
    return _records(values, places, Origins.of(f"{source}, line", [number for number, _ in lines]), None)


def write_json(records: Any) -> bytes:
    """A body that `read_json` reads as these records."""
    return json.dumps({"instances": list(_values(records, "data"))}).encode()


def write_lines(records: Any) -> bytes:
    """JSON Lines that `read_lines` reads as these records."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in _values(records, "source"))


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: is no JSON: {json_fault(error)}.") from None


def _records(values: Sequence[Any], places: Sequence[str], origins: Origins, common: object) -> Lines | Sequences:
    """Texts or ids, of all instances the same."""
    contents, own = [], []
    for value, place in zip(values, places, strict=True):
        content = next((value[name] for name in _NAMES if name in value), None) if isinstance(value, Mapping) else None
        if not isinstance(content, str | list):
            raise UserError(
                f'{place}: must be an object with a text as "data" or "source", tokens with blanks between them; it is '
                f"{str(value)[:_SHOWN]!r}."
            )
        contents.append(content)
        own.append(_merged(common, value.get(_OWN), place))
    configuration = own if any(each is not None for each in own) else None
    kinds = {type(content) for content in contents}
    if len(kinds) > 1:
        raise UserError(f"{places[0]}: all instances of a request must be texts, or all lists of ids; these are both.")
    if kinds == {list}:
        ids = Ragged.of([_ids(content, place) for content, place in zip(contents, places, strict=True)])
        there = {"source": np.ones(len(ids), bool)}
        return Sequences(sequences={"source": ids}, present=there, origins=origins, configuration=configuration)
    texts = [_encoded(content, place) for content, place in zip(contents, places, strict=True)]
    return Lines(text=Ragged.texts(texts), origins=origins, configuration=configuration)


def _merged(common: object, own: object, place: str) -> object:
    """Options of a record: those of the body, over which go its own."""
    for each in (common, own):
        if each is not None and not isinstance(each, Mapping):
            raise UserError(f'{place}: "{_OWN}" must be an object; it is {str(each)[:_SHOWN]!r}.')
    if common is None or own is None:
        return common if own is None else own
    return {**dict(common), **dict(own)}  # type: ignore[call-overload]


def _ids(content: Any, place: str) -> list[int]:
    for number, each in enumerate(content, 1):
        if type(each) is not int or not 0 <= each <= LARGEST:
            raise UserError(
                f"{place}: ids must be whole numbers from 0 to {LARGEST:,}; at position {number} is "
                f"{str(each)[:_SHOWN]!r}."
            )
    return list(content)


def _encoded(text: Any, place: str) -> bytes:
    try:
        return bytes(text.encode())
    except UnicodeEncodeError:  # half of a pair, which JSON can write
        raise UserError(f"{place}: must be text; it has half of a surrogate pair.") from None


def _values(records: Any, name: str) -> Iterator[dict[str, Any]]:
    texts: Sequence[Any]
    if isinstance(records, Lines):
        texts = records.text.strings()
    else:
        ids = records.tokens("source")
        texts = [ids[number].tolist() for number in range(len(ids))]
    own = records.configuration or [None] * len(records)
    for text, options in zip(texts, own, strict=True):
        yield {name: text} if options is None else {name: text, _OWN: options}


def _messages(prediction: Prediction) -> list[Message]:
    """Ids under `features`, with the weights of attention row by row where they were asked for."""
    columns = prediction.columns
    matrices = columns.get("matrix", [None] * len(columns["target"]))
    return [
        Message(features={"target": np.asarray(ids, np.int32), **({} if own is None else {"matrix": np.ravel(own)})})
        for ids, own in zip(columns["target"], matrices, strict=True)
    ]


REQUESTS = {
    "application/json": RequestForm(
        read=read_json,
        write=write_json,
        schema={
            "type": "object",
            "properties": {"instances": {"type": "array", "items": _INSTANCE}, _OWN: {"type": "object"}},
            "required": ["instances"],
        },
    ),
    "application/jsonlines": RequestForm(
        read=read_lines,
        write=write_lines,
        schema={"type": "string", "description": 'a line each, {"source": "tokens with blanks between them"}'},
    ),
}
ANSWERS = {
    "application/x-recordio-protobuf": AnswerForm(
        content=_messages, entries=lambda content: [], schema={"type": "string", "format": "binary"}
    )
}
BATCH_RESPONSE = "application/jsonlines"
