"""The passes by hand: against torch, on every encoder, comparison, activation and output."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec import gradients, kernels_torch
from algoport.algorithms.object2vec.gradients import Pairs
from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
from algoport.algorithms.object2vec.shapes import Shape, initial_table, initial_weights

BASE: dict[str, object] = {
    "enc0_max_seq_len": 9, "enc0_vocab_size": 13, "enc0_token_embedding_dim": 5, "enc_dim": 10, "mlp_dim": 6,
}  # fmt: skip
OTHER: dict[str, object] = {"enc1_max_seq_len": 9, "enc1_vocab_size": 13}
CASES: dict[str, dict[str, object]] = {
    "hcnn": {},
    "one layer, even filters": {"enc0_layers": 1, "enc0_cnn_filter_width": 4},
    "filters of a token": {"enc0_cnn_filter_width": 1, "comparator_list": "abs_diff, hadamard"},
    "bilstm": {"enc0_network": "bilstm", "mlp_activation": "tanh"},
    "two layers of bilstm": {"enc0_network": "bilstm", "enc0_layers": 2, "output_layer": "mean_squared_error"},
    "means": {"enc0_network": "pooled_embedding", "mlp_activation": "relu", "comparator_list": "concat"},
    "a mean beside convolutions": {**OTHER, "enc1_network": "pooled_embedding", "enc1_token_embedding_dim": 4},
    "a mean before a bilstm": {**OTHER, "enc0_network": "pooled_embedding", "enc1_network": "bilstm",
                               "enc1_token_embedding_dim": 4},
    "tied": {"tied_token_embedding_weight": True, "num_classes": 4},
    "no perceptron": {"mlp_layers": 0},
    "dropout": {"dropout": 0.4, "mlp_activation": "tanh"},
}  # fmt: skip


def ragged(random: np.random.Generator, count: int) -> Ragged:
    return Ragged.of([random.integers(0, 13, length) for length in random.integers(1, 9, count)])


def some(given: dict[str, object], seed: int = 0) -> tuple[Shape, Any, dict[str, NDArray[np.float32]], Pairs, float]:
    settings = Hyperparameters.read({**BASE, **given})
    random, shape = np.random.default_rng(seed), Shape.of(settings)
    weights = initial_weights(shape, random) + random.normal(0, 0.1, shape.size).astype(np.float32)
    tables = {name: initial_table(*size, random) for name, size in shape.tables.items()}
    m = 12
    label = random.integers(0, shape.outputs, m) if shape.outputs > 1 else random.normal(size=m)
    pairs = Pairs(
        (ragged(random, 7), ragged(random, 9)),
        (random.integers(0, 7, m), random.integers(0, 9, m)),
        label.astype(np.float32),
        random.integers(0, 1 << 62, m).astype(np.uint64),
    )
    return shape, weights, tables, pairs, settings.dropout


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_are_those_of_torch(case: str) -> None:
    shape, weights, tables, pairs, dropout = some(CASES[case])
    ours, theirs = np.full((2, shape.size), np.nan, np.float32)

    losses, by_tables = gradients.gradient_(shape, weights, tables, frozenset(), pairs, dropout, ours)
    want, want_tables = kernels_torch.gradient_(
        shape, weights, tables, frozenset(), pairs, dropout, theirs, "cpu"
    )  # fmt: skip

    np.testing.assert_allclose(losses.losses, want.losses, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(losses.right, want.right)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-5)
    assert by_tables.keys() == want_tables.keys() == shape.tables.keys()
    for name, own in by_tables.items():
        np.testing.assert_array_equal(own.rows, want_tables[name].rows)
        np.testing.assert_allclose(own.values, want_tables[name].values, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("case", ["hcnn", "bilstm", "means"])
def test_frozen_tables_have_no_gradient_and_nothing_else_changes(case: str) -> None:
    shape, weights, tables, pairs, dropout = some(CASES[case])
    one, other = np.empty((2, shape.size), np.float32)

    gradients.gradient_(shape, weights, tables, frozenset(), pairs, dropout, one)
    _, by_tables = gradients.gradient_(shape, weights, tables, frozenset(shape.tables), pairs, dropout, other)

    assert by_tables == {}
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", ["hcnn", "bilstm", "means"])
def test_bits_do_not_depend_on_the_number_of_threads(case: str) -> None:
    shape, weights, tables, pairs, dropout = some({**CASES[case], "enc_dim": 96, "mlp_dim": 300})
    before, results = numba.get_num_threads(), []
    for threads in (1, before):
        numba.set_num_threads(threads)
        gradient = np.empty(shape.size, np.float32)
        _, by_tables = gradients.gradient_(shape, weights, tables, frozenset(), pairs, dropout, gradient)
        results.append([gradient, *(own.values for own in by_tables.values())])
    numba.set_num_threads(before)

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", ["hcnn", "bilstm", "means", "a mean beside convolutions"])
def test_a_member_without_pairs_has_gradients_of_zero(case: str) -> None:
    shape, weights, tables, _, dropout = some(CASES[case])
    nothing = np.empty(0, np.int64)
    empty = Pairs((Ragged.of([]), Ragged.of([])), (nothing, nothing), np.empty(0, np.float32))
    gradient = np.full(shape.size, np.nan, np.float32)

    losses, by_tables = gradients.gradient_(shape, weights, tables, frozenset(), empty, dropout, gradient)

    assert len(losses.losses) == 0 and not gradient.any()
    assert {name: own.values.shape for name, own in by_tables.items()} == {
        name: (0, width) for name, (_, width) in shape.tables.items()
    }
