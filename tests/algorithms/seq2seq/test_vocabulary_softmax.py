"""Cross entropy and its gradient, some rows at a time, are torch's of all rows at once."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from algoport.algorithms.seq2seq import vocabulary_softmax


def drawn(p, h, v):
    random = np.random.default_rng(p)
    rows, output = (random.normal(size=size).astype(np.float32) for size in ((p, h), (v, h)))
    return rows, output, random.normal(size=v).astype(np.float32), random.integers(0, v, p)


@pytest.mark.parametrize("v", [5, 37, 1000])
@pytest.mark.parametrize("p", [0, 1, 33, 130])
def test_losses_and_gradients_are_those_of_torch(p, v, monkeypatch):
    monkeypatch.setattr(vocabulary_softmax, "NUMBERS", 40 * v)  # four parts of 130 rows
    rows, output, bias, labels = drawn(p, 9, v)
    by_output, by_bias = np.full_like(output, np.nan), np.full_like(bias, np.nan)

    own, by_rows = vocabulary_softmax.gradients(rows, output, bias, labels, by_output, by_bias)

    given = [torch.tensor(each, requires_grad=True) for each in (rows, output, bias)]
    logits = given[0] @ given[1].T + given[2]
    losses = functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    wanted = torch.autograd.grad(losses.sum(), given)
    np.testing.assert_allclose(own.losses, losses.detach().numpy(), rtol=1e-5, atol=1e-5)
    assert own.right.tolist() == (logits.argmax(1).numpy() == labels).tolist()
    for got, want in zip((by_rows, by_output, by_bias), wanted, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-5)
    again = vocabulary_softmax.losses(rows, output, bias, labels)
    np.testing.assert_allclose(again.losses, own.losses, rtol=1e-6)
    assert again.right.tolist() == own.right.tolist()


def test_large_logits_do_no_harm():
    rows, output, bias, labels = drawn(20, 9, 50)

    own = vocabulary_softmax.losses(rows * 1e3, output, bias, labels)

    assert np.isfinite(own.losses).all() and own.losses.max() > 1000


@pytest.mark.parametrize("v, rows", [(8_000, 1048), (50_000, 167), (1_000_000, 32)])
def test_a_part_is_as_large_as_32_mb_allow_and_at_least_32_rows(v, rows):
    assert vocabulary_softmax.part_of(v) == rows
