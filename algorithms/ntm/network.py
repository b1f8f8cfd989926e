"""The network in torch, for a GPU, and what the kernels are held to.    n documents   v words   k topics

Here the logits of all words are there at once, n × v numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract.group import Group
from algoport.algorithms.ntm import kernels
from algoport.algorithms.ntm.documents import Documents
from algoport.algorithms.ntm.gradients import Losses, Network, dropout_factors
from algoport.algorithms.ntm.normalization import EPS, SHARE
from algoport.algorithms.ntm.shapes import HEADS, TOPICS, WORDS

_ACTIVATIONS: Mapping[str, Any] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def gradient_(
    network: Network,
    flat: NDArray[np.float32],  # (p,)
    documents: Documents,
    keys: NDArray[np.uint64],  # (n,)
    count: float,
    pull: float,
    gradient: NDArray[np.float32],  # sets (p,)
    device: str,
) -> Losses:
    """As `gradients.gradient_`, with which it shares arguments, draws and exchanges."""
    weights = torch.from_numpy(flat).to(device).requires_grad_()
    own = _split(weights, network)
    rows = _sparse(documents, network.shape.feature_dim, device)
    mean, spread = _encode(network, own, rows, keys, count)
    nothing = np.zeros((len(documents), network.shape.num_topics), np.float32)
    noise = torch.from_numpy(kernels.latent(nothing, nothing, keys)[1]).to(device)
    hidden = torch.softmax(mean + torch.exp(0.5 * spread) * noise, 1)
    logits = hidden @ own[TOPICS]
    if network.batch_norm:
        logits = _normalized_logits(network, hidden, own[TOPICS], count)
    chances = torch.log_softmax(logits + own[WORDS], 1)
    reconstruction = -(rows.to_dense() * chances).sum(1)
    divergence = 0.5 * (mean * mean + spread.exp() - 1 - spread).sum(1)
    loss = (reconstruction + pull * divergence).sum()
    (slopes,) = torch.autograd.grad(loss, weights)
    gradient[:] = slopes.cpu().numpy()
    network.group.sum_(gradient)
    figures = (each.detach().cpu().numpy().astype(np.float64) for each in (reconstruction, divergence))
    return Losses(*figures)


def _split(flat: Tensor, network: Network) -> dict[str, Tensor]:
    """The weights by name, the decoder's without tiles: (k, v) and (v,)."""
    shapes, v = network.shape.weights, network.shape.feature_dim
    parts = torch.split(flat, [math.prod(shape) for shape in shapes.values()])
    own = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
    topics = own[TOPICS].transpose(0, 1).reshape(network.shape.num_topics, -1)[:, :v]
    return {**own, TOPICS: topics, WORDS: own[WORDS].reshape(-1)[:v]}


def _sparse(documents: Documents, v: int, device: str) -> Tensor:
    indptr, indices, values = (np.array(each) for each in documents.entries)
    parts = torch.from_numpy(indptr), torch.from_numpy(indices.astype(np.int64)), torch.from_numpy(values)
    return torch.sparse_csr_tensor(*parts, size=(len(documents), v), device=device, check_invariants=True)


def _encode(
    network: Network, own: Mapping[str, Tensor], rows: Tensor, keys: NDArray[np.uint64], count: float
) -> tuple[Tensor, Tensor]:
    def linear(name: str, product: Tensor) -> Tensor:
        if network.batch_norm:
            product = _normalized(product, count, network.group, network.statistics[name])
        return product + own[f"{name}_bias"]

    activate = _ACTIVATIONS[network.activation]
    x = activate(linear("layer0", rows @ own["layer0"]))
    for number in range(1, len(network.shape.layers)):
        x = activate(linear(f"layer{number}", x @ own[f"layer{number}"]))
    if network.dropout:
        x = x * torch.from_numpy(dropout_factors(keys, x.shape[1], network.dropout)).to(x.device)
    mean, spread = (linear(head, x @ own[head]) for head in HEADS)
    return mean, spread


def _normalized(x: Tensor, count: float, group: Group, statistics: NDArray[np.float32]) -> Tensor:
    sums = _summed(torch.stack([x.sum(0), (x * x).sum(0)]), group) / count
    mean, variance = sums[0], (sums[1] - sums[0] * sums[0]).clamp(min=0)
    statistics += np.float32(SHARE) * (torch.stack([mean, variance]).detach().cpu().numpy() - statistics)
    return (x - mean) / torch.sqrt(variance + EPS)


def _normalized_logits(network: Network, hidden: Tensor, topics: Tensor, count: float) -> Tensor:
    sums = _summed(torch.cat([hidden.sum(0, keepdim=True), hidden.T @ hidden]), network.group) / count
    mean = sums[0]
    moments = torch.cat([mean[None], sums[1:] - torch.outer(mean, mean)])
    statistics = network.statistics[TOPICS]
    statistics += np.float32(SHARE) * (moments.detach().cpu().numpy() - statistics)
    variance = (topics * (moments[1:] @ topics)).sum(0).clamp(min=0)
    return ((hidden - mean) @ topics) / torch.sqrt(variance + EPS)


def _summed(own: Tensor, group: Group) -> Tensor:
    apply: Any = _Sum.apply
    summed: Tensor = apply(own, group)
    return summed


class _Sum(torch.autograd.Function):
    """The sum over all members, of values and of their gradients."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return _exchange(own, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _exchange(gradients[0], ctx.group), None


def _exchange(own: Tensor, group: Group) -> Tensor:
    sums = own.detach().cpu().numpy().astype(np.float64)
    group.sum_(sums)
    return torch.from_numpy(sums.astype(np.float32)).to(own.device)
