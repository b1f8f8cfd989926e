"""Plain text of requests: what is read, what is written, and that both agree."""

from __future__ import annotations

import numpy as np
import pytest

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.text import requests
from algoport.algorithms.shared.text.vocabulary import Vocabulary


def test_counts_that_are_written_as_words_are_counted_again() -> None:
    rows = np.array([[0, 2, 1], [3, 0, 0]], np.float32)
    body = requests.write(Rows(features=rows))

    texts = requests.read(body, "the request")

    counts = Vocabulary(tuple(map(requests.word, range(3)))).counts(texts.text, texts.place)
    np.testing.assert_array_equal(counts.values, [2, 1, 3])
    np.testing.assert_array_equal(counts.words, [1, 2, 0])
    assert requests.write(texts) == body


def test_blank_lines_are_no_documents_and_lines_keep_their_numbers() -> None:
    texts = requests.read(b"\n eins\n\nzwei \r\n", "the request")

    assert [text.strip() for text in texts.text.strings()] == ["eins", "zwei"]
    assert [texts.place(number) for number in range(2)] == ["the request, line 2", "the request, line 4"]


def test_what_no_words_can_say_is_not_written() -> None:
    for rows in ([[0.5, 1]], [[-1, 2]], [[0, 0]]):
        with pytest.raises(ValueError, match="."):
            requests.write(Rows(features=np.array(rows, np.float32)))
