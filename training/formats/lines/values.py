"""Lines of text as JSON has them: a text alone, or an object with it and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.training.formats.instances import Instances
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.lines.labels import join

EXAMPLE = '"a text"'
_TEXTS = ("source", "data")  # names of the text in an object
_LABEL, _OWN, _ASIDE = "label", "configuration", "-metadata"


def decode(instances: Instances) -> Lines:
    """The lines that instances make: each a text, or an object with it as `source` or `data`. What else an object has
    are its label and its options, beside `configuration` or in it."""
    texts, labels, own = [], [], []
    for index, value in enumerate(instances.values):
        place = instances.place(index)
        text, label, options = _instance(value, instances.layout, place)
        texts.append(line(text, instances.layout, place))
        labels.append(label)
        own.append(options)
    return Lines(
        text=Ragged.texts(texts),
        label=Ragged.texts(labels) if any(labels) else None,
        origins=instances.origins,
        configuration=instances.configurations(own),
    )


def encode(lines: Lines, *, alone: bool) -> list[Any]:
    """A value a line; `alone`: a bare text where nothing came with it."""
    own = lines.configuration or [None] * len(lines)
    values: list[Any] = []
    for text, labels, options in zip(lines.text.strings(), lines.labels(), own, strict=True):
        more: dict[str, Any] = {_LABEL: labels} if labels else {}
        if options is not None:
            more[_OWN] = options
        values.append(text if alone and not more else {"source": text, **more})
    return values


def line(text: str, layout: Layout, place: str) -> bytes:
    """A text as one line: an end of a line within it is a blank. `UserError` where it is no text."""
    if "\0" in text:
        raise layout.fault(place, "must be text; it has a character that is zero.")
    try:
        return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can write
        raise layout.fault(place, "must be text; it has half of a surrogate pair.") from None


def _instance(value: Any, layout: Layout, place: str) -> tuple[str, str, object]:
    if isinstance(value, str):
        return value, "", None
    name = next((name for name in _TEXTS if name in value), None) if isinstance(value, Mapping) else None
    if name is None or not isinstance(value[name], str):
        raise layout.fault(
            place, f'must be a text, or an object with one as "source" or "data"; it is {excerpt(str(value))}.'
        )
    key = _label(value, layout, place)
    label = join(value[key], layout, place) if key in value else ""
    aside = {name, key, _OWN}
    beside = {key: entry for key, entry in value.items() if key not in aside and not key.endswith(_ASIDE)}
    own = value.get(_OWN)
    if beside and own is not None and not isinstance(own, Mapping):
        raise layout.fault(place, f'"{_OWN}" must be an object; it is {excerpt(str(own))}.')
    return value[name], label, {**(own or {}), **beside} if beside else own


def _label(value: Mapping[str, Any], layout: Layout, place: str) -> str:
    """What its label is called: `label`, or as an augmented manifest calls the one that has metadata beside it."""
    if _LABEL in value:
        return _LABEL
    named = [key for key in value if f"{key}{_ASIDE}" in value]
    if len(named) > 1:
        raise layout.fault(
            place, f'has several labels, {excerpt(", ".join(named))}: the one to be learned must be called "{_LABEL}".'
        )
    return named[0] if named else _LABEL
