"""What is fuzzed beside the models of the example: files of fastText with other losses, quantized, and word pairs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from algoport.algorithms.blazingtext import example
from algoport.algorithms.blazingtext.evaluation import evaluate
from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.contract import Auxiliary
from tests.fuzzing.artifacts import MEMORY, works
from tests.fuzzing.fuzzer import Target

FILES = Path(__file__).parent / "fasttext"


def targets() -> Iterator[Target]:
    """One for classifiers, one for vectors, one for pairs."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    requests = example.requests()[:3]

    def ask(data: bytes) -> bool:
        (folder / "model.bin").write_bytes(data)
        return works(lambda: Model.load(folder).predict(requests))

    for names in (("quantized", "hierarchical", "spelled"), ("skipgram", "cbow")):
        yield Target(f"fastText {names[0]}", [(FILES / f"{name}.bin").read_bytes() for name in names], ask)
    (folder / "model.bin").write_bytes((FILES / "cbow.bin").read_bytes())
    vectors = Model.load(folder)

    def score(data: bytes) -> bool:
        return works(lambda: evaluate(vectors, Auxiliary.of("evaluation", {"pairs": data})))

    yield Target("word pairs", list(example.files()["evaluation"].values()), score)
