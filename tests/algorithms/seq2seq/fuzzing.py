"""What is fuzzed beside the models of the example: vocabularies."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.seq2seq import example
from algoport.algorithms.seq2seq.vocabulary import Vocabulary
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One, which also encodes and decodes with what was read."""
    seeds = [*example.files()["vocab"].values(), '{"<pad>":0,"<unk>":1,"<s>":2,"</s>":3,"ä":4}'.encode()]

    def feed(data: bytes) -> bool:
        def read() -> None:
            own = Vocabulary.read(Auxiliary.of("vocab", {"vocab.src.json": data}), "vocab.src.json")
            ids = own.encode(["word1 <unk> nothing", ""])
            assert own.decode([int(number) for number in ids.values]) is not None
            assert len(Vocabulary.parse(own.file(), "again")) == len(own)

        return works(read)

    yield Target("seq2seq vocabulary", seeds, feed)
