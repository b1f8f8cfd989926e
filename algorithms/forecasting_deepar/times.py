"""Times as records write them, read by rules of our own: no clock, no guess of what is day and what is month."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

EXAMPLE = '"2014-01-31 00:00:00"'
_SHOWN = 40  # characters of what is refused
_LETTERS = re.ASCII | re.IGNORECASE
_SEPARATED = re.compile(r"(\d{4,7})([-/.])(\d{1,2})(?:\2(\d{1,2}))?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_YEAR_LAST = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{4}", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,]\d*)?)?)?(?:\s*([ap])\.?m\.?)?", _LETTERS)
_COMPACT_CLOCK = re.compile(r"(\d{2})(\d{2})(\d{2})?()", re.ASCII)
_EPOCH = re.compile(r"-?(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(\.\d*)?", re.ASCII)
# A zone behind a clock: Z, an offset, a name, a name in brackets.
_ZONE = re.compile(
    r"\s*(z|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2}){0,2}|[a-z][a-z_]*(?:/[a-z_+\-\d]+)*|\[[^\]]*\])+", _LETTERS
)

_HALF = re.compile(r"\s*[ap]\.?m\.?", _LETTERS)  # of a day


@dataclass(frozen=True)
class Time:
    """A point on the wall's clock, of any year."""

    day: int  # days since 1970
    second: int  # of that day; what is finer is cut off

    @property
    def months(self) -> int:
        """Whole months since January 1970."""
        return int(np.datetime64(self.day, "D").astype("datetime64[M]").astype(np.int64))


def read(given: object) -> Time:
    """The time that a record gives: year, month and day in this order, and a clock behind them or none.

    Fields may have one digit, and stand between -, / or a point; month and day may be left out. ValueError says in one
    sentence what it must be: there is no time zone, as points are counted on the wall's clock, and no epoch, of
    which nothing says whether it counts seconds.
    """
    if isinstance(given, int | float) and not isinstance(given, bool):
        raise ValueError(_number(given, str(given)[:_SHOWN]))
    if not isinstance(given, str):
        shown = "it is missing" if given is None else f"it is {str(given)[:_SHOWN]}"
        raise ValueError(f"start is required and must be a time as text, {EXAMPLE}; {shown}.")
    text = given.strip()
    if _EPOCH.fullmatch(text):
        raise ValueError(_number(float(text), text))
    date, clock = _halves(text)
    day, second = _day(date), _second(clock)
    if day is not None and second is not None:
        return Time(day, second)
    raise ValueError(f"start {_reason(text, date, clock, day)}; it is {_shown(text)}.")


def _halves(text: str) -> tuple[str, str]:
    """Date and clock, which a T or blanks part."""
    parts = re.split(r"[Tt]|\s+", text, maxsplit=1)
    return parts[0], parts[1].strip() if len(parts) > 1 else ""


def _day(date: str) -> int | None:
    """Days since 1970, or None where there is no such day."""
    if match := _SEPARATED.fullmatch(date):
        year, month, day = int(match[1]), int(match[3]), int(match[4] or 1)
    elif match := _COMPACT.fullmatch(date):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    elif _YEAR.fullmatch(date):
        year, month, day = int(date), 1, 1
    else:
        return None
    if not 1 <= month <= 12:
        return None
    months = np.datetime64((year - 1970) * 12 + month - 1, "M")
    first, last = (each.astype("datetime64[D]").astype(np.int64) for each in (months, months + 1))
    return int(first) + day - 1 if 1 <= day <= last - first else None


def _second(clock: str) -> int | None:
    """Seconds since midnight, or None where no clock shows that."""
    match = _CLOCK.fullmatch(clock) or _COMPACT_CLOCK.fullmatch(clock)
    if match is None:
        return None if clock else 0
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if match[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[4] in "pP" else 0)
    return 3600 * hour + 60 * minute + second if hour < 24 and minute < 60 and second < 60 else None


def _reason(text: str, date: str, clock: str, day: int | None) -> str:
    """What a time must be that this text is not."""
    if day is not None:
        number = re.match(r"[\d:.,]*", clock, re.ASCII)
        zone = clock[number.end() :] if number else clock
        if _ZONE.fullmatch(zone) and not _HALF.fullmatch(zone):
            return f"must be a time without a time zone, {EXAMPLE}: leave out {zone.strip()[:_SHOWN]!r}"
        return "must have a clock from 00:00:00 to 23:59:59 behind its date, or none"
    if _YEAR_LAST.fullmatch(date):
        return "must have the year first, then month and day, as 1/2/2014 may be either's"
    if _SEPARATED.fullmatch(date) or _COMPACT.fullmatch(date):
        return "must be a day of the calendar"
    return f"must be a time, year, month and day, {EXAMPLE}"


def _number(number: float, text: str) -> str:
    """What is said of an epoch: the time that it is where it counts seconds, or parts of them."""
    parts = next((parts for parts in (1, 10**3, 10**6, 10**9) if abs(number) < parts * 10**11), None)
    remedy = EXAMPLE
    if parts is not None:
        unit = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[parts]
        time = str(np.datetime64(int(number / parts), "s")).replace("T", " ")
        remedy = f'counted in {unit} since 1970 it is "{time}"'
    return f"start is required as a time in text, and not as a number: {remedy}; it is {text[:_SHOWN]}."


def _shown(text: str) -> str:
    return f'"{text[:_SHOWN]}"'
