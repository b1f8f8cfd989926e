"""What the network of a job looks like: sizes, and the arrays of its weights by name.

e numbers of an embedding   h hidden numbers   a of the attention   s of an encoder state   c of a convolution
v words   g gates: 4 of an LSTM, 3 of a GRU

A matrix has its inputs for rows and its outputs for columns, but for embeddings and `output`, which have a row a word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.shared.randomness import draws, inner_shares, shares

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Design:
    """All settings that decide on shapes."""

    source_words: int
    target_words: int
    encoder_type: str
    decoder_type: str
    num_layers_encoder: int
    num_layers_decoder: int
    num_embed_source: int
    num_embed_target: int
    max_seq_len_source: int
    max_seq_len_target: int
    rnn_num_hidden: int
    rnn_cell_type: str
    rnn_attention_type: str
    attention_size: int
    rnn_attention_in_upper_layers: bool
    rnn_decoder_state_init: str
    rnn_residual_connections: bool
    rnn_first_residual_layer: int
    cnn_num_hidden: int
    cnn_activation_type: str
    cnn_kernel_width_encoder: int
    cnn_kernel_width_decoder: int

    @classmethod
    def of(cls, settings: Hyperparameters, source_words: int, target_words: int) -> Self:
        """That of a job."""
        names = [name for name in cls.__dataclass_fields__ if name not in ("source_words", "target_words")]
        own = {name: getattr(settings, name) for name in names}
        return cls(source_words=source_words, target_words=target_words, **own)

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return asdict(self)

    @property
    def gates(self) -> int:
        """g"""
        return 4 if self.rnn_cell_type == "lstm" else 3

    @property
    def states(self) -> int:
        """s"""
        return self.rnn_num_hidden if self.encoder_type == "rnn" else self.cnn_num_hidden

    @property
    def outputs(self) -> int:
        """Numbers of the rows that words are told from."""
        return self.rnn_num_hidden if self.decoder_type == "rnn" else self.cnn_num_hidden

    @property
    def gated(self) -> int:
        """What the outputs of a convolution are a multiple of: `glu` has a gate beside each."""
        return 2 if self.cnn_activation_type == "glu" else 1

    @property
    def projects(self) -> bool:
        """Whether query and states are brought to the attention's size."""
        kind = self.rnn_attention_type
        return kind == "mlp" or (kind == "dot" and self.states != self.rnn_num_hidden)

    def is_residual(self, layer: int) -> bool:
        """Whether that recurrent layer, from 0, adds its input to its output, which the first cannot."""
        return self.rnn_residual_connections and layer >= max(1, self.rnn_first_residual_layer - 1)

    def upper_inputs(self, layer: int) -> int:
        """Numbers that a layer of a recurrent decoder gets, but for the first."""
        return self.rnn_num_hidden + (self.states if self.rnn_attention_in_upper_layers else 0)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each array of weights: matrices first, and behind them those that weight decay leaves alone."""
        every = dict(self._shapes())
        plain = {name: shape for name, shape in every.items() if _decays(name)}
        return {**plain, **{name: shape for name, shape in every.items() if name not in plain}}

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "source.embedding", (self.source_words, self.num_embed_source)
        yield "target.embedding", (self.target_words, self.num_embed_target)
        yield from self._recurrent_encoder() if self.encoder_type == "rnn" else self._convolutional_encoder()
        yield from self._recurrent_decoder() if self.decoder_type == "rnn" else self._convolutional_decoder()
        yield "output", (self.target_words, self.outputs)
        yield "output.bias", (self.target_words,)

    def _cell(self, name: str, inputs: int, h: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.input", (inputs, self.gates * h)
        yield f"{name}.state", (h, self.gates * h)
        yield f"{name}.bias", (self.gates * h,)
        if self.rnn_cell_type == "gru":
            yield f"{name}.state.bias", (self.gates * h,)

    def _recurrent_encoder(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        h = self.rnn_num_hidden
        for direction in ("forward", "backward"):
            yield from self._cell(f"encoder.0.{direction}", self.num_embed_source, h // 2)
        for layer in range(1, self.num_layers_encoder):
            yield from self._cell(f"encoder.{layer}", h, h)

    def _recurrent_decoder(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        h, s = self.rnn_num_hidden, self.states
        yield "decoder.feed", (h, self.gates * h)
        for layer in range(self.num_layers_decoder):
            inputs = self.num_embed_target if layer == 0 else self.upper_inputs(layer)
            yield from self._cell(f"decoder.{layer}", inputs, h)
            if self.rnn_decoder_state_init != "zero":
                for part in ("hidden", "cells")[: 2 if self.rnn_cell_type == "lstm" else 1]:
                    yield f"decoder.{layer}.initial.{part}", (s, h)
                    yield f"decoder.{layer}.initial.{part}.bias", (h,)
        if self.projects:
            yield "attention.query", (h, self.attention_size)
            yield "attention.key", (s, self.attention_size)
        if self.rnn_attention_type == "bilinear":
            yield "attention.key", (s, h)
        if self.rnn_attention_type == "mlp":
            yield "attention.score", (self.attention_size,)
        yield "decoder.combine", (h + s, h)
        yield "decoder.combine.bias", (h,)

    def _convolutions(self, side: str, layers: int, width: int, e: int, longest: int) -> Iterator[Any]:
        c = self.cnn_num_hidden
        yield f"{side}.position", (longest, e)
        yield f"{side}.project", (e, c)
        for layer in range(layers):
            yield f"{side}.{layer}.filter", (width * c, self.gated * c)
            yield f"{side}.{layer}.filter.bias", (self.gated * c,)

    def _convolutional_encoder(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield from self._convolutions(
            "encoder",
            self.num_layers_encoder,
            self.cnn_kernel_width_encoder,
            self.num_embed_source,
            self.max_seq_len_source,
        )

    def _convolutional_decoder(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield from self._convolutions(
            "decoder",
            self.num_layers_decoder,
            self.cnn_kernel_width_decoder,
            self.num_embed_target,
            self.max_seq_len_target + 1,
        )
        for layer in range(self.num_layers_decoder):
            yield f"decoder.{layer}.query", (self.cnn_num_hidden, self.states)
            yield f"decoder.{layer}.context", (self.states, self.cnn_num_hidden)

    @cached_property
    def size(self) -> int:
        """How many weights there are."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @cached_property
    def decaying(self) -> int:
        """How many of them, from the first on, weight decay applies to."""
        return sum(math.prod(shape) for name, shape in self.shapes.items() if _decays(name))

    def split(self, flat: Array) -> dict[str, Array]:
        """Views of one array by name."""
        views, at = {}, 0
        for name, shape in self.shapes.items():
            views[name] = flat[at : at + math.prod(shape)].reshape(shape)
            at += math.prod(shape)
        return views


def _decays(name: str) -> bool:
    return not name.endswith("bias")


def initial_weights(design: Design, settings: Hyperparameters, seed: int) -> Array:
    """The first weights (p,): recurrent matrices orthogonal for each gate (Saxe et al. 2014), others by
    `weight_init_type` (Glorot and Bengio 2010), biases 0."""
    flat = np.zeros(design.size, np.float32)
    for number, (name, weights) in enumerate(design.split(flat).items()):
        if name.endswith("bias"):
            continue
        key = draws(np.uint64(seed), np.uint64(number))
        bits = draws(key, np.arange(weights.size, dtype=np.uint64))
        if name.endswith(".state"):
            weights[:] = _orthogonal(bits.reshape(weights.shape), design.gates)
            continue
        into, out = weights.shape if weights.ndim == 2 else (weights.shape[0], 1)
        if "embedding" in name or name == "output" or "position" in name:
            into, out = out, into
        bound = _bound(settings, into, out)
        weights[:] = ((2 * shares(bits) - 1) * bound).reshape(weights.shape)
    return flat


def _bound(settings: Hyperparameters, into: int, out: int) -> float:
    if settings.weight_init_type == "uniform":
        return settings.weight_init_scale
    fan = {"in": into, "out": out, "avg": (into + out) / 2}[settings.xavier_factor_type]
    return math.sqrt(settings.weight_init_scale / fan)


def _orthogonal(bits: NDArray[np.uint64], gates: int) -> NDArray[np.float64]:
    """(h, g h): a random orthogonal matrix a gate, from the QR decomposition of a Gaussian one."""
    from scipy.special import ndtri

    h = bits.shape[0]
    parts = []
    for gate in range(gates):
        q, r = np.linalg.qr(ndtri(inner_shares(bits[:, gate * h : (gate + 1) * h])))
        parts.append(q * np.sign(np.diag(r)))
    return np.concatenate(parts, axis=1)
