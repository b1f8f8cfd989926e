"""What is a number, a truth value and a missing value: one rule for all formats, and why a text probably is none.

In text: decimal digits of ASCII with a point, a sign and an exponent; nan, inf and infinity; true and false as 1 and
0, in any case; and the words of `MISSING`. In JSON: its own numbers, null, and the bare NaN, Infinity and -Infinity
that Python writes; a text or a truth value is no number there. Kernels and libraries read what is usual, and what they
refuse comes here: nothing is read as a number elsewhere that is none here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)
NAN = float("nan")
_WORDS = ("nan", "na", "n/a", "null", "none", "#n/a", "#na", "<na>")
# What pandas, R, Excel, databases and the data sets of UCI write where a value is missing.
MISSING = frozenset(
    ["", "?", "-", "\\N", "NaN", "<NA>", "-nan", "-NaN", "#N/A N/A", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"]
    + [form for word in _WORDS for form in (word, word.upper(), word.capitalize())]
)
_TRUTHS = {"true": 1.0, "false": 0.0}
_JSON = {int, float, type(None)}


def number(text: str) -> float | None:
    """The number that a field of text is, NaN where it says that there is none; None where it is no number."""
    text = text.strip(" \t\r\n")
    if text in MISSING:
        return NAN
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return _TRUTHS.get(text.lower())


def is_missing(text: str) -> bool:
    """Whether a text says that there is no number."""
    return text.strip() in MISSING


_REASONS = (
    (r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", "it has commas between thousands: write '{plain}'"),
    (r"-?\d+,\d+", "it has a decimal comma: write '{point}'"),
    (r"-?\d{1,3}(?:['\u2019\u00a0\u202f ]\d{3})+(?:[.,]\d+)?", "it has signs between thousands: leave them out"),
    (r"\s*[-+.\d][^\s,]*(?:\s+[-+.\d][^\s,]*)+\s*", "it is numbers with blanks between them: put commas there"),
    (r"-?[\d.,]+\s*%", "it is a percentage: write the number alone"),
    (
        r"[$\u20ac\u00a3\u00a5]\s*-?[\d.,]+|-?[\d.,]+\s*[$\u20ac\u00a3\u00a5]",
        "it has a sign of a currency: leave it out",
    ),
    (
        r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?",
        "it is a date: write it as a number, such as days from a first one",
    ),
    (r"\d{1,2}:\d{2}(?::\d{2}.*)?", "it is a time of day: write it as a number, such as seconds"),
    (r"0[xX][0-9a-fA-F]+", "it is hexadecimal: write it in decimal digits"),
    (r"[-+]?\d+(?:_\d+)+(?:\.\d*)?", "it has underscores: leave them out"),
    (r"[-+\u2212\u2013]?[\d.]+(?:[eE][-+\u2212]?\d+)?", "its digits or its sign are not those of ASCII"),
    (r".*\ufffd.*", "its letters are not UTF-8"),
    (r"\d+:\S+", "it is a pair of libsvm: the content type of those is text/libsvm"),
    (r"(?i:yes|no|y|n|t|f|on|off)", "write 1 or 0"),
    (r"\s*[\[(].*", "it is a list: write each of its numbers into a field of its own"),
    (r"(?s:.*\n.*)", "a quotation mark before it has probably no end"),
)


def reason(text: str) -> str:
    """The likely reason why a field of text is no number, and the remedy."""
    text = text.strip()[:200]
    for pattern, sentence in _REASONS:
        if re.fullmatch(pattern, text):
            return sentence.format(plain=text.replace(",", ""), point=text.replace(",", "."))
    return "texts must be replaced by numbers, such as a column of 0 and 1 for each value"


def of_json(values: Sequence[Any], *, infinite: bool = False) -> NDArray[np.float32] | None:
    """Parsed JSON values as float32; null and NaN are NaN. None where one is a text, a truth value or anything else
    that is no number, or is beyond float32; Infinity is a number only where `infinite`."""
    if not set(map(type, values)) <= _JSON:
        return None
    try:
        wide = np.array(values, np.float64)
    except OverflowError:  # a whole number of more than 308 digits
        return None
    return to_float32(wide, infinite=infinite)


def to_float32(wide: NDArray[np.float64], *, infinite: bool = False) -> NDArray[np.float32] | None:
    """As float32; None where a finite one is too large, or one is infinite and must not be."""
    with np.errstate(over="ignore"):
        numbers = wide.astype(np.float32)
    large = np.isinf(numbers)
    if large.any() and not (infinite and np.isinf(wide[large]).all()):
        return None
    return numbers
