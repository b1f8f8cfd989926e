"""Words of a vocabulary's file."""

from __future__ import annotations

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.shared.text.vocabulary import Vocabulary


def test_words_on_several_lines_are_told() -> None:
    notes: list[str] = []

    words = Vocabulary.read(Auxiliary.of("auxiliary", {"vocab.txt": b"sea\nsky\nsea\n"}), 3, notes.append)

    assert words.words == ("sea", "sky", "sea")
    assert list(words.tokens("sky sea")) == [1, 0]
    assert len(notes) == 1 and notes[0].startswith(
        "auxiliary/vocab.txt has 1 word on more than one line, such as 'sea'"
    )
