"""What is fuzzed beside the models of the example: the library's own files, in both forms."""

from __future__ import annotations

from collections.abc import Iterator

import xgboost

from algoport.algorithms.xgboost import interchange
from tests.conformance.example import Example
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One a form."""
    rows = Example("xgboost").rows()["train"]
    matrix = xgboost.DMatrix(rows.dense(), label=rows.label)
    facts = ({}, {"booster": "dart", "rate_drop": 0.5}, {"booster": "gblinear"}, {"num_parallel_tree": 2})
    boosters = [xgboost.train({"max_depth": 2, "nthread": 1, **some}, matrix, 2) for some in facts]
    for form in ("json", "ubj"):
        seeds = [bytes(booster.save_raw(form)) for booster in boosters]

        def feed(data: bytes) -> bool:
            return works(lambda: interchange.write(interchange.read(data, "xgboost-model")))

        yield Target(f"xgboost {form}", seeds, feed)
