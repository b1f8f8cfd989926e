"""What is fuzzed beside the models of the example: the ids of tokens."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.object2vec import auxiliary, example
from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
from algoport.algorithms.object2vec.shapes import Shape
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One; files of vectors are read as those of other algorithms."""
    own = example.files()[auxiliary.CHANNEL]
    given = {"enc0_vocab_file": "vocab.json", "enc0_pretrained_embedding_file": "vectors.txt"}
    settings = Hyperparameters.read({**example.HYPERPARAMETERS, **given})
    shape = Shape.of(settings)

    def feed(data: bytes) -> bool:
        files = {auxiliary.CHANNEL: Auxiliary.of(auxiliary.CHANNEL, {**own, "vocab.json": data})}
        return works(lambda: auxiliary.read(files, settings, shape, lambda note: None))

    yield Target("object2vec token ids", [own["vocab.json"]], feed)
