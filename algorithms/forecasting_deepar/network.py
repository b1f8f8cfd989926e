"""The network in torch, for training.    b windows   t steps   d inputs   h cells   g = 4h gates

All weights lie in one flat vector, so that their gradient is exchanged and applied as one array.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algorithms.forecasting_deepar import kernels_recurrence
from algorithms.forecasting_deepar.kernels_recurrence import DRAWN, NEVER
from algorithms.forecasting_deepar.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows as the network takes them."""

    inputs: Tensor  # (b, t, d)
    categories: Tensor  # (b, c) int64
    scales: Tensor  # (b,)
    level: float  # the scale that is usual: the network is told how far a series is from it
    keys: NDArray[np.uint64]  # (b,) from which the draws of zoneout come


def outputs(weights: Mapping[str, Tensor], shape: Shape, batch: Batch, rate: float) -> Tensor:
    """What the network says of each step, (b, t, o)."""
    static = [torch.log(batch.scales / batch.level)[:, None]]
    static += [weights[f"embedding{place}"][batch.categories[:, place]] for place in range(len(shape.cardinality))]
    fixed = functional.linear(torch.cat(static, 1), weights["static0"], weights["bias0"])  # (b, g)
    keys = [_layer_keys(batch.keys, layer) for layer in range(shape.layers)]
    hidden = _recurrent(
        functional.linear(batch.inputs, weights["inputs0"]) + fixed[:, None], weights["state0"], keys[0], rate
    )
    for layer in range(1, shape.layers):
        gates = functional.linear(hidden, weights[f"inputs{layer}"], weights[f"bias{layer}"])
        hidden = _recurrent(gates, weights[f"state{layer}"], keys[layer], rate)
    return functional.linear(hidden, weights["head"], weights["head_bias"])


def split(flat: Tensor, shape: Shape) -> dict[str, Tensor]:
    """The weights by name: views of the flat vector."""
    shapes = shape.weights()
    parts = torch.split(flat, [math.prod(own) for own in shapes.values()])
    return {name: part.view(own) for (name, own), part in zip(shapes.items(), parts, strict=True)}


def begun(shape: Shape, seed: Sequence[int]) -> NDArray[np.float32]:
    """First weights as torch has them for an LSTM, but that gates open to forget less (Jozefowicz et al. 2015)."""
    random = np.random.default_rng(seed)
    parts = []
    for name, own in shape.weights().items():
        if name.startswith("embedding"):
            part = random.normal(0, 0.3, own)
        else:
            part = random.uniform(-1, 1, own) / math.sqrt(shape.cells)
        if name.startswith("bias"):
            part[shape.cells : 2 * shape.cells] += 1
        parts.append(part.ravel())
    return np.concatenate(parts).astype(np.float32)


def _layer_keys(keys: NDArray[np.uint64], layer: int) -> NDArray[np.uint64]:
    return keys ^ np.uint64((layer * 0x9E3779B97F4A7C15) & (2**64 - 1))


def _recurrent(gates: Tensor, weights: Tensor, keys: NDArray[np.uint64], rate: float) -> Tensor:
    """Hidden states (b, t, h) of a layer, from its inputs' part in the gates (b, t, g)."""
    if gates.device.type == "cpu":
        hidden: Tensor = _Recurrence.apply(gates, weights, keys, rate)  # type: ignore[no-untyped-call]
        return hidden
    return _stepwise(gates, weights, keys, rate)


class _Recurrence(torch.autograd.Function):
    """The kernels, as torch differentiates them. Takes the memory of the gates."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weights: Tensor, keys: NDArray[np.uint64], rate: float) -> Tensor:
        b, t, g = gates.shape
        own, state = gates.detach().contiguous().numpy(), weights.detach().numpy()
        hidden, cells = np.empty((b, t + 1, g // 4), np.float32), np.empty((b, t + 1, g // 4), np.float32)
        hidden[:, 0], cells[:, 0] = 0, 0
        zoneout = DRAWN if rate else NEVER
        kernels_recurrence.forward_(own, state.T, hidden, cells, keys, rate, zoneout)
        ctx.kept = own, state, hidden, cells, keys, rate, zoneout
        return torch.from_numpy(hidden)[:, 1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        own, state, hidden, cells, keys, rate, zoneout = ctx.kept
        kernels_recurrence.backward_(own, state, cells, gradient.contiguous().numpy(), keys, rate, zoneout)
        by_gates = torch.from_numpy(own)
        before = torch.from_numpy(hidden)[:, :-1].reshape(-1, hidden.shape[2])
        return by_gates, by_gates.view(-1, own.shape[2]).T @ before, None, None


def _stepwise(gates: Tensor, weights: Tensor, keys: NDArray[np.uint64], rate: float) -> Tensor:
    """The same step by step in torch, for other devices and as the kernels' plain twin; the draws are the same."""
    b, t, g = gates.shape
    h = g // 4
    hidden, cell, found = gates.new_zeros(b, h), gates.new_zeros(b, h), []
    for step in range(t):
        i, f, c, o = torch.addmm(gates[:, step], hidden, weights.T).chunk(4, 1)
        new = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(c)
        out = torch.sigmoid(o) * torch.tanh(new)
        if rate:
            kept = kernels_recurrence.kept(keys, step, h, rate)
            keep_h, keep_c = (torch.from_numpy(mask).to(gates.device) for mask in kept)
            out, new = torch.lerp(out, hidden, keep_h), torch.lerp(new, cell, keep_c)
        hidden, cell = out, new
        found.append(hidden)
    return torch.stack(found, 1)
