"""Attention of a decoder to the states of an encoder (Bahdanau et al. 2015; Luong, Pham and Manning 2015).

n sequences   m queries of each   t states   q numbers of a query   s numbers of a state   a of the attention

The names are those of seq2seq: `dot`; `bilinear`, which Luong calls general; `mlp`, which Luong calls concat, as a
linear map of query and state side by side is the sum of one of each; `fixed`, which always looks at the last state.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["dot", "bilinear", "mlp", "fixed"]


class Attention(nn.Module):
    """From queries and states to contexts, with the weights that each query gives to each state."""

    def __init__(self, kind: Kind, queries: int, states: int, size: int | None = None) -> None:
        """`size` is what `mlp` computes in, and what `dot` projects both to where their lengths differ."""
        super().__init__()
        self.kind = kind
        size = size or queries
        projects = kind == "mlp" or (kind == "dot" and queries != states)
        self.query = nn.Linear(queries, size, bias=False) if projects else None
        self.state = nn.Linear(states, size, bias=False) if projects else None
        self.between = nn.Linear(states, queries, bias=False) if kind == "bilinear" else None
        self.score = nn.Linear(size, 1, bias=False) if kind == "mlp" else None

    def keys(self, states: Tensor) -> Tensor:
        """What the scores need of the states (n, t, s), computed once for all steps of a decoder."""
        if self.between is not None:
            projected: Tensor = self.between(states)
            return projected
        return states if self.state is None else self.state(states)

    def forward(
        self,
        queries: Tensor,  # (n, m, q)
        states: Tensor,  # (n, t, s)
        lengths: Tensor,  # (n,) int64  how many of the states count; at least one
        keys: Tensor | None = None,  # of the states, where they are known
    ) -> tuple[Tensor, Tensor]:
        """Contexts (n, m, s), and weights (n, m, t), which are 0 past a sequence's length and sum to 1."""
        if self.kind == "fixed":
            weights = torch.zeros(*queries.shape[:2], states.shape[1], dtype=states.dtype, device=states.device)
            places = (lengths - 1).view(-1, 1, 1).expand(-1, queries.shape[1], 1)
            weights = weights.scatter(2, places, 1.0)
        else:
            scores = self._scores(queries, self.keys(states) if keys is None else keys)
            padding = torch.arange(states.shape[1], device=states.device) >= lengths[:, None]  # (n, t)
            weights = scores.masked_fill(padding[:, None], -torch.inf).softmax(2)
        return weights @ states, weights

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(n, m, t)"""
        if self.query is not None:
            queries = self.query(queries)
        if self.score is None:
            return queries @ keys.transpose(1, 2)
        scores: Tensor = self.score(torch.tanh(queries[:, :, None] + keys[:, None])).squeeze(3)
        return scores
