"""The passes of means in one call: against the passes by hand, on every comparison, activation and output."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec import gradients, means
from algoport.algorithms.object2vec.gradients import Pairs
from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
from algoport.algorithms.object2vec.shapes import Shape, initial_table, initial_weights
from algoport.algorithms.shared.linalg.gemm import HEIGHT, THIRD, WIDTH

BASE: dict[str, object] = {
    "enc0_network": "pooled_embedding", "enc0_max_seq_len": 9, "enc0_vocab_size": 13, "enc0_token_embedding_dim": 5,
    "mlp_dim": 6,
}  # fmt: skip
WIDE: dict[str, object] = {"enc0_token_embedding_dim": 8 * HEIGHT + 1, "mlp_dim": 3 * WIDTH}
CASES: dict[str, dict[str, object]] = {
    "linear": {},
    "tanh": {"mlp_activation": "tanh", "output_layer": "mean_squared_error", "mlp_layers": 1},
    "relu": {"mlp_activation": "relu", "comparator_list": "concat", "mlp_layers": 3},
    "no perceptron": {"mlp_layers": 0, "comparator_list": "hadamard, concat"},
    "one number": {"mlp_layers": 0, "output_layer": "mean_squared_error"},
    "many classes": {"num_classes": 30, "comparator_list": "abs_diff, hadamard, abs_diff"},
    "tied": {"tied_token_embedding_weight": True, "num_classes": 4},
    "wide": {**WIDE, "mlp_activation": "tanh"},
    "wide layers that end within a tile": {**WIDE, "mlp_dim": 3 * WIDTH + THIRD + 1},
    "wide, of a tile and two thirds": {**WIDE, "enc0_token_embedding_dim": HEIGHT + 2 * THIRD},
}
COUNTS = [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH]


def some(given: dict[str, object], m: int) -> tuple[Shape, Any, dict[str, NDArray[np.float32]], Pairs]:
    settings = Hyperparameters.read({**BASE, **given})
    random, shape = np.random.default_rng(m), Shape.of(settings)
    weights = initial_weights(shape, random) + random.normal(0, 0.1, shape.size).astype(np.float32)
    tables = {name: initial_table(*size, random) for name, size in shape.tables.items()}
    label = random.integers(0, shape.outputs, m) if shape.outputs > 1 else random.normal(size=m)
    lengths = np.where(random.random((2, m)) < 0.5, 1, random.integers(1, 9, (2, m)))
    left, right = (Ragged.of([random.integers(0, 13, length) for length in own]) for own in lengths)
    pairs = Pairs((left, right), (np.arange(m), np.arange(m)), label.astype(np.float32))
    return shape, weights, tables, pairs


def passes(shape: Shape, weights: Any, tables: Any, pairs: Pairs, frozen: frozenset[str] = frozenset()) -> Any:
    (batch,) = means.batches(pairs, np.array([0, len(pairs)]), shape)
    gradient = np.full(shape.size, np.nan, np.float32)
    figures, by_tables = means.Passes(shape).gradient_(weights, tables, frozen, batch, gradient)
    return figures, gradient, by_tables


@pytest.mark.parametrize("m", COUNTS)
@pytest.mark.parametrize("case", CASES)
def test_one_call_is_the_passes_by_hand(case: str, m: int) -> None:
    shape, weights, tables, pairs = some(CASES[case], m)
    assert means.Passes.fit(shape)
    want = np.empty(shape.size, np.float32)

    figures, gradient, by_tables = passes(shape, weights, tables, pairs)
    losses, want_tables = gradients.gradient_(shape, weights, tables, frozenset(), pairs, 0.0, want)

    np.testing.assert_allclose(figures[0], losses.losses.sum(), rtol=1e-5)
    assert figures[1:].tolist() == [losses.right.sum(), m]
    np.testing.assert_allclose(gradient, want, rtol=1e-3, atol=1e-4)
    assert by_tables.keys() == want_tables.keys()
    for name, own in by_tables.items():
        np.testing.assert_array_equal(own.rows, want_tables[name].rows)
        np.testing.assert_allclose(own.values, want_tables[name].values, rtol=1e-3, atol=1e-4)


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    shape, weights, tables, pairs = some({**WIDE, "enc0_token_embedding_dim": 300}, 3 * WIDTH + 5)
    before, results = numba.get_num_threads(), []
    for threads in (1, before):
        numba.set_num_threads(threads)
        figures, gradient, by_tables = passes(shape, weights, tables, pairs)
        results.append([figures, gradient, *(own.values for own in by_tables.values())])
    numba.set_num_threads(before)

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", ["tanh", "tied"])
def test_frozen_tables_have_no_gradient_and_nothing_else_changes(case: str) -> None:
    shape, weights, tables, pairs = some(CASES[case], 7)

    _, one, _ = passes(shape, weights, tables, pairs)
    _, other, by_tables = passes(shape, weights, tables, pairs, frozenset(shape.tables))

    assert by_tables == {}
    np.testing.assert_array_equal(one, other)


def test_a_member_without_pairs_has_gradients_of_zero() -> None:
    shape, weights, tables, pairs = some({}, 0)

    figures, gradient, by_tables = passes(shape, weights, tables, pairs)

    assert not figures.any() and not gradient.any()
    assert {name: own.values.shape for name, own in by_tables.items()} == dict.fromkeys(shape.tables, (0, 5))


def test_batches_that_are_read_together_are_those_one_by_one() -> None:
    shape, _, _, pairs = some({"tied_token_embedding_weight": True}, 23)
    edges = np.array([0, 10, 10, 20, 23])

    together = means.batches(pairs, edges, shape)

    assert [len(batch) for batch in together] == [10, 0, 10, 3]
    for batch, (first, last) in zip(together, pairwise(edges), strict=True):
        left, right = (side.cut(slice(first, last)) for side in pairs.sequences)
        own = np.arange(last - first)
        part = Pairs((left, right), (own, own), pairs.labels[first:last])
        (alone,) = means.batches(part, np.array([0, len(own)]), shape)
        np.testing.assert_array_equal(batch.labels, part.labels)
        for side in (0, 1):
            begin, end = batch.offsets[side][[0, -1]]
            np.testing.assert_array_equal(batch.ids[side][begin:end], alone.ids[side])
        for name, plan in batch.plans.items():
            for field in ("rows", "places", "scales", "begins"):
                np.testing.assert_array_equal(getattr(plan, field), getattr(alone.plans[name], field))


def test_encoders_with_a_linear_layer_or_of_another_kind_are_not_means_alone() -> None:
    other = {"enc1_network": "pooled_embedding", "enc1_max_seq_len": 9, "enc1_vocab_size": 13}
    for given in ({"enc0_network": "hcnn"}, {**other, "enc1_token_embedding_dim": 4}):
        assert not means.Passes.fit(Shape.of(Hyperparameters.read({**BASE, **given})))
