"""Sentences step by step and back."""

import numpy as np

from algoport.algorithms.seq2seq.packing import Packing
from tests.algorithms.seq2seq.jobs import drawn


def test_rows_lie_step_by_step_and_come_back():
    source = drawn(17).tokens("source")
    own = Packing.of(source.lengths)
    longest = source.lengths.max()

    steps = [
        [source[number][step] for number in own.order if len(source[number]) > step] for step in range(int(longest))
    ]

    assert own.take(source).tolist() == [token for step in steps for token in step]
    assert own.sizes.tolist() == list(map(len, steps)) and own.rows == source.offsets[-1]
    by_sentence = [token for number in own.order for token in source[number]]
    assert own.take(source)[own.by_sentence].tolist() == by_sentence
    assert np.array(by_sentence)[own.in_sentence].tolist() == own.take(source).tolist()


def test_neighbors_are_the_rows_beside_a_token_or_one_behind_all():
    own = Packing.of(np.array([3, 1]))

    # Rows: the first tokens of both sentences, then the second and third of the longer one.
    assert own.neighbors(3, 1).tolist() == [[4, 0, 2], [4, 1, 4], [0, 2, 3], [2, 3, 4]]


def test_no_sentences_have_no_rows():
    own = Packing.of(np.zeros(0, np.int64))

    assert own.rows == 0 and own.spans() == [] and own.neighbors(2, 0).shape == (0, 2)
