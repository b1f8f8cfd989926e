"""How pandas, of any release, writes the granularity of a series, and what it is here."""

from __future__ import annotations

import re

FREQUENCY = re.compile(r"([1-9][0-9]*)?(M|W|D|H|min)")
# A multiple, a name and what a period is anchored to, which counts nothing: `start` says on which day weeks begin.
_WRITTEN = re.compile(r"([1-9][0-9]*)?\s*([A-Za-z]+)(?:-[A-Za-z0-9]+)*", re.ASCII)
_NAMES = {
    "M": ("M", "ME", "MS", "BM", "BME", "BMS", "CBM", "CBME", "CBMS"),
    "W": ("W", "w"),
    "D": ("D", "d"),
    "H": ("H", "h"),
    "min": ("min", "T", "t"),
}
_LETTERS = {name: letter for letter, names in _NAMES.items() for name in names}
_LONGER = {"Q": 3, "QE": 3, "QS": 3, "BQ": 3, "BQE": 3, "BQS": 3}  # months
_LONGER |= dict.fromkeys(("Y", "YE", "YS", "A", "AE", "AS", "BY", "BYE", "BYS", "BA", "BAS"), 12)
_OPEN = "and give null as the target of the {0} that have none"
_REMEDIES = {
    ("B", "C"): f"for business days write D, {_OPEN.format('days')}",
    ("BH", "bh", "CBH", "cbh"): f"for business hours write H, {_OPEN.format('hours')}",
    ("SM", "SME", "SMS"): "for half months write M, and add up or average the two points of a month",
    ("WOM", "LWOM"): "for one day of each month write M",
    ("S", "s", "L", "ms", "U", "us", "N", "ns"): "min is the finest: add up or average the points of each minute",
}
_REMEDY = {name: remedy for names, remedy in _REMEDIES.items() for name in names}
MOST_UNITS = {"M": 1200, "W": 5218, "D": 36_525, "H": 876_600, "min": 52_596_000}  # of a century


def frequency(text: str) -> str:
    """The granularity as M, W, D, H or min, with its multiple; ValueError says what it must be and what to write."""
    match = _WRITTEN.fullmatch(text)
    multiple, name = (int(match[1] or 1), match[2]) if match and len(match[1] or "") < 16 else (0, "")
    if name in ("s", "S") and multiple and multiple % 60 == 0:
        multiple, name = multiple // 60, "min"
    letter = _LETTERS.get(name)
    if letter is None:
        remedy = f"write {multiple * _LONGER[name]}M" if name in _LONGER else _REMEDY.get(name, "write 5min, 2H or D")
        raise ValueError(
            f"must be M, W, D, H or min, and may have a whole multiple before it; it is {text[:40]!r}: {remedy}."
        )
    if multiple > MOST_UNITS[letter]:
        raise ValueError(f"must be at most a century, {MOST_UNITS[letter]}{letter}; it is {text[:40]!r}.")
    return letter if not match or (not match[1] and multiple == 1) else f"{multiple}{letter}"
