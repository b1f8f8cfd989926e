"""What is fuzzed beside the models of the example: vocabularies of documents."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.shared.text.vocabulary import FILE, Vocabulary
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One, which also counts a text in what was read."""
    seeds = [b"sea\nland\nmoon\nsun\n", "\ufeffa\r\nb c\r\n\r\nü+\r\n\n".encode(), b"a\n\na\nb"]

    def feed(data: bytes) -> bool:
        def read() -> None:
            own = Vocabulary.read(Auxiliary.of("auxiliary", {FILE: data}), 4, lambda note: None)
            assert len(own) == 4 and all(0 <= column < 4 for column in own.tokens("sea Land c moon-sun ü+ b's"))

        return works(read)

    yield Target("vocabulary", seeds, feed)
