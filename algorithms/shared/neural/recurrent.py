"""Recurrent layers over sequences of different lengths.    b sequences   t steps   d inputs   h cells

Sequences are padded on the right; what stands past a length neither counts nor gets a gradient. On a processor an LSTM
runs by the fused kernels of `kernels.recurrence`, a few rows from the first step to the last, and elsewhere, as a GRU
does everywhere, by torch's own. The order of gates is torch's.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.neural.kernels import recurrence
from algoport.algorithms.shared.neural.kernels.products import outer, products

Kind = Literal["lstm", "gru"]


class Recurrent(nn.Module):
    """A layer in one direction or both; starts from a state of zeros."""

    def __init__(self, kind: Kind, inputs: int, cells: int, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.kind, self.cells = kind, cells
        layer: Any = nn.LSTM if kind == "lstm" else nn.GRU
        self.layer = layer(inputs, cells, batch_first=True, bidirectional=bidirectional)
        self.directions = 2 if bidirectional else 1

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (b, t, h), or (b, t, 2h) of both directions, which are 0 past a sequence's length; and the last of
        each direction side by side (b, h or 2h). `x` (b, t, d); `lengths` (b,) int64, at least 1."""
        if self.kind == "lstm" and x.device.type == "cpu" and x.dtype == torch.float32:
            return self._fused(x, lengths)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.layer(packed)
        last: Tensor = state[0] if self.kind == "lstm" else state
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return padded, last.transpose(0, 1).reshape(len(x), -1)

    def _fused(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        run: Any = _Lstm.apply
        inside = (torch.arange(x.shape[1]) < lengths[:, None])[..., None]  # (b, t, 1)
        outputs, lasts = [], []
        for direction in range(self.directions):
            suffix = "_reverse" if direction else ""
            weight, state, one, two = (
                getattr(self.layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            own = _reversed(x, lengths) if direction else x
            hidden: Tensor = run(own, weight, state, one + two) * inside
            lasts.append(hidden[torch.arange(len(x)), lengths - 1])
            outputs.append(_reversed(hidden, lengths) if direction else hidden)
        return torch.cat(outputs, 2), torch.cat(lasts, 1)


class Cell(nn.Module):
    """One step of a decoder, whose next input depends on this step's output."""

    def __init__(self, kind: Kind, inputs: int, cells: int) -> None:
        super().__init__()
        cell: Any = nn.LSTMCell if kind == "lstm" else nn.GRUCell
        self.kind, self.cell = kind, cell(inputs, cells)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Output (b, h) and the state after an input (b, d); a state is (hidden, cells) of an LSTM, (hidden,) of a
        GRU."""
        if self.kind == "lstm":
            hidden, cells = self.cell(x, state)
            return hidden, (hidden, cells)
        hidden = self.cell(x, state[0])
        return hidden, (hidden,)


def orthogonal_(layer: Recurrent | Cell, seed: int) -> None:
    """Set recurrent weights to orthogonal matrices a gate (Saxe, McClelland and Ganguli 2014), inputs' to Xavier's
    uniform ones, and biases to 0."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "weight_hh" in name:
                for gate in torch.split(parameter, parameter.shape[1]):
                    nn.init.orthogonal_(gate, generator=random)
            elif "weight" in name:
                bound = math.sqrt(3.0 / parameter.shape[1])
                parameter.uniform_(-bound, bound, generator=random)
            else:
                parameter.zero_()


def _reversed(x: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence (b, t, d) from its end to its beginning; padding stays behind."""
    steps = torch.arange(x.shape[1])
    places = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))


class _Lstm(torch.autograd.Function):
    """An LSTM from a state of zeros, by the fused kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, state: Tensor, bias: Tensor) -> Tensor:
        inputs, own = x.detach().numpy(), state.detach().numpy()
        b, t, h = len(inputs), inputs.shape[1], own.shape[1]
        hidden, cells = np.zeros((b, t + 1, h), np.float32), np.zeros((b, t + 1, h), np.float32)
        with compiled.turn():
            gates = products(inputs, weight.detach().numpy().T, bias.detach().numpy()[None], 0, t)
            recurrence.forward_(gates, own.T, hidden, cells, np.zeros(b, np.uint64), 0.0, recurrence.NEVER)
        ctx.save_for_backward(x, weight, state)
        ctx.arrays = gates, hidden, cells
        return torch.from_numpy(hidden[:, 1:].copy())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, state = ctx.saved_tensors
        gates, hidden, cells = ctx.arrays
        gates, keys = gates.copy(), np.zeros(len(gates), np.uint64)  # the kernel changes them; the graph may be kept
        with compiled.turn():
            recurrence.backward_(gates, state.numpy(), cells, gradient.numpy(), keys, 0.0, recurrence.NEVER)
            of_x = products(gates, weight.numpy(), np.zeros((1, weight.shape[1]), np.float32), 0, gates.shape[1])
            of_weight, of_state = outer(x.numpy(), gates, 0), outer(hidden, gates, 0)
        arrays = (of_x, of_weight, of_state, gates.sum(axis=(0, 1)))
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
