"""Seq2Seq's recurrent network in plain torch: what the benchmark races against.    n sentences   t steps

One layer of LSTM cells in both directions, one that decodes with attention (mlp) and input feeding, Adam, gradients cut
off by value. Sentences are padded to the longest of their batch; the encoder is given them packed, and the words of
padded places are not computed. It takes our weights, so that both start from one network, or search with one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, BOS, EOS = 0, 2, 3
Ids = Sequence[Any]  # a row of token ids a sentence


class Twin(nn.Module):
    """The network, with the weights that ours has by name."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        super().__init__()
        own = {name: torch.tensor(array) for name, array in weights.items()}
        h, e = len(own["decoder.feed"]), own["source.embedding"].shape[1]
        self.source = nn.Embedding.from_pretrained(own["source.embedding"], freeze=False)
        self.target = nn.Embedding.from_pretrained(own["target.embedding"], freeze=False)
        self.encoder = nn.LSTM(e, h // 2, batch_first=True, bidirectional=True)
        for direction, end in (("forward", "l0"), ("backward", "l0_reverse")):
            _fill(self.encoder, f"encoder.0.{direction}", end, own["encoder.0." + direction + ".input"], own)
        self.cell = nn.LSTMCell(own["target.embedding"].shape[1] + h, h)
        _fill(self.cell, "decoder.0", "", torch.cat([own["decoder.0.input"], own["decoder.feed"]]), own)
        self.hidden, self.cells = (
            _linear(own[f"decoder.0.initial.{part}"], own[f"decoder.0.initial.{part}.bias"])
            for part in ("hidden", "cells")
        )
        self.key, self.query = _linear(own["attention.key"]), _linear(own["attention.query"])
        self.score = nn.Parameter(own["attention.score"])
        self.combine = _linear(own["decoder.combine"], own["decoder.combine.bias"])
        self.output = _linear(own["output"].T, own["output.bias"])

    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """States, keys, which of them are padded, and the decoder's first state."""
        packed = pack_padded_sequence(self.source(ids), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        last = states[torch.arange(len(ids)), lengths - 1]
        first = torch.tanh(self.hidden(last)), torch.tanh(self.cells(last))
        return states, self.key(states), torch.arange(ids.shape[1]) >= lengths[:, None], first

    def step(self, x: Tensor, feed: Tensor, now: Any, states: Tensor, keys: Tensor, padded: Tensor) -> Any:
        """The attentional state behind a step, and the cell's."""
        now = self.cell(torch.cat([x, feed], 1), now)
        scores = torch.tanh(self.query(now[0])[:, None] + keys) @ self.score
        looks = torch.softmax(scores.masked_fill(padded, -torch.inf), 1)
        context = torch.bmm(looks[:, None], states)[:, 0]
        return torch.tanh(self.combine(torch.cat([now[0], context], 1))), now

    def loss(self, source: Ids, target: Ids) -> tuple[Tensor, int]:
        """The sum of the cross entropies, and of how many tokens."""
        states, keys, padded, now = self.encode(*pad(source))
        before, labels = (pad([[BOS, *row] for row in target])[0], pad([[*row, EOS] for row in target])[0])
        x, feed, rows = self.target(before), torch.zeros_like(now[0]), []
        for step in range(before.shape[1]):
            feed, now = self.step(x[:, step], feed, now, states, keys, padded)
            rows.append(feed)
        real = labels != PAD
        logits = self.output(torch.stack(rows, 1)[real])
        return functional.cross_entropy(logits, labels[real], reduction="sum"), int(real.sum())


def _fill(module: nn.Module, name: str, end: str, into: Tensor, own: Mapping[str, Tensor]) -> None:
    """Set a cell's weights; the second of torch's two biases stays 0."""
    end = f"_{end}" if end else ""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        parameters[f"weight_ih{end}"].copy_(into.T)
        parameters[f"weight_hh{end}"].copy_(own[f"{name}.state"].T)
        parameters[f"bias_ih{end}"].copy_(own[f"{name}.bias"])
        parameters[f"bias_hh{end}"].zero_().requires_grad_(False)


def _linear(weights: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A layer from weights with a row an input."""
    out = nn.Linear(*weights.shape, bias=bias is not None)
    with torch.no_grad():
        out.weight.copy_(weights.T)
        if bias is not None:
            out.bias.copy_(bias)
    return out


def pad(rows: Ids) -> tuple[Tensor, Tensor]:
    """Ids (n, t), and lengths (n,)."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), PAD)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.as_tensor(np.asarray(row))
    return ids, lengths


def fit(weights: Mapping[str, Any], batches: Sequence[tuple[Ids, Ids]], rate: float, clip: float = 1.0) -> Twin:
    """Train on batches of pairs."""
    twin = Twin(weights)
    learned = [each for each in twin.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=rate)
    for source, target in batches:
        optimizer.zero_grad()
        total, tokens = twin.loss(source, target)
        (total / tokens).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_value_(learned, clip)
        optimizer.step()
    return twin


@torch.no_grad()
def perplexity(twin: Twin, source: Ids, target: Ids) -> float:
    """Of a target token."""
    order = sorted(range(len(source)), key=lambda row: len(source[row]))
    loss, count = 0.0, 0
    for first in range(0, len(order), 64):
        rows = order[first : first + 64]
        total, tokens = twin.loss([source[row] for row in rows], [target[row] for row in rows])
        loss, count = loss + float(total), count + tokens
    return math.exp(loss / count)


@torch.no_grad()
def translate(twin: Twin, source: Ids, limit: Callable[[int], int], beam: int, size: int = 64) -> list[list[int]]:
    """The best hypothesis of each sentence by log probability divided by length, sentences of like length together."""
    order = sorted(range(len(source)), key=lambda row: -len(source[row]))
    out: list[list[int]] = [[] for _ in source]
    for first in range(0, len(order), size):
        rows = order[first : first + size]
        limits = torch.tensor([limit(len(source[row])) for row in rows])
        for row, own in zip(rows, _search(twin, [source[row] for row in rows], limits, beam), strict=True):
            out[row] = own
    return out


def _search(twin: Twin, source: Ids, limits: Tensor, k: int) -> list[list[int]]:
    """Beam search over some sentences; those whose hypotheses have all ended are left out of further steps."""
    states, keys, padded, now = twin.encode(*pad(source))
    states, keys, padded = (each.repeat_interleave(k, 0) for each in (states, keys, padded))
    now = tuple(each.repeat_interleave(k, 0) for each in now)
    n = len(source)
    feed, alive = torch.zeros_like(now[0]), torch.arange(n)
    scores, lengths = torch.full((n, k), -torch.inf), torch.zeros(n, k)
    scores[:, 0] = 0
    words = torch.full((n, k, 1), BOS)
    out: list[list[int]] = [[]] * n
    for step in range(1, int(limits.max()) + 2):
        m = len(alive)
        feed, now = twin.step(twin.target(words[:, :, -1].reshape(-1)), feed, now, states, keys, padded)
        logs = torch.log_softmax(twin.output(feed), 1).reshape(m, k, -1)
        logs[:, :, [PAD, BOS]] = -torch.inf
        ended = lengths > 0
        logs.masked_fill_(ended[:, :, None], -torch.inf)
        logs[:, :, PAD].masked_fill_(ended, 0)
        totals = scores[:, :, None] + logs
        ranked = (totals / torch.where(ended, lengths, torch.tensor(float(step)))[:, :, None]).reshape(m, -1)
        chosen = ranked.topk(k, 1).indices
        scores, parents, tokens = (
            totals.reshape(m, -1).gather(1, chosen),
            chosen // logs.shape[2],
            chosen % logs.shape[2],
        )
        lengths = lengths.gather(1, parents)
        lengths[(tokens == EOS) & (lengths == 0)] = step
        words = torch.cat([words.gather(1, parents[:, :, None].expand(-1, -1, step)), tokens[:, :, None]], 2)
        over = (lengths > 0).all(1) | (step > limits[alive])
        flat = (parents + k * torch.arange(m)[:, None]).reshape(-1)
        feed, now = feed[flat], tuple(each[flat] for each in now)
        if over.any():
            for place in torch.nonzero(over)[:, 0].tolist():
                out[int(alive[place])] = _best(words[place], scores[place], lengths[place], int(limits[alive[place]]))
            going = torch.nonzero(~over)[:, 0]
            if not len(going):
                break
            flat = (k * going[:, None] + torch.arange(k)).reshape(-1)
            feed, now = feed[flat], tuple(each[flat] for each in now)
            states, keys, padded = states[flat], keys[flat], padded[flat]
            alive, scores, lengths, words = alive[going], scores[going], lengths[going], words[going]
    return out


def _best(words: Tensor, scores: Tensor, lengths: Tensor, limit: int) -> list[int]:
    """The tokens of the best hypothesis; of those cut off one only if none has ended."""
    ranked = scores / torch.where(lengths > 0, lengths, torch.tensor(float(words.shape[1] - 1)))
    if (lengths > 0).any():
        ranked = ranked.masked_fill(lengths == 0, -torch.inf)
    row = words[int(ranked.argmax()), 1:].tolist()
    return [token for token in row if token not in (PAD, EOS)][:limit]
