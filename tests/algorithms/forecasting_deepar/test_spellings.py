"""pandas' names of frequencies, of its releases 1 to 3."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.forecasting_deepar.hyperparameters import Hyperparameters
from algoport.algorithms.forecasting_deepar.spellings import frequency

SMALL = {"context_length": 5, "prediction_length": 2, "epochs": 1}


@pytest.mark.parametrize(
    ("text", "own"),
    [
        *((text, "M") for text in ("M", "ME", "MS", "BM", "BME", "BMS")),
        *((text, "W") for text in ("W", "W-SUN", "W-MON")),
        *((text, "D") for text in ("D", "d")),
        *((text, "H") for text in ("H", "h", '"h"')),
        *((text, "min") for text in ("min", "T")),
        *((text, "15min") for text in ("15min", "15T", "900s", "15 min")),
        ("2h", "2H"),
        ("1D", "1D"),
        ("3MS", "3M"),
        ("2W-WED", "2W"),
    ],
)
def test_what_pandas_writes_is_read(text: str, own: str) -> None:
    assert Hyperparameters.read({**SMALL, "time_freq": text}).time_freq == own


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        *((text, "write 3M") for text in ("Q", "QE", "QS", "QE-DEC", "BQE")),
        *((text, "write 12M") for text in ("Y", "YE", "YS", "A", "A-DEC", "AS", "BYE")),
        ("2QE", "write 6M"),
        *((text, "write D, and give null as the target of the days that have none") for text in ("B", "C")),
        *((text, "write H, and give null") for text in ("BH", "bh", "CBH")),
        *((text, "min is the finest") for text in ("s", "S", "30s", "ms", "us", "ns", "L", "U", "N")),
        *((text, "half months") for text in ("SM", "SME", "SMS")),
        ("WOM-2MON", "one day of each month"),
        *((text, "whole multiple") for text in ("1.5h", "1h30min", "0D", "-1D", "month", "x", "٣D", "9" * 5000 + "D")),
        ("1201M", "at most a century, 1200M"),
    ],
)
def test_what_cannot_be_gets_what_to_write(text: str, remedy: str) -> None:
    with pytest.raises(UserError) as error:
        Hyperparameters.read({**SMALL, "time_freq": text})

    sentence = str(error.value)
    assert sentence.startswith("time_freq: must be") and remedy in sentence and text[:40] in sentence


def test_a_frequency_as_we_write_it_stays_as_it_is() -> None:
    assert [frequency(text) for text in ("M", "W", "D", "H", "min", "1H", "36525D")] == [
        *("M", "W", "D", "H", "min", "1H", "36525D")
    ]
