"""What a user wrote for a setting, in any of the dialects in which values arrive (contract, section 1.3.1)."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def unquoted(text: str) -> str:
    """The text without blanks around it, and without one pair of quotes if it is a JSON string."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return inner.strip() if isinstance(inner, str) else text
    return text


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, int):
        return value
    text = _digits(value)
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _digits(value: object) -> str:
    """The text of a number; ValueError for 1_000, which Python reads and nobody else does."""
    text = str(value)
    if "_" in text:
        raise ValueError
    return text


def _real(value: object) -> float:
    if isinstance(value, bool):
        raise ValueError
    number = float(_digits(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: object) -> bool:
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _items(value: object) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return tuple(value)
    text = str(value)
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return tuple(parsed) if isinstance(parsed, list | tuple) else (parsed,)
    return tuple(unquoted(item) for item in text.strip("[]").split(",") if item.strip())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


READERS: dict[str, Any] = {
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "choice": str,
    "list": _items,
    "text": _text,
}
