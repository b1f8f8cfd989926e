"""The network in torch, for a GPU, and what the kernels are held to.    n pairs   t steps   v words

Sentences are padded here, and the logits of all words are there at once. Dropout's draws are the device's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.gradients import Dropout
from algoport.algorithms.seq2seq.pairs import Pairs
from algoport.algorithms.seq2seq.vocabulary import BOS, EOS
from algoport.algorithms.seq2seq.vocabulary_softmax import Losses

Own = Mapping[str, Tensor]


def gradient_(
    design: Design,
    flat: NDArray[np.float32],  # in   (p,)
    pairs: Pairs,
    dropout: Dropout,
    gradient: NDArray[np.float32],  # sets (p,)
    device: str,
) -> Losses:
    """As `gradients.gradient_`, but for the order of the losses, which is that of the pairs."""
    weights = torch.from_numpy(flat).to(device).requires_grad_()
    torch.manual_seed(int(dropout.keys[:1].sum() & np.uint64(0x7FFFFFFF)))
    losses, right = _losses(design, _split(weights, design), pairs, dropout, device)
    (slopes,) = torch.autograd.grad(losses.sum(), weights)
    gradient[:] = slopes.cpu().numpy()
    return Losses(losses.detach().double().cpu().numpy(), right.cpu().numpy())


def _split(flat: Tensor, design: Design) -> dict[str, Tensor]:
    parts = torch.split(flat, [math.prod(shape) for shape in design.shapes.values()])
    return {name: part.view(shape) for (name, shape), part in zip(design.shapes.items(), parts, strict=True)}


def _padded(ragged: Ragged, device: str) -> tuple[Tensor, Tensor]:
    """Ids (n, t), 0 behind the end, and lengths (n,)."""
    lengths = torch.from_numpy(ragged.lengths.copy())
    rows = torch.split(torch.from_numpy(ragged.values.astype(np.int64)), lengths.tolist())
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True).to(device), lengths.to(device)


def _losses(design: Design, own: Own, pairs: Pairs, dropout: Dropout, device: str) -> tuple[Tensor, Tensor]:
    """Of each label, pair by pair."""
    source, lengths = _padded(pairs.source, device)
    target, ends = _padded(pairs.target, device)
    first = torch.full((len(target), 1), BOS, device=device)
    before = torch.cat([first, target], 1)
    labels = torch.cat([target, torch.zeros_like(first)], 1)
    labels[torch.arange(len(labels), device=device), ends] = EOS
    inside = torch.arange(labels.shape[1], device=device) <= ends[:, None]
    x = functional.dropout(own["source.embedding"][source], dropout.source)
    y = functional.dropout(own["target.embedding"][before], dropout.target)
    mask = torch.arange(source.shape[1], device=device) < lengths[:, None]
    encode = _recurrent_encoder if design.encoder_type == "rnn" else _convolutional_encoder
    states = encode(design, own, x, lengths, mask, dropout)
    decode = _recurrent_decoder if design.decoder_type == "rnn" else _convolutional_decoder
    rows = decode(design, own, states, lengths, mask, y, dropout)[inside]
    logits = rows @ own["output"].T + own["output.bias"]
    wanted = labels[inside]
    at = logits.gather(1, wanted[:, None])[:, 0]
    return functional.cross_entropy(logits, wanted, reduction="none"), at >= logits.max(1).values


def _step(kind: str, own: Own, name: str, gates: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The state behind a step, from the products with the inputs."""
    products = state[0] @ own[f"{name}.state"]
    if kind == "lstm":
        i, f, c, o = (gates + products).chunk(4, 1)
        cells = f.sigmoid() * state[1] + i.sigmoid() * c.tanh()
        return o.sigmoid() * cells.tanh(), cells
    (r, z, new), (a, b, c) = gates.chunk(3, 1), (products + own[f"{name}.state.bias"]).chunk(3, 1)
    new = (new + (r + a).sigmoid() * c).tanh()
    return (new + (z + b).sigmoid() * (state[0] - new),)


def _layer(design: Design, own: Own, name: str, x: Tensor, mask: Tensor, *, reverse: bool = False) -> Tensor:
    """Hidden states (n, t, h), 0 behind the end."""
    kind = design.rnn_cell_type
    gates = x @ own[f"{name}.input"] + own[f"{name}.bias"]
    h = own[f"{name}.state"].shape[0]
    state: tuple[Tensor, ...] = tuple(x.new_zeros(len(x), h) for _ in range(2 if kind == "lstm" else 1))
    out: list[Tensor] = []
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        new, here = _step(kind, own, name, gates[:, t], state), mask[:, t, None]
        state = tuple(torch.where(here, a, b) for a, b in zip(new, state, strict=True))
        out.append(state[0] * here)
    return torch.stack(out[::-1] if reverse else out, 1)


def _recurrent_encoder(design: Design, own: Own, x: Tensor, lengths: Tensor, mask: Tensor, dropout: Dropout) -> Tensor:
    both = [
        _layer(design, own, f"encoder.0.{direction}", x, mask, reverse=direction == "backward")
        for direction in ("forward", "backward")
    ]
    states = torch.cat(both, 2)
    for layer in range(1, design.num_layers_encoder):
        above = _layer(design, own, f"encoder.{layer}", states, mask)
        states = above + states if design.is_residual(layer) else above
    return states


def _convolve(design: Design, own: Own, name: str, x: Tensor, before: int, behind: int) -> Tensor:
    padded = functional.pad(x, (0, 0, before, behind))
    columns = padded.unfold(1, before + behind + 1, 1).transpose(2, 3).flatten(2)
    raw = columns @ own[name] + own[f"{name}.bias"]
    kind = design.cnn_activation_type
    if kind == "glu":
        return functional.glu(raw, 2)
    activate: Any = {"relu": torch.relu, "softrelu": functional.softplus, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    out: Tensor = activate[kind](raw)
    return out


def _convolutional_encoder(
    design: Design, own: Own, x: Tensor, lengths: Tensor, mask: Tensor, dropout: Dropout
) -> Tensor:
    width, inside = design.cnn_kernel_width_encoder, mask[..., None]
    states = (x + own["encoder.position"][: x.shape[1]]) @ own["encoder.project"] * inside
    for layer in range(design.num_layers_encoder):
        dropped = functional.dropout(states, dropout.convolution)
        before = (width - 1) // 2
        out = _convolve(design, own, f"encoder.{layer}.filter", dropped, before, width - 1 - before)
        states = (states + out) * inside
    return states


def _attend(kind: str, own: Own, query: Tensor, keys: Tensor, states: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
    """The context (n, s) of queries (n, a)."""
    if kind == "fixed":
        return states[torch.arange(len(states), device=states.device), lengths - 1]
    if kind == "mlp":
        scores = torch.tanh(query[:, None] + keys) @ own["attention.score"]
    else:
        scores = (keys @ query[:, :, None])[..., 0]
    weights = scores.masked_fill(~mask, -torch.inf).softmax(1)
    return (weights[:, None] @ states)[:, 0]


def _recurrent_decoder(
    design: Design, own: Own, states: Tensor, lengths: Tensor, mask: Tensor, y: Tensor, dropout: Dropout
) -> Tensor:
    kind, h = design.rnn_cell_type, design.rnn_num_hidden
    parts = ("hidden", "cells")[: 2 if kind == "lstm" else 1]
    if design.rnn_decoder_state_init == "last":
        summary = states[torch.arange(len(states), device=states.device), lengths - 1]
    else:
        summary = states.sum(1) / lengths[:, None]
    layers: list[tuple[Tensor, ...]] = []
    for layer in range(design.num_layers_decoder):
        name = f"decoder.{layer}.initial"
        if design.rnn_decoder_state_init == "zero":
            layers.append(tuple(y.new_zeros(len(y), h) for _ in parts))
        else:
            layers.append(
                tuple(torch.tanh(summary @ own[f"{name}.{part}"] + own[f"{name}.{part}.bias"]) for part in parts)
            )
    keys = states @ own["attention.key"] if "attention.key" in own else states
    gates = y @ own["decoder.0.input"] + own["decoder.0.bias"]
    feed, rows = y.new_zeros(len(y), h), []
    for t in range(y.shape[1]):
        layers[0] = _step(kind, own, "decoder.0", gates[:, t] + feed @ own["decoder.feed"], layers[0])
        below = layers[0][0]
        query = below @ own["attention.query"] if design.projects else below
        context = _attend(design.rnn_attention_type, own, query, keys, states, lengths, mask)
        for layer in range(1, design.num_layers_decoder):
            name = f"decoder.{layer}"
            read = torch.cat([below, context], 1) if design.rnn_attention_in_upper_layers else below
            layers[layer] = _step(kind, own, name, read @ own[f"{name}.input"] + own[f"{name}.bias"], layers[layer])
            below = layers[layer][0] + below if design.is_residual(layer) else layers[layer][0]
        both = torch.cat([below, context], 1)
        feed = functional.dropout(
            torch.tanh(both @ own["decoder.combine"] + own["decoder.combine.bias"]), dropout.state
        )
        rows.append(feed)
    return torch.stack(rows, 1)


def _convolutional_decoder(
    design: Design, own: Own, states: Tensor, lengths: Tensor, mask: Tensor, y: Tensor, dropout: Dropout
) -> Tensor:
    width = design.cnn_kernel_width_decoder
    rows = (y + own["decoder.position"][: y.shape[1]]) @ own["decoder.project"]
    for layer in range(design.num_layers_decoder):
        dropped = functional.dropout(rows, dropout.convolution)
        out = _convolve(design, own, f"decoder.{layer}.filter", dropped, width - 1, 0)
        scores = (out @ own[f"decoder.{layer}.query"]) @ states.transpose(1, 2)
        weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(2)
        rows = rows + out + (weights @ states) @ own[f"decoder.{layer}.context"]
    return rows
