"""Object2Vec's network in plain torch: what the benchmark races against.    n sequences   t tokens of the longest

Sequences are padded to the longest of their batch; an LSTM is given them packed, as torch has it for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Lists = list[Any]  # a row of token ids a sequence


class Encoder(nn.Module):
    """Convolutions, an LSTM in both directions, or the mean of the token vectors."""

    def __init__(self, network: str, vocab: int, width: int, dim: int, layers: int) -> None:
        super().__init__()
        self.network = network
        self.tokens = nn.Embedding(vocab + 1, width, padding_idx=vocab)
        nn.init.uniform_(self.tokens.weight, -0.07, 0.07)
        with torch.no_grad():
            self.tokens.weight[vocab] = 0
        if network == "hcnn":
            inputs = [width, *[dim // layers] * (layers - 1)]
            self.layers = nn.ModuleList(nn.Conv1d(each, dim // layers, 3, padding=1) for each in inputs)
        elif network == "bilstm":
            self.lstm = nn.LSTM(width, dim // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The vector of each sequence."""
        x = self.tokens(ids)
        if self.network == "pooled_embedding":
            return x.sum(1) / lengths[:, None]
        inside = (torch.arange(ids.shape[1]) < lengths[:, None])[..., None]
        if self.network == "hcnn":
            out, x, mask = [], x.transpose(1, 2), inside.transpose(1, 2)
            for layer in self.layers:
                x = torch.relu(layer(x)) * mask
                out.append(x.amax(2))
            return torch.cat(out, 1)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return states.masked_fill(~inside, -torch.inf).amax(1)


class Twin(nn.Module):
    """Both encoders, the comparison and the perceptron."""

    def __init__(self, given: dict[str, Any], outputs: int) -> None:
        super().__init__()
        network = given["enc0_network"]
        width, layers = given.get("enc0_token_embedding_dim", 300), {"hcnn": 4, "bilstm": 1}.get(network, 0)
        dim = width if network == "pooled_embedding" else given.get("enc_dim", 4096)
        sizes = given["enc0_vocab_size"], given.get("enc1_vocab_size", given["enc0_vocab_size"])
        self.encoders = nn.ModuleList(Encoder(network, size, width, dim, layers) for size in sizes)
        activation: Any = {"tanh": nn.Tanh, "relu": nn.ReLU, "linear": nn.Identity}
        self.comparators = [
            name.strip() for name in given.get("comparator_list", "hadamard,concat,abs_diff").split(",")
        ]
        hidden, inputs = [], dim * sum(2 if name == "concat" else 1 for name in self.comparators)
        for _ in range(given.get("mlp_layers", 2)):
            hidden += [
                nn.Linear(inputs, given.get("mlp_dim", 512)),
                activation[given.get("mlp_activation", "linear")](),
            ]
            inputs = given.get("mlp_dim", 512)
        self.perceptron = nn.Sequential(*hidden, nn.Linear(inputs, outputs))

    def forward(self, sides: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Outputs of each pair."""
        u, v = (encoder(*side) for encoder, side in zip(self.encoders, sides, strict=True))
        parts = {"hadamard": u * v, "concat": torch.cat([u, v], 1), "abs_diff": (u - v).abs()}
        out: Tensor = self.perceptron(torch.cat([parts[name] for name in self.comparators], 1))
        return out


def padded(lists: Lists, vocab: int) -> tuple[Tensor, Tensor]:
    """Token ids (n, t), and lengths (n,)."""
    lengths = torch.tensor([len(each) for each in lists])
    ids = torch.full((len(lists), int(lengths.max())), vocab)
    for row, each in enumerate(lists):
        ids[row, : len(each)] = torch.from_numpy(each)
    return ids, lengths


def fit(given: dict[str, Any], train: Any, epochs: int, seed: int = 0) -> Twin:
    """Train on (in0, in1, label) of lists, all epochs. Batches are padded as they come, a part of every step."""
    torch.manual_seed(seed)
    regression = given.get("output_layer") == "mean_squared_error"
    twin = Twin(given, 1 if regression else 2)
    rate, decay = given.get("learning_rate", 0.0004), given.get("weight_decay", 0.0)
    optimizer = torch.optim.Adam(twin.parameters(), lr=rate, weight_decay=decay)
    size = given.get("mini_batch_size", 32)
    for _ in range(epochs):
        for rows in torch.randperm(len(train[2])).split(size):
            sides, label = batch(given, train, rows.numpy())
            optimizer.zero_grad()
            out = twin(sides)
            loss = ((out[:, 0] - label) ** 2).mean() if regression else functional.cross_entropy(out, label.long())
            loss.backward()
            optimizer.step()
    return twin


def batch(given: dict[str, Any], some: Any, rows: Any) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Both sides of some pairs, and their labels."""
    sizes = given["enc0_vocab_size"], given.get("enc1_vocab_size", given["enc0_vocab_size"])
    sides = [padded([some[side][row] for row in rows], sizes[side]) for side in (0, 1)]
    return sides, torch.from_numpy(some[2][rows])


def figures(twin: Twin, given: dict[str, Any], some: Any) -> tuple[float, float]:
    """Mean loss and accuracy."""
    regression = given.get("output_layer") == "mean_squared_error"
    loss = right = 0.0
    with torch.no_grad():
        for first in range(0, len(some[2]), 256):
            sides, label = batch(given, some, np.arange(first, min(first + 256, len(some[2]))))
            out = twin(sides)
            if regression:
                loss += float(((out[:, 0] - label) ** 2).sum())
            else:
                loss += float(functional.cross_entropy(out, label.long(), reduction="sum"))
                right += float((out.argmax(1) == label.long()).sum())
    return loss / len(some[2]), right / len(some[2])
