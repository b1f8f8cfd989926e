"""Sentences that are read."""

import numpy as np
import pytest

from algoport.algorithms.contract.errors import FIRST, LAST, UserError, lacks_memory


def test_a_sentence_that_quotes_without_end_is_cut_in_its_middle():
    long = "k: must be a number; it is '" + "[" * 50_000 + "'."

    (sentence,) = UserError(long).findings

    assert sentence.startswith("k: must be a number; it is '[[[") and sentence.endswith("[[['.")
    assert len(sentence) < FIRST + LAST + 10 and str(UserError(long)) == sentence


def test_other_sentences_are_left_as_they_are():
    some = ["one", "x" * (FIRST + LAST)]

    assert UserError(some).findings == some


def test_errors_of_libraries_that_lack_memory_are_known():
    """More than any machine can address, asked of the libraries themselves: their words may change."""
    torch = pytest.importorskip("torch")
    errors = []
    for count in (1 << 50, 1 << 60, 1 << 62):  # too much for the machine, for an address, and for a number
        for make in (np.empty, torch.empty):
            with pytest.raises(Exception) as caught:
                make(count)
            errors.append(caught.value)

    assert [str(error) for error in errors if not lacks_memory(error)] == []
    assert lacks_memory(torch.OutOfMemoryError()) and lacks_memory(MemoryError())
    assert not lacks_memory(RuntimeError("a bug")) and not lacks_memory(ValueError("memory"))
