"""Vectors of tokens, in tables whose gradients are row-sparse.

v rows of the table   d numbers of a vector   n sequences   t tokens   p tokens of all sequences

A table lies in a processor's memory, also where the network is on a GPU: what is sent there is what a batch uses. It is
not among the parameters of its module, so that neither `Weights` nor its exchange nor its optimizer touches it;
`sparse` does that for the rows that were used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.neural.kernels.rows import pooled
from algoport.algorithms.shared.neural.sparse import RowGradient, row_gradient


class Embedding(nn.Module):
    """Looks tokens up, and collects the gradients of the rows that were used until `take_gradient`."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        super().__init__()
        self.table = table  # (v, d) float32, C order; changed in place by whoever trains it
        # What a function of torch differentiates by; the table itself is none of its tensors.
        self._anchor = torch.zeros((), requires_grad=True)
        self._uses: list[tuple[Any, Any, Any, Any]] = []  # ids, gradients, places and scales, as for `row_gradient`

    def forward(self, ids: NDArray[np.int64]) -> Tensor:
        """The vectors (*, d) of tokens (*)."""
        look_up: Any = _LookUp.apply
        vectors: Tensor = look_up(self._anchor, self, ids)
        return vectors

    def pool(self, ids: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool = True) -> Tensor:
        """Mean or sum (n, d) over the tokens (p,) of each sequence, which lie one after another; 0 of an empty one."""
        apply: Any = _Pool.apply
        vectors: Tensor = apply(self._anchor, self, ids, lengths, mean)
        return vectors

    def take_gradient(self) -> RowGradient:
        """The gradient of all uses since the last time; none of them is left."""
        uses, self._uses = self._uses, []
        parts, first = [], 0
        for ids, gradients, places, scales in uses:
            parts.append((ids, gradients, places + first, scales))
            first += len(gradients)
        if not parts:
            return RowGradient(np.empty(0, np.int64), np.empty((0, self.table.shape[1]), np.float32))
        whole = [np.concatenate(part) for part in zip(*parts, strict=True)]
        with compiled.turn():
            return row_gradient(whole[0], whole[1], whole[2], whole[3])

    def add_use(self, ids: Any, gradients: Any, places: Any, scales: Any) -> None:
        """What a backward pass found: which rows were used, and with what gradients."""
        self._uses.append((ids, gradients, places, scales))


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchor: Tensor, embedding: Embedding, ids: NDArray[np.int64]) -> Tensor:
        ctx.embedding, ctx.ids = embedding, ids
        return torch.from_numpy(embedding.table[ids])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        ids = np.asarray(ctx.ids, np.int64).ravel()
        values = gradient.reshape(len(ids), -1).contiguous().numpy()
        ctx.embedding.add_use(ids, values, np.arange(len(ids)), np.ones(len(ids), np.float32))
        return torch.zeros(()), None, None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, embedding: Embedding, ids: NDArray[np.int64], lengths: NDArray[np.int64], mean: bool
    ) -> Tensor:
        scales = (1.0 / np.maximum(lengths, 1) if mean else np.ones(len(lengths))).astype(np.float32)
        ctx.embedding, ctx.ids, ctx.lengths, ctx.scales = embedding, ids, lengths, scales
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        with compiled.turn():
            return torch.from_numpy(pooled(embedding.table, ids, begins, scales))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        places = np.repeat(np.arange(len(ctx.lengths)), ctx.lengths)
        ctx.embedding.add_use(ctx.ids, gradient.contiguous().numpy(), places, ctx.scales[places])
        return torch.zeros(()), None, None, None, None
