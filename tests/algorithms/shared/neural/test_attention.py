"""Attention beside the formulas, a place at a time, and torch's own product."""

import pytest
import torch
from torch.nn import functional

from algoport.algorithms.shared.neural.attention import Attention

LENGTHS = torch.tensor([4, 1, 3])


def data(queries: int, states: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(3, 2, queries, generator=random), torch.randn(3, 4, states, generator=random)


def plainly(own: Attention, query: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The weights of one query over the states that count, as the specification has the scores."""
    if own.kind == "fixed":
        return torch.eye(len(states))[-1]
    scores = []
    for state in states:
        if own.kind == "mlp":
            score = own.score.weight[0] @ torch.tanh(own.query.weight @ query + own.state.weight @ state)
        elif own.kind == "bilinear":
            score = query @ own.between.weight @ state
        elif own.query is None:
            score = query @ state
        else:
            score = (own.query.weight @ query) @ (own.state.weight @ state)
        scores.append(score)
    return torch.stack(scores).softmax(0)


@pytest.mark.parametrize(
    ("kind", "queries", "states"), [("dot", 5, 5), ("dot", 5, 7), ("bilinear", 5, 7), ("mlp", 5, 7), ("fixed", 5, 7)]
)
def test_contexts_weights_and_gradients_are_those_of_the_formulas(kind, queries, states):
    own = Attention(kind, queries, states, size=6)
    q, s = (each.requires_grad_() for each in data(queries, states))

    contexts, weights = own(q, s, LENGTHS)
    contexts.square().sum().backward()
    gradients = [q.grad, s.grad, *(each.grad for each in own.parameters())]
    q.grad = s.grad = None
    own.zero_grad()

    loss = torch.zeros(())
    for n, length in enumerate(LENGTHS.tolist()):
        for m in range(2):
            expected = plainly(own, q[n, m], s[n, :length])
            torch.testing.assert_close(weights[n, m, :length], expected, rtol=1e-4, atol=1e-5)
            assert not weights[n, m, length:].any()
            loss = loss + (expected @ s[n, :length]).square().sum()
    loss.backward()
    for mine, theirs in zip(gradients, [q.grad, s.grad, *(each.grad for each in own.parameters())], strict=True):
        if mine is not None and theirs is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    assert gradients[1] is not None and (kind == "fixed" or all(each is not None for each in gradients))


def test_dot_is_torch_s_product_without_its_scale():
    q, s = data(5, 5)
    mask = (torch.arange(4) < LENGTHS[:, None])[:, None].expand(-1, 2, -1)

    contexts, _ = Attention("dot", 5, 5)(q, s, LENGTHS)

    torch.testing.assert_close(contexts, functional.scaled_dot_product_attention(q, s, s, mask, scale=1.0))


@pytest.mark.parametrize("kind", ["dot", "bilinear", "mlp"])
def test_keys_can_be_computed_once_for_all_steps(kind):
    own = Attention(kind, 5, 7, size=6)
    q, s = data(5, 7)

    whole, _ = own(q, s, LENGTHS)
    steps = [own(q[:, step : step + 1], s, LENGTHS, own.keys(s))[0] for step in range(2)]

    torch.testing.assert_close(torch.cat(steps, 1), whole)
