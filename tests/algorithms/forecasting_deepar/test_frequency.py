"""Times, calendar and lags against pandas and the lists of GluonTS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas
import pytest

from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.series import Reader, Schema
from tests.algorithms.forecasting_deepar.test_gradients import plan

# gluonts.time_feature.lag.get_lags_for_frequency, version 0.17.0, computed once.
MONTHLY = [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 23, 24, 25, 35, 36, 37]
PANDAS = {"M": "MS", "W": "W", "D": "D", "H": "h", "min": "min"}


def test_monthly_lags_are_those_of_gluonts() -> None:
    assert Frequency("M").lags() == MONTHLY


def test_daily_and_hourly_lags_reach_the_seasons_of_the_paper() -> None:
    assert {7, 14, 21, 28, 364} <= set(Frequency("D").lags())
    assert {24, 48, 72} <= set(Frequency("H").lags())
    assert max(Frequency("min").lags()) <= 1200


def _calendar(frequency: str, start: str, points: int) -> np.ndarray:
    own = plan(time_freq=frequency, context_length=points, prediction_length=1, cardinality=(), num_dynamic_feat=0)
    own = replace(own, standards=np.zeros((2, 0), np.float32))
    reader = Reader(Schema(frequency=Frequency(frequency), likelihood="gaussian", categories=0, features=0))
    reader.add(Objects(values=[{"start": start, "target": [1.0] * (points + 1)}]))
    series = reader.series()
    windows = own.windows(series, own.calendar(series), np.zeros(1, np.int64), np.array([points]))
    first = len(own.lags) + 1
    return windows.inputs[0, :, first : first + own.frequency.calendar]


@pytest.mark.parametrize("multiple", ["", "3"])
@pytest.mark.parametrize("letter", ["M", "W", "D", "H", "min"])
@pytest.mark.parametrize("start", ["1967-12-30 21:58:00", "2019-12-29 00:00:00", "2024-02-27 23:59:00"])
def test_calendar_is_that_of_pandas(letter: str, multiple: str, start: str) -> None:
    columns = _calendar(multiple + letter, start, 800)

    step = int(multiple or 1) * {"W": 7}.get(letter, 1)
    if letter == "M":
        months = pandas.period_range(start[:7], periods=801 * step, freq="M")[::step]
        want = [months.month / 11 - 1 / 11 - 0.5]
    else:
        unit = {"W": "D", "D": "D", "H": "h", "min": "min"}[letter]
        at = pandas.Timestamp(start).floor(unit) + pandas.to_timedelta(np.arange(801) * step, unit=unit)
        days = [at.dayofweek / 6 - 0.5, (at.day - 1) / 30 - 0.5, (at.dayofyear - 1) / 365 - 0.5]
        want = {
            "W": [days[1], (at.isocalendar().week.to_numpy(float) - 1) / 52 - 0.5],
            "D": days,
            "H": [at.hour / 23 - 0.5, *days],
            "min": [at.minute / 59 - 0.5, at.hour / 23 - 0.5, *days],
        }[letter]
    np.testing.assert_allclose(columns, np.stack([np.asarray(column, float) for column in want], 1), atol=1e-6)


@pytest.mark.parametrize("text", ["", "tomorrow", "2020-13-01", "2020-01-01T00:00:00Z", "NaT"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Frequency("D").time(text)
