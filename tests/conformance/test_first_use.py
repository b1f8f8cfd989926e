"""What a first job and a first server compile ahead is what their kernels are called with."""

from __future__ import annotations

import json

import pytest

from algoport import algorithms
from algoport.algorithms import ahead
from algoport.training import warmup

LISTED = [name for name in algorithms.names() if (algorithms.folder(name) / ahead.LIST).is_file()]


@pytest.mark.parametrize("algorithm", LISTED)
def test_the_list_is_of_the_kernels_that_the_first_example_calls(algorithm: str) -> None:
    """Where it is not: python -m algoport.training.warmup --list NAME."""
    listed = json.loads((algorithms.folder(algorithm) / ahead.LIST).read_text())

    assert json.loads(warmup.kernels(algorithm)) == listed


def test_types_of_arguments_survive_the_list() -> None:
    from numba import types

    kinds = [
        types.Array(types.float32, 2, "C", readonly=True),
        types.Array(types.boolean, 1, "A"),
        types.int64,
        types.boolean,
        types.none,
        types.Omitted(3),
        types.UniTuple(types.int64, 2),
    ]

    again = [ahead.decode(json.loads(json.dumps(ahead.encode(kind)))) for kind in kinds]

    assert again == kinds
