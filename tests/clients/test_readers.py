"""What training leaves, read by other libraries where none of our packages is installed.

On each algorithm's example here; on real data beside the algorithm's other tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from algoport.algorithms.contract.records import Rows
from tests.clients import readers
from tests.conformance.example import Example

ON_ROWS = [name for name in readers.readable() if Example(name).kind == "rows"]


@pytest.mark.parametrize("name", readers.readable())
def test_the_page_says_what_to_install(name: str) -> None:
    text = readers.clients.section(readers.algorithms.folder(name), "What reads the model")

    assert "numpy" in readers.clients.installs(text)
    compile(readers.program(name), name, "exec")


@pytest.mark.parametrize("name", ON_ROWS)
def test_other_libraries_answer_from_the_example_s_model(name: str, tmp_path: Path) -> None:
    example = Example(name)
    model = readers.saved(name, example.fit(), tmp_path)
    requests = example.requests()
    assert isinstance(requests, Rows)

    theirs = readers.answered(name, requests.dense(), tmp_path)

    assert theirs
    if set(theirs) & {column.name for column in example.algorithm.answer.columns}:
        readers.agree(name, model, requests.dense(), tmp_path)
