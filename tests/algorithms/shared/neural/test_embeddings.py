"""Vectors of tokens beside torch's own embeddings."""

import numpy as np
import pytest
import torch
from torch import nn

from algoport.algorithms.shared.neural.embeddings import Embedding

ROWS, WIDTH = 30, 6


def table() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)


def dense(embedding: Embedding) -> torch.Tensor:
    gradient = embedding.take_gradient()
    whole = np.zeros((ROWS, WIDTH), np.float32)
    whole[gradient.rows] = gradient.values
    return torch.from_numpy(whole)


def test_vectors_and_gradients_of_tokens_are_torch_s():
    ids = np.random.default_rng(1).integers(0, ROWS, (4, 7))
    own, peer = Embedding(table()), nn.Embedding.from_pretrained(torch.from_numpy(table()), freeze=False)
    weights = torch.randn(4, 7, WIDTH, generator=torch.Generator().manual_seed(0))

    vectors, want = own(ids), peer(torch.from_numpy(ids))
    (vectors * weights).sum().backward()
    (want * weights).sum().backward()

    assert torch.equal(vectors.detach(), want.detach())
    torch.testing.assert_close(dense(own), peer.weight.grad)
    assert len(own.take_gradient().rows) == 0 and not list(own.parameters())


@pytest.mark.parametrize("mean", [True, False])
def test_pooled_sequences_are_torch_s(mean):
    """An empty sequence among them."""
    lengths = np.array([3, 0, 1, 20, 5])
    ids = np.random.default_rng(2).integers(0, ROWS, lengths.sum())
    begins = torch.from_numpy(np.cumsum(lengths) - lengths)
    own = Embedding(table())
    peer = nn.EmbeddingBag.from_pretrained(torch.from_numpy(table()), freeze=False, mode="mean" if mean else "sum")
    weights = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0))

    vectors, want = own.pool(ids, lengths, mean=mean), peer(torch.from_numpy(ids), begins)
    (vectors * weights).sum().backward()
    (want * weights).sum().backward()

    torch.testing.assert_close(vectors.detach(), want.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(dense(own), peer.weight.grad, rtol=1e-5, atol=1e-6)


def test_uses_add_up():
    """A token looked up, and the same one pooled, in one backward pass."""
    own = Embedding(table())

    (own(np.array([2, 5])).sum() + own.pool(np.array([5, 7]), np.array([2])).sum()).backward()

    gradient = own.take_gradient()
    assert gradient.rows.tolist() == [2, 5, 7]
    np.testing.assert_allclose(gradient.values[:, 0], [1, 1.5, 0.5])
