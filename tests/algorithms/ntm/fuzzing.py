"""What is fuzzed beside the models of the example: files of word vectors."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.shared.text import vectors
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target

WORDS = ["sea", "land", "moon", "sea"]


def targets() -> Iterator[Target]:
    """GloVe's and word2vec's text formats."""
    seeds = [b"the 1 2\nsea 3 4\nland 5 6\n", b"2 3\nsea 1 2 3\nmoon .5 -1e3 2\n", b"a 1\n. . 2\nsea\t3\n"]

    def feed(data: bytes) -> bool:
        def read() -> None:
            own = vectors.read(Auxiliary.of("auxiliary", {"glove.txt": data}), "glove.txt", WORDS)
            assert own.vectors.shape[0] == len(own.known) == len(WORDS)

        return works(read)

    yield Target("word vectors", seeds, feed)
