"""Times as users write them, against pandas, and what is refused with its remedy."""

from __future__ import annotations

import pandas
import pytest

from algoport.algorithms.forecasting_deepar import times

# As pandas reads them, whatever its release.
WRITTEN = [
    "2014-01-31",
    "2014-1-1 0:00:00",
    "2014/01/01",
    "2014/1/31 7:05",
    "2014.01.31",
    "20140131",
    "20140131T0705",
    "2014-01",
    "2014",
    "2014-01-31T23:59:59.999999999",
    "  2014-01-31   23:59  ",
    "2014-01-31 12:30 AM",
    "2014-01-31 12:30 pm",
    "1967-02-28 00:00:00",
    "2024-02-29t06",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_read_without_doubt_is_the_time_of_pandas(text: str) -> None:
    want = pandas.Timestamp(text.strip()).floor("s")

    own = times.read(text)

    assert pandas.Timestamp(own.day, unit="D") + pandas.Timedelta(own.second, "s") == want
    assert own.months == (want.year - 1970) * 12 + want.month - 1


ZONES = [
    "Z",
    "z",
    " Z",
    "-05:00",
    "+00:00",
    "+0530",
    "+05",
    " +01:00",
    " UTC",
    " GMT",
    "UTC+2",
    " EST",
    "[Europe/Berlin]",
]
ZONES += [" America/New_York", "+01:00[Europe/Berlin]", " Etc/GMT+5"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_zone_is_refused_however_it_is_spelled(zone: str) -> None:
    with pytest.raises(ValueError, match="without a time zone.*leave out") as error:
        times.read("2020-01-01T23:00:00" + zone)

    assert zone.strip() in str(error.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("now", 'start must be a time, year, month and day, "2014-01-31 00:00:00"; it is "now"'),
        ("today", 'it is "today"'),
        ("NaT", 'it is "NaT"'),
        ("", 'it is ""'),
        ("2020Q1", 'it is "2020Q1"'),
        ("2014-02-30", "must be a day of the calendar"),
        ("2014-13-01", "must be a day of the calendar"),
        ("01/02/2014", "must have the year first"),
        ("2014-01-01 25:00", "a clock from 00:00:00 to 23:59:59"),
        ("2014-01-01 24:00:00", "a clock from 00:00:00 to 23:59:59"),
        ("2014-01-01 13:00 PM", "a clock from 00:00:00 to 23:59:59"),
        ("1388534400", 'counted in seconds since 1970 it is "2014-01-01 00:00:00"'),
        (1388534400, 'counted in seconds since 1970 it is "2014-01-01 00:00:00"; it is 1388534400'),
        (1388534400000, 'counted in milliseconds since 1970 it is "2014-01-01 00:00:00"'),
        (1388534400.0, 'counted in seconds since 1970 it is "2014-01-01 00:00:00"'),
        (float("nan"), "a time in text, and not as a number"),
        (1e300, "a time in text, and not as a number"),
        (10**400, "a time in text, and not as a number"),
        (True, "must be a time as text"),
        (["2014"], "must be a time as text"),
        (None, "it is missing"),
        ("\uff12014-01-01", "must be a time"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(given: object, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        times.read(given)

    assert sentence in str(error.value)
