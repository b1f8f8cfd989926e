"""The smallest job: sequences of differing lengths, one token of which in ten is not the next of its source's."""

import json
from typing import Any

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences

HYPERPARAMETERS: dict[str, object] = {"mini_batch_size": 5}
_SIZE = 11


def channels() -> dict[str, Sequences]:
    return {"train": _pairs(37, 0), "validation": _pairs(9, 1)}


def files() -> dict[str, dict[str, bytes]]:
    return {"vocab": {"vocab.json": json.dumps({f"w{number}": number for number in range(_SIZE)}).encode()}}


def requests() -> Sequences:
    pairs = _pairs(9, 2)
    return Sequences(sequences={"source": pairs.tokens("source")}, present={"source": pairs.has("source")})


def _pairs(count: int, seed: int) -> Sequences:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 8, count)
    source: list[Any] = [random.integers(0, _SIZE, length) for length in lengths]
    target = [
        np.where(random.random(len(each)) < 0.9, (each + 1) % _SIZE, random.integers(0, _SIZE, len(each)))
        for each in source
    ]
    present = {name: np.ones(count, bool) for name in ("source", "target")}
    return Sequences(sequences={"source": Ragged.of(source), "target": Ragged.of(target)}, present=present)
