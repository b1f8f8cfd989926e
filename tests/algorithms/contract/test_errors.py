"""Sentences that are read."""

from algoport.algorithms.contract.errors import FIRST, LAST, UserError


def test_a_sentence_that_quotes_without_end_is_cut_in_its_middle():
    long = "k: must be a number; it is '" + "[" * 50_000 + "'."

    (sentence,) = UserError(long).findings

    assert sentence.startswith("k: must be a number; it is '[[[") and sentence.endswith("[[['.")
    assert len(sentence) < FIRST + LAST + 10 and str(UserError(long)) == sentence


def test_other_sentences_are_left_as_they_are():
    some = ["one", "x" * (FIRST + LAST)]

    assert UserError(some).findings == some
