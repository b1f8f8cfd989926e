"""Vectors of words: what is read of the files that GloVe and word2vec write, and what is refused."""

import numpy as np
import pytest

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.text import vectors


def read(text, words):
    data = text if isinstance(text, bytes) else text.encode()
    return vectors.read(Auxiliary.of("auxiliary", {"glove.txt": data}), "glove.txt", words)


def test_the_words_that_are_asked_for_are_kept_in_their_order():
    own = read("the 1 2\nsea 3 4\nland 5 6\n", ["land", "moon", "sea"])

    np.testing.assert_array_equal(own.vectors, [[5, 6], [4, 5], [3, 4]])  # the moon has the mean of both
    assert own.known.tolist() == [True, False, True] and own.missing == 1


@pytest.mark.parametrize(
    "text",
    [
        "3 2\nsea 3 4\n",
        "sea\t3\t4\n",
        "sea 3 4 \r\n\n",
        "sea 3 4\nsea 9 9\n",
        "a 0 0\n. . 1 1\nsea 3 4\n",
    ],
    ids=["header", "tabs", "blanks at the end", "twice", "blank within"],
)
def test_other_ways_to_write_it(text):
    np.testing.assert_array_equal(read(text, ["sea"]).vectors, [[3, 4]])


def test_bytes_that_are_no_text_are_a_word_like_any_other():
    assert read(b"\xff\xfe 1 2\nsea 3 4\n", ["sea"]).missing == 0


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "must have a word with its numbers a line; it has none"),
        ("sea\n", "line 1: must be a word and from 1 to 4096 numbers; it has 0"),
        ("a 1 2\nb 1\n", "line 2: must be a word and 2 numbers, as the lines before; it has 1 behind 'b'"),
        ("sea 1 x\n", "line 1: must be a word and 2 finite numbers; '1 x' are not"),
        ("sea 1 nan\n", "line 1: must be a word and 2 finite numbers; '1 nan' are not"),
        ("a 1\n" + "b" * (1 << 18), "line 2: must have at most 131,072 bytes; it has more"),
    ],
)
def test_what_is_no_vector_is_named_by_its_line(text, sentence):
    with pytest.raises(UserError, match=sentence):
        read(text, ["sea"])
