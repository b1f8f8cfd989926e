"""The network in torch, for a GPU, and what the kernels are held to.    m pairs   n sequences   t tokens of the longest

Here sequences are padded to the longest of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec.encoders import by_rows
from algoport.algorithms.object2vec.gradients import Losses, Pairs, dropped, joined, own_weights
from algoport.algorithms.object2vec.hyperparameters import ABS_DIFF, BILSTM, CONCAT, HADAMARD, HCNN, SOFTMAX
from algoport.algorithms.object2vec.shapes import OUTPUT, EncoderShape, Shape
from algoport.algorithms.shared.neural.sparse import RowGradient

_ACTIVATIONS: Mapping[str, Any] = {"linear": lambda x: x, "tanh": torch.tanh, "relu": torch.relu}


def gradient_(
    shape: Shape,
    flat: NDArray[np.float32],
    tables: Mapping[str, NDArray[np.float32]],
    frozen: frozenset[str],
    pairs: Pairs,
    dropout: float,
    gradient: NDArray[np.float32],  # sets (p,)
    device: str,
) -> tuple[Losses, dict[str, RowGradient]]:
    """As `gradients.gradient_`. Token vectors stay in the processor's memory; those of the batch are sent."""
    leaf = torch.from_numpy(flat).to(device).requires_grad_()
    weights = _views(shape, leaf)
    tokens, encoded = [], []
    for side in (0, 1):
        sequences = pairs.sequences[side]
        rows = torch.from_numpy(tables[shape.table_of(side)][sequences.values]).to(device).requires_grad_()
        tokens.append(rows)
        encoded.append(_encode(shape.encoders[side], own_weights(weights, f"enc{side}."), rows, sequences))
    u, v = (own[torch.from_numpy(at).to(device)] for own, at in zip(encoded, pairs.places, strict=True))
    parts = {HADAMARD: lambda: u * v, CONCAT: lambda: torch.cat([u, v], 1), ABS_DIFF: (u - v).abs}
    x = torch.cat([parts[name]() for name in shape.comparators], 1)
    for number, (name, _, _) in enumerate(shape.perceptron):
        mask = dropped(pairs, x.shape[1], number, dropout)
        if mask is not None:
            x = x * torch.from_numpy(mask).to(device)
        x = x @ weights[name] + weights[f"{name}_bias"]
        if name != OUTPUT:
            x = _ACTIVATIONS[shape.mlp_activation](x)
    losses, right = _losses(shape, x, torch.from_numpy(pairs.labels).to(device))
    # Without pairs nothing of the network is reached.
    own = torch.autograd.grad(losses.sum(), [leaf, *tokens], allow_unused=True)
    slopes = [np.zeros(at.shape, np.float32) if g is None else g.cpu().numpy() for at, g in zip(
        [leaf, *tokens], own, strict=True)]  # fmt: skip
    gradient[:] = slopes[0]
    by_tables: dict[str, list[RowGradient]] = {}
    for side in (0, 1):
        table = shape.table_of(side)
        if table not in frozen:
            by_tables.setdefault(table, []).append(by_rows(pairs.sequences[side].values, slopes[1 + side]))
    figures = losses.detach().cpu().numpy().astype(np.float64), right.cpu().numpy()
    return Losses(*figures), {name: joined(own) for name, own in by_tables.items()}


def _views(shape: Shape, flat: Tensor) -> dict[str, Tensor]:
    own, at = {}, 0
    for name, size in shape.weights.items():
        count = int(np.prod(size))
        own[name] = flat[at : at + count].view(size)
        at += count
    return own


def _losses(shape: Shape, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if shape.output_layer != SOFTMAX:
        gaps = x[:, 0] - labels
        return gaps * gaps, torch.zeros_like(labels, dtype=torch.bool)
    classes = labels.long()
    right = x.argmax(1) == classes if len(x) else torch.zeros_like(labels, dtype=torch.bool)
    return functional.cross_entropy(x, classes, reduction="none"), right


def _encode(shape: EncoderShape, weights: Mapping[str, Tensor], rows: Tensor, sequences: Ragged) -> Tensor:
    """The vector of each sequence (n, e), from the vectors of all tokens one after another."""
    n = len(sequences)
    if not n:
        return rows.new_zeros((0, shape.dim))
    lengths = torch.from_numpy(sequences.lengths).to(rows.device)
    inside = torch.arange(int(lengths.max()), device=rows.device)[None] < lengths[:, None]  # (n, t)
    padded = rows.new_zeros((*inside.shape, rows.shape[1]))
    padded = padded.masked_scatter(inside[..., None], rows)
    if shape.network == HCNN:
        return _convolutions(shape, weights, padded, inside)
    if shape.network == BILSTM:
        return _lstm(shape, weights, padded, lengths, inside)
    mean = padded.sum(1) / lengths[:, None]
    return mean @ weights["linear"] + weights["linear_bias"] if "linear" in weights else mean


def _convolutions(shape: EncoderShape, weights: Mapping[str, Tensor], x: Tensor, inside: Tensor) -> Tensor:
    out, width = [], shape.filter_width
    before = (width - 1) // 2
    for number, channels in enumerate(shape.channels):
        kernel = weights[f"conv{number}"].view(width, x.shape[2], channels).permute(2, 1, 0)
        wide = functional.pad(x.transpose(1, 2), (before, width - 1 - before))
        x = functional.conv1d(wide, kernel, weights[f"conv{number}_bias"]).transpose(1, 2)
        x = torch.relu(x) * inside[..., None]
        out.append(x.max(1).values)
    return torch.cat(out, 1)


def _lstm(shape: EncoderShape, weights: Mapping[str, Tensor], x: Tensor, lengths: Tensor, inside: Tensor) -> Tensor:
    h = shape.dim // 2
    for number in range(shape.layers):
        inputs, states, bias = (weights[f"lstm{number}_{name}"] for name in ("inputs", "states", "bias"))
        nothing = torch.zeros_like(bias[0])
        parameters = [part for way in (0, 1) for part in (inputs[way].T, states[way].T, bias[way], nothing)]
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        first = x.new_zeros((2, len(x), h))
        out, _, _ = torch._VF.lstm(
            packed.data, packed.batch_sizes, (first, first), [p.contiguous() for p in parameters], True, 1, 0.0, True,
            True,
        )  # fmt: skip
        again = torch.nn.utils.rnn.PackedSequence(
            out, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        )
        x, _ = torch.nn.utils.rnn.pad_packed_sequence(again, batch_first=True, total_length=x.shape[1])
    return x.masked_fill(~inside[..., None], -torch.inf).max(1).values
