"""What is fuzzed beside the models of the example: index files of FAISS, and what is searched in them."""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np

from algoport.algorithms.knn import faiss_file
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One for all kinds of index."""
    rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    seeds = []
    for kind in ("Flat", "IVF3,Flat", "IVF2,PQ2", "IDMap,Flat"):
        index = faiss.index_factory(4, kind)
        index.train(rows)
        index.add_with_ids(rows, np.arange(300)) if kind.startswith("IDMap") else index.add(rows)
        seeds.append(bytes(faiss.serialize_index(index)))

    def feed(data: bytes) -> bool:
        def search() -> None:
            index = faiss_file.read(memoryview(data), "model_algo-1")
            if index.width <= 64:
                index.search(np.ones((6, index.width), np.float32), 1)

        return works(search)

    yield Target("FAISS index", seeds, feed)
