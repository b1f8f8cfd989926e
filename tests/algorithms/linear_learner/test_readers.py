"""Linear models of each kind, read by scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import data
from tests.clients import readers

SMALL = {"mini_batch_size": 200, "epochs": 5}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "two classes, spam": ({**SMALL, "predictor_type": "binary_classifier", "feature_dim": 57}, data.spambase),
    "ten classes, digits": (
        {**SMALL, "predictor_type": "multiclass_classifier", "num_classes": 10, "feature_dim": 64},
        data.digits,
    ),
    "a number, diamonds": (
        {"predictor_type": "regressor", "feature_dim": 23, "epochs": 2, "mini_batch_size": 1000},
        data.diamonds,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_scikit_learn_answers_from_our_files_what_we_answer(case: str, tmp_path: Path) -> None:
    given, source = CASES[case]
    rows, label = source()
    model = readers.trained("linear-learner", given, readers.table(rows, label), tmp_path)

    readers.agree("linear-learner", model, readers.spread(rows), tmp_path)
