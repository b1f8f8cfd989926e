"""Requests in JSON: `{"instances": [{"features": [1.5, 2]}, …], "configuration": {…}}`, one instance alone, bare rows,
and the bodies that clients of other servers send (`envelopes.py`)."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.records import Rows
from algoport.training.formats import envelopes
from algoport.training.formats.layout import Layout, excerpt, shown_json
from algoport.training.formats.recognition import format_of
from algoport.training.formats.record import Parts, assemble
from algoport.training.formats.text import BOM, check_text

MEDIA = ("application/json", "json")
_NUMBERS = {int, float, type(None)}
_INSTANCE = {"features", "data", "label", "weight", "configuration"}  # what is read of one
_PYTHON = re.compile(rb"\b(?:NaN|Infinity)\b")  # what Python's json.dumps writes of floats, and JSON has not
# What stands where a text stops to be JSON, and what that probably means.
_REASONS = (
    (r"'", "JSON has double quotation marks"),
    (r"True|False|None", "JSON writes true, false and null"),
    (r",\s*[}\]]|[}\]]", "a comma before a closing bracket is too much"),
    (r"(?i:[-+]?(?:nan|inf|infinity)\b|NA\b|n/a|null|none)", "a missing value is null"),
)
# The same of the word or number that is no JSON, which may begin before that place.
_WORD = r"[^\s\[\]{},:\"]*"
_PLAIN = r"-?(?:[1-9]\d*|0)(?:\.\d+)?(?:[eE][-+]?\d+)?"
_WORDS = (
    (
        r"[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?",
        "JSON's numbers are such as -0.5, 12 and 1e-3: no plus before them, no 0 before "
        "another digit, and digits on both sides of a point",
    ),
    (r"[-+]?\d+(?:\.\d*)?[eE][-+]?", "behind the e of a number must be digits"),
)


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """The instances of one body; it is held in memory as a whole."""
    body = stream.read()
    check_text(body[:8], layout, MEDIA[0])
    body = body.removeprefix(BOM)
    if not body.strip():
        return
    simple = _simple(body, layout)
    if simple is not None:
        yield simple
        return
    instances, configuration = _instances(load(body, layout, ""), layout)
    if instances:
        places = [f"instance {number}" for number in range(1, len(instances) + 1)]
        yield decode(instances, places, layout, configuration=configuration)


def _simple(body: bytes, layout: Layout) -> Rows | None:
    """The rows of instances that are lists of features and nothing else, all of one width: what `decode` makes of
    them, without an object for each number. None where it is not so, or where something is wrong."""
    import simdjson

    try:
        document: Any = simdjson.Parser().parse(body)
        instances, configuration = document["instances"], document.get("configuration")
        lists = [instance["features"] for instance in instances]
        if set(map(type, lists)) != {simdjson.Array} or max(map(len, instances)) > 1:
            return None
        if body.count(b"[") != len(lists) + 1:  # lists within lists would be taken for one
            return None
        width = len(lists[0]) if layout.width is None else layout.width
        if not width or set(map(len, lists)) != {width} or not {"instances", "configuration"}.issuperset(document):
            return None
        wide = np.frombuffer(b"".join(each.as_buffer(of_type="d") for each in lists), np.float64)
        own = configuration.as_dict() if isinstance(configuration, simdjson.Object) else configuration
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError):
        return None
    numbers = border.to_float32(wide)
    if numbers is None:
        return None
    return Rows(features=numbers.reshape(-1, width), configuration=None if own is None else [own] * len(lists))


def write(rows: Rows) -> bytes:
    """A body with one instance a row. Missing values are null."""
    import orjson

    return orjson.dumps({"instances": list(encode(rows))})


def load(text: bytes | memoryview, layout: Layout, place: str) -> Any:
    """Parsed JSON: strict, but for the bare NaN, Infinity and -Infinity that Python writes."""
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        data = bytes(text)
        value = _python_floats(data)
        if value is not _NOTHING:
            return value
        other = format_of(data[:4096])
        hint = "" if other is None or other.startswith("JSON") else f" It is plainly {other}."
        raise layout.fault(place, f"is not JSON{_why(data, error.pos)}.{hint}") from None


_NOTHING = object()


def _python_floats(data: bytes) -> Any:
    """The value of a text that is JSON but for NaN and Infinity; `_NOTHING` where it is none."""
    import json

    if not _PYTHON.search(data):
        return _NOTHING
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return _NOTHING


def _why(data: bytes, position: int) -> str:
    """Where a text stops to be JSON, and what that probably means."""
    if data.count(b"[") + data.count(b"{") > 1 << 10 and re.match(rb"(?:\s*[\[{]){1024}", data):
        return ": it has too many brackets within brackets"
    text = data.decode("utf-8", "replace")
    if "\ufffd" in text:
        return ": its letters are not UTF-8"
    rest = text[position:].strip()
    if not rest:
        return ": it ends before its last bracket or quotation mark is closed"
    return f" from letter {position + 1} on, {excerpt(rest, 20)}{_reason(text, position, rest)}"


def _reason(text: str, position: int, rest: str) -> str:
    """What a text that is no JSON from there on probably means; empty where that is not plain."""
    before = re.search(_WORD + r"\Z", text[max(0, position - 400) : position])
    behind = re.match(_WORD, text[position : position + 400])
    word = (before[0] if before else "") + (behind[0] if behind else "")
    if re.fullmatch(_PLAIN, word):
        reason = "it is beyond all numbers" if math.isinf(float(word)) else ""
    else:
        reason = next((sentence for pattern, sentence in _WORDS if word and re.fullmatch(pattern, word)), "")
    reason = reason or next((sentence for pattern, sentence in _REASONS if re.match(pattern, rest)), "")
    if not reason and word[:1].isdigit():
        reason = border.reason(word)
    return f"; {reason}" if reason else ""


def encode(rows: Rows) -> Iterator[dict[str, Any]]:
    """One instance a row, as objects ready for JSON."""
    for number in range(len(rows)):
        instance: dict[str, Any] = {}
        if rows.is_sparse:
            matrix: Any = rows.features
            begin, end = matrix.indptr[number : number + 2]
            keys, values = matrix.indices[begin:end].tolist(), _jsonable(matrix.data[begin:end])
            instance["data"] = {"features": {"keys": keys, "shape": [rows.width], "values": values}}
        else:
            instance["features"] = _jsonable(rows.features[number])
        if rows.label is not None:
            instance["label"] = _jsonable(rows.label[number])
        if rows.weight is not None:
            instance["weight"] = _jsonable(rows.weight[number : number + 1])[0]
        if rows.configuration is not None and rows.configuration[number] is not None:
            instance["configuration"] = rows.configuration[number]
        yield instance


def decode(
    instances: Sequence[Any],
    places: Sequence[str],
    layout: Layout,
    *,
    width: int | None = None,
    labels: int | None = None,
    configuration: object = None,
) -> Rows:
    """The rows that instances make; `configuration` is that of the whole body and gives way to each one's own.

    `width` and `labels` are those of the rows before.
    """
    read = [_instance(instance, place, layout) for instance, place in zip(instances, places, strict=True)]
    parts = Parts(
        values=_flat([entry.features.values for entry in read], places, layout),
        counts=np.array([len(entry.features.values) for entry in read], np.int64),
        keys=np.array(list(itertools.chain.from_iterable(entry.features.positions for entry in read)), np.int64),
        widths=np.array([entry.features.size for entry in read], np.int64),
        keyed=np.array([entry.features.keys is not None for entry in read]),
        labels=_flat([entry.label for entry in read], places, layout),
        label_counts=np.array([len(entry.label) for entry in read], np.int64),
    )
    rows = assemble(parts, _InstanceLayout(layout, places), 0, layout.width if width is None else width, labels)
    weighted = any(entry.weight is not None for entry in read)
    weights = [[1.0 if entry.weight is None else entry.weight] for entry in read]
    own = [merge(configuration, entry.configuration) for entry in read]
    return Rows(
        features=rows.features,
        label=rows.label,
        weight=_flat(weights, places, layout) if weighted else None,
        configuration=own if any(entry is not None for entry in own) else None,
    )


class _InstanceLayout(Layout):
    """A layout whose faults say "instance 3" or "line 7" where the record's number is meant."""

    def __init__(self, layout: Layout, places: Sequence[str]) -> None:
        super().__init__(**{each.name: getattr(layout, each.name) for each in fields(layout)})
        object.__setattr__(self, "_places", places)

    def record(self, number: int) -> str:
        places: Sequence[str] = self._places  # type: ignore[attr-defined]
        return places[number]


@dataclass(frozen=True)
class _Element:
    values: Sequence[Any]
    keys: Sequence[int] | None = None
    size: int = -1

    @property
    def positions(self) -> Sequence[int]:
        return [0] * len(self.values) if self.keys is None else self.keys


@dataclass(frozen=True)
class _Instance:
    features: _Element
    label: Sequence[Any]
    weight: float | None
    configuration: object


def _instances(body: Any, layout: Layout) -> tuple[Sequence[Any], object]:
    rows = envelopes.rows_of(body, layout)
    if rows is not None:
        return rows, None
    if isinstance(body, Mapping) and "instances" not in body and ("features" in body or "data" in body):
        return [body], None
    if not isinstance(body, Mapping) or not isinstance(body.get("instances"), list):
        raise layout.fault("", 'must be an object with a list "instances": {"instances": [{"features": [1.5, 2]}]}.')
    return body["instances"], body.get("configuration")


def _instance(instance: Any, place: str, layout: Layout) -> _Instance:
    if isinstance(instance, list):
        return _Instance(features=_Element(instance), label=[], weight=None, configuration=None)
    if not isinstance(instance, Mapping):
        shown = excerpt(shown_json(instance))
        raise layout.fault(place, f'must be an object such as {{"features": [1.5, 2]}}; it is {shown}.')
    data = instance.get("data", instance)
    if isinstance(data, Mapping) and "features" in instance:
        data = instance
    if not isinstance(data, Mapping) or "features" not in data:
        names = ", ".join(excerpt(name, 30) for name in list(instance)[:5])
        raise layout.fault(place, f'must have "features"; it has {names or "nothing"}.')
    _note_fields(instance, data, layout)
    label = data.get("label", instance.get("label", []))
    return _Instance(
        features=_element(data["features"], "features", place, layout),
        label=[label] if type(label) in _NUMBERS else _element(label, "label", place, layout).values,
        weight=data.get("weight", instance.get("weight")),
        configuration=instance.get("configuration"),
    )


def _note_fields(instance: Mapping[str, Any], data: Mapping[str, Any], layout: Layout) -> None:
    """Say which fields of an instance are passed over."""
    for fields_there in (instance,) if data is instance else (instance, data):
        if not _INSTANCE.issuperset(fields_there):
            for name in sorted(set(fields_there) - _INSTANCE):
                layout.note(f"field {excerpt(name, 30)}, which is not read")


def _element(element: Any, name: str, place: str, layout: Layout) -> _Element:
    if isinstance(element, list):
        return _Element(element)
    values = element.get("values") if isinstance(element, Mapping) else None
    if not isinstance(values, list):
        raise layout.fault(place, f'"{name}" must be a list of numbers, or an object with "values".')
    keys, shape = element.get("keys"), element.get("shape")
    size = -1 if shape is None else _size(shape, place, layout)
    if not keys and (keys is None or values or size >= 0):
        return _Element(values, None, size)
    if not isinstance(keys, list) or any(type(key) is not int or not 0 <= key < 1 << 63 for key in keys):
        raise layout.fault(place, '"keys" must be a list of whole numbers from 0.')
    if len(keys) != len(values):
        raise layout.fault(place, f"has {len(keys)} keys for {len(values)} values.")
    return _Element(values, keys, size)


def _size(shape: Any, place: str, layout: Layout) -> int:
    size = 1
    for extent in shape if isinstance(shape, list) and 0 < len(shape) <= 8 else [None]:
        if type(extent) is not int or not 0 <= extent < 1 << 48 or size * extent >= 1 << 48:
            raise layout.fault(place, f'"shape" must be a list of sizes, such as [1000]; it is {shown_json(shape)}.')
        size *= extent
    return size


def _flat(lists: Sequence[Sequence[Any]], places: Sequence[str], layout: Layout) -> NDArray[np.float32]:
    """All numbers, end to end; `UserError` names what is none."""
    numbers = border.of_json(list(itertools.chain.from_iterable(lists)), infinite=layout.missing)
    if numbers is not None:
        return numbers
    for place, some in zip(places, lists, strict=True):
        for value in some:
            if border.of_json([value], infinite=layout.missing) is None:
                raise layout.fault(place, f"must hold numbers that float32 can hold; it has {_shown(value)}.")
    raise layout.fault("", "must hold numbers that float32 can hold.")


def _shown(value: Any) -> str:
    """A value that is no number, and the remedy."""
    if isinstance(value, str):
        plain = border.number(value)
        return f'the text "{value[:40]}"{"; leave out its quotation marks" if plain is not None else ""}'
    if isinstance(value, bool):
        return f"{str(value).lower()}; write {int(value)}"
    return shown_json(value) if isinstance(value, list | dict) else excerpt(value)


def merge(body: object, own: object) -> object:
    """The configuration of a body and that of a record, which wins."""
    if isinstance(body, Mapping) and isinstance(own, Mapping):
        return {**body, **own}
    return body if own is None else own


def _jsonable(values: NDArray[np.float32]) -> list[float | None]:
    """Shortest texts that give the same float32 back."""
    if np.isinf(values).any():
        raise ValueError("JSON has no infinity.")
    return [None if np.isnan(value) else float(str(value)) for value in values]
