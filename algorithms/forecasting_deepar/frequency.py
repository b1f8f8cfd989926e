"""Times of points, lags and calendar by the frequency of the series.

A time is a whole number of units since 1970: months, days, hours or minutes. A frequency is a number of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar import times
from algoport.algorithms.forecasting_deepar.spellings import FREQUENCY

# How many calendar features a frequency has: the finer, the more of a time they say.
CALENDAR = {"M": 1, "W": 2, "D": 3, "H": 4, "min": 5}
_UNIT = {"M": "M", "W": "D", "D": "D", "H": "h", "min": "m"}  # numpy's letter
_UNITS_OF_A_DAY = {"W": 1, "D": 1, "H": 24, "min": 1440}
RECENT, FURTHEST = 7, 1200
# The years that a time may lie in, which are those of a pandas timestamp: the calendar of all days between the first
# point and the last is a table, which two years far apart would let grow without end.
YEARS = (1678, 2261)


@dataclass(frozen=True)
class Frequency:
    """What `time_freq` says."""

    text: str

    @cached_property
    def letter(self) -> str:
        """M, W, D, H or min."""
        return self._parts[1]

    @cached_property
    def multiple(self) -> int:
        """How many of them lie between two points."""
        return int(self._parts[0] or 1)

    @cached_property
    def _parts(self) -> tuple[str, str]:
        match = FREQUENCY.fullmatch(self.text)
        if match is None:
            raise ValueError(self.text)
        return match.group(1) or "", match.group(2)

    @property
    def step(self) -> int:
        """Units between two points."""
        return self.multiple * (7 if self.letter == "W" else 1)

    @property
    def calendar(self) -> int:
        """How many calendar features a time has."""
        return CALENDAR[self.letter]

    def time(self, given: object) -> int:
        """A time in units; ValueError says why the text is none. What is finer than the unit is cut off."""
        time = times.read(given)
        units = self.units_of_a_day
        return time.day * units + time.second * units // 86400 if units else time.months

    def written(self, time: int) -> str:
        """A time as text."""
        return str(np.array(time).astype(f"datetime64[{_UNIT[self.letter]}]"))

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The first time that may be, and the first one after it that may not."""
        return self.time(f"{YEARS[0]}-01-01"), self.time(f"{YEARS[1] + 1}-01-01")

    def days(self, first: int, last: int) -> tuple[NDArray[np.float32], int]:
        """Calendar of the days (days, 4) between two times, and the number of the first day; of months, none.

        Day of week, of month and of year, and week of year (ISO 8601), each from -0.5 to 0.5.
        """
        if self.letter == "M":
            return np.zeros((1, 4), np.float32), 0
        units, (least, most) = _UNITS_OF_A_DAY[self.letter], self.bounds
        begin, end = max(first, least) // units, min(last, most) // units + 1
        return _calendar(np.arange(begin, end, dtype=np.int64)), begin

    @property
    def units_of_a_day(self) -> int:
        """How many units a day has; 0 of months."""
        return _UNITS_OF_A_DAY.get(self.letter, 0)

    @property
    def season(self) -> int:
        """The points of a season: a year of months or weeks, a week of days, a day of hours or minutes, or an hour
        where a day is too far back; 1 where points lie further apart than half of it."""
        points = {"M": 12, "W": 52, "D": 7, "H": 24, "min": 1440}[self.letter] // self.multiple
        return 60 // self.multiple if points > FURTHEST else max(points, 1)

    def lags(self) -> list[int]:
        """How far back the network looks, in points: the last 7, and seasons (as GluonTS, time_feature/lag.py)."""
        m = float(self.multiple)
        lags = {
            "M": lambda: _months(m),
            "W": lambda: _weeks(m),
            "D": lambda: _days(m) + _weeks(m / 7),
            "H": lambda: _hours(m) + _days(m / 24) + _weeks(m / 168),
            "min": lambda: _minutes(m) + _hours(m / 60) + _days(m / 1440) + _weeks(m / 10080),
        }[self.letter]()
        return [*range(1, RECENT + 1), *sorted({int(lag) for lag in lags if RECENT < lag <= FURTHEST})]


def _around(middle: float, reach: int) -> list[float]:
    return [middle + offset for offset in range(-reach, reach + 1)]


def _cycles(points: float, multiple: float, cycles: int, reach: int) -> list[float]:
    return [lag for k in range(1, cycles + 1) for lag in _around(k * points // multiple, reach)]


def _minutes(multiple: float) -> list[float]:
    return _cycles(60, multiple, 3, 2)


def _hours(multiple: float) -> list[float]:
    return _cycles(24, multiple, 7, 1)


def _days(multiple: float) -> list[float]:
    return _cycles(7, multiple, 4, 1) + _around(30 // multiple, 1)


def _weeks(multiple: float) -> list[float]:
    return [*_cycles(52, multiple, 3, 1), 4 // multiple, 8 // multiple, 12 // multiple]


def _months(multiple: float) -> list[float]:
    return _cycles(12, multiple, 3, 1)


def _calendar(days: NDArray[np.int64]) -> NDArray[np.float32]:
    weekday = (days + 3) % 7  # 1970 began on a Thursday
    table = np.empty((len(days), 4), np.float32)
    table[:, 0] = weekday / 6 - 0.5
    table[:, 1] = (days - _begin(days, "M")) / 30 - 0.5
    table[:, 2] = (days - _begin(days, "Y")) / 365 - 0.5
    # A week belongs to the year in which its Thursday lies.
    thursday = days - weekday + 3
    table[:, 3] = (thursday - _begin(thursday, "Y")) // 7 / 52 - 0.5
    return table


def _begin(days: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    """The first day of the month or year of each day."""
    return days.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64)
