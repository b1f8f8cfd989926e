"""The network in torch, for a GPU.    b windows   t steps   d inputs   h cells   g = 4h gates"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.forecasting_deepar.likelihoods import losses
from algoport.algorithms.forecasting_deepar.plan import Plan, Windows
from algoport.algorithms.forecasting_deepar.shapes import Shape, layer_keys
from algoport.algorithms.shared.neural.kernels import recurrence


def gradient_(
    plan: Plan,
    flat: NDArray[np.float32],  # (w,)
    windows: Windows,
    categories: NDArray[np.int32],  # (b, c)
    keys: NDArray[np.uint64],  # (b,) from which the draws of zoneout come
    gradient: NDArray[np.float32],  # sets (w,)
    device: str,
) -> tuple[float, float]:
    """Sum of the losses of the observed points, and how many these are; `gradient` becomes that sum's."""
    weights = torch.from_numpy(flat).to(device).requires_grad_()
    scales = torch.from_numpy(windows.scales).to(device)
    inputs = torch.from_numpy(windows.inputs).to(device)
    chosen = torch.from_numpy(categories.astype(np.int64)).to(device)
    predicted = outputs(split(weights, plan.shape), plan, inputs, chosen, scales, keys)
    each = losses(plan.likelihood, predicted, torch.from_numpy(windows.targets).to(device), scales)
    seen = torch.from_numpy(windows.observed).to(device) > 0
    # What is not observed is put in the place of the target that would be likeliest to harm no gradient.
    loss = torch.where(seen, each, torch.zeros_like(each)).sum()
    (slopes,) = torch.autograd.grad(loss, weights)
    gradient[:] = slopes.cpu().numpy()
    return float(loss.detach()), float(windows.observed.sum())


def outputs(
    weights: Mapping[str, Tensor],
    plan: Plan,
    inputs: Tensor,  # (b, t, d)
    categories: Tensor,  # (b, c) int64
    scales: Tensor,  # (b,)
    keys: NDArray[np.uint64],  # (b,)
) -> Tensor:
    """What the network says of each step, (b, t, o)."""
    shape, rate = plan.shape, plan.dropout_rate
    static = [((torch.log(scales) - plan.scale_mean) / plan.scale_spread)[:, None]]
    static += [weights[f"embedding{place}"][categories[:, place]] for place in range(len(shape.cardinality))]
    hidden = torch.cat([inputs, torch.cat(static, 1)[:, None].expand(-1, inputs.shape[1], -1)], 2)
    for layer in range(shape.layers):
        own = weights[f"inputs{layer}"]
        if layer == 0:
            own = torch.cat([own, weights["static0"]], 1)
        bias, state = weights[f"bias{layer}"], weights[f"state{layer}"]
        if rate:
            hidden = _stepwise(functional.linear(hidden, own, bias), state, layer_keys(keys, layer), rate)
        else:
            hidden = _fused_layer(hidden, own, state, bias)
    predicted = functional.linear(hidden, weights["head"], weights["head_bias"])
    if not shape.lags:
        return predicted
    location = predicted[..., :1] + (inputs[..., : shape.lags] @ weights["skip"])[..., None]
    return torch.cat([location, predicted[..., 1:]], 2)


def split(flat: Tensor, shape: Shape) -> dict[str, Tensor]:
    """The weights by name: views of the flat vector."""
    shapes = shape.weights()
    parts = torch.split(flat, [math.prod(own) for own in shapes.values()])
    return {name: part.view(own) for (name, own), part in zip(shapes.items(), parts, strict=True)}


def _fused_layer(inputs: Tensor, own: Tensor, state: Tensor, bias: Tensor) -> Tensor:
    """Hidden states (b, t, h) of a layer by the kernel of the device."""
    start = inputs.new_zeros(1, len(inputs), state.shape[1])
    weights = [own.contiguous(), state.contiguous(), bias, torch.zeros_like(bias)]
    hidden: Tensor = torch._VF.lstm(inputs, (start, start), weights, True, 1, 0.0, True, False, True)[0]
    return hidden


def _stepwise(gates: Tensor, weights: Tensor, keys: NDArray[np.uint64], rate: float) -> Tensor:
    """The same with zoneout, for which no device has a kernel: one step after another, of all windows at once."""
    b, t, g = gates.shape
    h = g // 4
    masks = [recurrence.zoneout_masks(keys, step, h, rate) for step in range(t)]
    keep_h, keep_c = (torch.from_numpy(np.stack(own)).to(gates.device) for own in zip(*masks, strict=True))
    hidden, cell, states = gates.new_zeros(b, h), gates.new_zeros(b, h), []
    for step in range(t):
        i, f, c, o = torch.addmm(gates[:, step], hidden, weights.T).chunk(4, 1)
        new = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(c)
        out = torch.sigmoid(o) * torch.tanh(new)
        hidden, cell = torch.lerp(out, hidden, keep_h[step]), torch.lerp(new, cell, keep_c[step])
        states.append(hidden)
    return torch.stack(states, 1)
