"""The kernels for GPUs against the plain twins; on a machine without a GPU torch computes on its CPU."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.linear_learner import kernels, kernels_torch
from tests.algorithms.linear_learner import plainly

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
NAMES = ("shift", "scale", "weights", "bias")


@settings(deadline=None, max_examples=80)
@given(
    n=some.sampled_from([0, 1, 7, 300]),
    d=some.integers(1, 9),
    m=some.sampled_from([1, 3, 32]),
    k=some.sampled_from([3, 10]),
    loss=some.sampled_from(range(9)),
    seed=some.integers(0, 999),
)
def test_gradients_losses_and_scores_are_the_plain_ones(n, d, m, k, loss, seed):
    sizes = plainly.problem(n, d, m, k, loss, seed)
    inputs = sizes.given
    matrix = sparse.csr_matrix(inputs["rows"])
    entries = matrix.indptr, matrix.indices, matrix.data
    dense, sparsely, only = plainly.room(sizes), plainly.room(sizes), np.ones(m)
    output, other = (np.empty((n, sizes.c), np.float32) for _ in range(2))

    kernels_torch.gradients(*inputs.values(), *dense)
    kernels_torch.sparse_gradients(*entries, *list(inputs.values())[1:], *sparsely)
    kernels_torch.scores(inputs["rows"], *(inputs[name] for name in NAMES), output)
    kernels_torch.sparse_scores(*entries, *(inputs[name] for name in NAMES), other)
    of = ("targets", "row_weights", "positive", "loss", "parameter")
    kernels_torch.loss_sums(output, *(inputs[name] for name in of), only)

    want = plainly.gradients(**inputs)
    for plain, mine, apart in zip(want, dense, sparsely, strict=True):
        plainly.near(mine, plain + 1)
        plainly.near(apart, plain + 1)
    plainly.near(only, want[2] + 1)
    scores = plainly.scores(inputs["rows"], *(inputs[name] for name in NAMES))
    plainly.near(output, scores)
    plainly.near(other, scores)


def test_scores_are_made_in_parts(monkeypatch):
    monkeypatch.setattr(kernels_torch, "SCORES", 4 * 3 * 10)
    sizes = plainly.problem(101, 4, 3, 1, kernels.LOGISTIC, 0)
    outputs = plainly.room(sizes)

    kernels_torch.gradients(*sizes.given.values(), *outputs)

    for plain, mine in zip(plainly.gradients(**sizes.given), outputs, strict=True):
        plainly.near(mine, plain + 1)


def test_predictions_are_those_of_the_other_kernels():
    random = np.random.default_rng(0)
    rows, weights = random.normal(size=(50, 6)).astype(np.float32), random.normal(size=(6, 4)).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)

    plainly.near(kernels_torch.predict(rows, weights, bias), kernels.predict(rows, weights, bias))
    assert kernels_torch.update is kernels.update
