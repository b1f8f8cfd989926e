"""Labels of texts: words that begin with a prefix, or what stands beside a text."""

from __future__ import annotations

from typing import Any

from algoport.training.formats.layout import Layout, excerpt

PREFIX = "__label__"  # of words that are labels


def prefix(layout: Layout) -> str:
    """With which labels begin: the parameter `label_prefix` of the content type, else `__label__`; where it is empty,
    no word is a label."""
    return layout.parameters.get("label_prefix", PREFIX)


def join(value: Any, layout: Layout, place: str) -> str:
    """The labels that a JSON value is, without their prefix and with a blank between two: a text, a whole number, or a
    list of these."""
    entries = value if isinstance(value, list) else [value]
    return " ".join(_label(entry, value, layout, place) for entry in entries)


def _label(entry: Any, value: Any, layout: Layout, place: str) -> str:
    if type(entry) is int:
        return str(entry)
    if isinstance(entry, str):
        text = entry.removeprefix(prefix(layout))
        if text and not any(character.isspace() or character == "\0" for character in text):
            return text
    raise layout.fault(
        place,
        f"a label must be a whole number or a word without blanks, or a list of these; it is {excerpt(str(value))}.",
    )
