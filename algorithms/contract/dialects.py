"""What a user wrote for a setting, in any of the dialects in which values arrive (contract, section 1.3.1).

One reader a kind of value, for every setting and option: plain text, JSON, what Python's str() makes of a value,
and the value itself. A reader raises ValueError where the text is no such value.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}
# Decimal or exponent form in ASCII: no 1_000, no hexadecimal digits, no digits of other scripts, which Python reads.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
MOST = 2**63 - 1  # the largest whole number: what is larger fits no array and no counter
# NumPy's own way to write a number within a list: [np.float64(0.1), np.int64(3)].
_SCALAR = re.compile(r"\b(?:np|numpy)\.[a-z]+\d*\(([^()]*)\)")
_BRACKETS = {"[": "]", "(": ")"}
# What Python reads outside of texts and a setting is not: 1_000, 0x10, 2j, a comment.
_ONLY_PYTHON = re.compile(r"\d_\d|(?<![\w.])0[xXoObB]|\d[jJ]|#")
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"")


class BeyondRange(ValueError):
    """A whole number that 64 bits do not hold."""


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


def bare(text: str) -> str:
    """The same, and without the single quotes that Python's repr() puts around a text."""
    text = unquoted(text)
    if len(text) > 1 and text[0] == text[-1] == "'" and "'" not in text[1:-1]:
        return text[1:-1].strip()
    return text


def integer(value: object) -> int:
    """A whole number, also written as 10.0 or 1e3; `BeyondRange` beyond 64 bits."""
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, Integral):
        number = int(value)
    else:
        written = _number(value)
        if not math.isfinite(float(written)) or abs(float(written)) >= 2 * MOST:
            raise BeyondRange
        exact = Decimal(written)
        if exact != exact.to_integral_value():
            raise ValueError
        number = int(exact)
    if abs(number) > MOST:
        raise BeyondRange
    return number


def real(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool):
        raise ValueError
    number = float(value) if isinstance(value, Real) else float(_number(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _number(value: object) -> str:
    """The text of a number; ValueError where it is none."""
    text = bare(value) if isinstance(value, str) else str(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return text


def boolean(value: object) -> bool:
    """True or false, yes or no, 1 or 0."""
    word = bare(str(value)).lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    number = real(word)
    if number not in (0, 1):
        raise ValueError
    return number == 1


def items(value: object) -> tuple[Any, ...]:
    """The items of a list: JSON, a Python list or tuple, or items with commas between them."""
    if isinstance(value, str):
        parsed = _parsed(value)
        return _split(value) if parsed is None else items(parsed)
    if isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(value, set | frozenset):
        return tuple(sorted(value, key=str))
    if isinstance(value, Mapping):
        raise ValueError
    return (value,)


def mapping(value: object) -> Mapping[Any, Any] | None:
    """An object of JSON or a Python dictionary; None where it is none."""
    parsed = _parsed(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, Mapping) else None


def joined(value: object) -> str:
    """The items of a list with commas between them, each as short as it can be written: 3,224,224."""
    return ",".join(_short(item) for item in items(value))


def _short(item: object) -> str:
    if isinstance(item, list | tuple | Mapping | bool):
        raise ValueError
    try:
        return str(integer(item))
    except ValueError:
        return str(item)


def _parsed(text: str) -> Any:
    """What JSON or Python makes of a text that is no bare word; None where neither reads it."""
    text = _SCALAR.sub(r"\1", bare(text))
    if _ONLY_PYTHON.search(_TEXTS.sub("", text)):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return None


def _split(text: str) -> tuple[str, ...]:
    """Items that are neither JSON nor Python: words with commas between them, in brackets or not."""
    text = _SCALAR.sub(r"\1", bare(text))
    if text[:1] in _BRACKETS or text[-1:] in _BRACKETS.values():
        if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
            raise ValueError
        text = text[1:-1].strip()
    # NumPy writes an array with blanks between its numbers.
    numbers = text.split()
    if "," not in text and len(numbers) > 1 and all(_NUMBER.fullmatch(number) for number in numbers):
        return tuple(numbers)
    parts = [bare(part) for part in text.removesuffix(",").split(",")] if text else []
    if not all(parts):
        raise ValueError
    return tuple(parts)


def text(value: object) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError
    return value


def word(value: object) -> str:
    """A word, whatever it came as."""
    return bare(value) if isinstance(value, str) else str(value)


READERS: dict[str, Any] = {
    "integer": integer,
    "real": real,
    "boolean": boolean,
    "choice": word,
    "list": items,
    "text": text,
}
