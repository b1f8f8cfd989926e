"""K-Means' models, read by scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import data
from tests.clients import readers

CASES = {
    "digits": ({"k": 10, "feature_dim": 64, "mini_batch_size": 500}, data.digits),
    "letters": ({"k": 26, "feature_dim": 16}, data.letters),
}


@pytest.mark.parametrize("case", CASES)
def test_scikit_learn_answers_from_our_files_what_we_answer(case: str, tmp_path: Path) -> None:
    given: dict[str, Any]
    given, source = CASES[case]
    rows, _ = source()
    model = readers.trained("kmeans", given, readers.table(rows), tmp_path)

    readers.agree("kmeans", model, readers.spread(rows), tmp_path)
