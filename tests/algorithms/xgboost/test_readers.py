"""Boosters, read by the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import data
from tests.clients import readers

CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "trees, spam": ({"objective": "binary:logistic", "num_round": 20}, data.spambase),
    "trees, digits": ({"objective": "multi:softprob", "num_class": 10, "num_round": 5}, data.digits),
    "trees, diamonds": ({"objective": "reg:squarederror", "num_round": 10}, data.diamonds),
    "a linear booster, diamonds": (
        {"objective": "reg:squarederror", "booster": "gblinear", "num_round": 5},
        data.diamonds,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_library_answers_from_our_files_what_we_answer(case: str, tmp_path: Path) -> None:
    given, source = CASES[case]
    rows, label = source()
    model = readers.trained("xgboost", given, readers.table(rows, label), tmp_path)

    readers.agree("xgboost", model, readers.spread(rows), tmp_path)
