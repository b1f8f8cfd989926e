"""Trains and answers the example job in every way but the plain one, and prints which kernels that compiled.

Run with the kernels that the plain way compiled: `python -m tests.conformance.variations NAME`.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared import compiled
from algoport.training.examples import choices


def main(name: str) -> None:
    """All of it."""
    compiled.prepare()
    from tests.conformance.example import Example

    example = Example(name)
    with tempfile.TemporaryDirectory() as place:
        model = _trained(example, Path(place))
    _answered(example, model)
    print(*compiled.compiled_here(), sep="\n")
    print(f"compiled: {compiled.compilations()}")


def _trained(example: Any, place: Path) -> Any:
    """Resumed, from a loaded model, shared out among members of which one has nothing, and from read-only rows."""
    from scipy import sparse

    from algoport.algorithms.contract import Memory
    from tests.conformance.example import CheckpointFiles
    from tests.groups import together

    rows = example.rows()["train"]
    model = example.fit(checkpoints=CheckpointFiles(place / "checkpoints"))
    example.fit(checkpoints=CheckpointFiles(place / "checkpoints"))
    model.save(place / "model")
    loaded = example.Model.load(place / "model")
    example.fit(start=loaded)
    shards = [rows, rows[:0]]
    sources = [{"distribution": "ShardedByS3Key"}] * 2
    together(
        2,
        lambda group: example.fit(
            group, channels={"train": Memory(shards[group.rank], group=group, **sources[group.rank])}
        ),
    )
    if not isinstance(rows, Rows):
        return loaded
    locked = np.ascontiguousarray(rows.dense())
    locked.setflags(write=False)
    example.fit(channels={"train": Memory(replace(rows, features=locked))})
    example.fit(channels={"train": Memory(replace(rows, features=sparse.csr_array(locked)))})
    return loaded


def _answered(example: Any, model: Any) -> None:
    """None, one and many, read-only, out of order in memory, and sparse."""
    from scipy import sparse

    rows = example.requests()
    if not isinstance(rows, Rows):
        for asked in (rows, rows[:0], rows[:1]):
            for options in choices(example.name):
                model.predict(asked, options)
        return
    dense = np.ascontiguousarray(rows.dense())
    locked = dense.copy()
    locked.setflags(write=False)
    for features in (
        dense,
        dense[:0],
        dense[:1],
        dense[::2],
        np.asfortranarray(dense),
        locked,
        sparse.csr_array(dense),
    ):
        for options in choices(example.name):
            model.predict(replace(rows, features=features), options)


if __name__ == "__main__":
    main(sys.argv[1])
