"""k-NN's models, read by faiss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import data
from tests.clients import readers

CASES: dict[str, Any] = {"digits": data.digits, "letters": data.letters}


@pytest.mark.parametrize("case", CASES)
def test_faiss_answers_from_our_files_what_we_answer(case: str, tmp_path: Path) -> None:
    rows, label = CASES[case]()
    rows, label = rows[:1500], label[:1500]
    given = {"k": 3, "feature_dim": rows.shape[1], "sample_size": 2000, "predictor_type": "classifier"}

    model = readers.trained("knn", given, readers.table(rows, label), tmp_path)

    readers.agree("knn", model, readers.spread(rows), tmp_path)
