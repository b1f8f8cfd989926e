"""The weights of the network: their names, their shapes, and where each lies in the one array that training changes.

d numbers of a token's vector   e of an encoder's   w tokens of a filter   c channels   h cells   g outputs of a layer
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.object2vec.hyperparameters import BILSTM, CONCAT, HCNN, POOLED, Hyperparameters
from algoport.algorithms.object2vec.kernels.initial import uniform_

Array = NDArray[np.float32]
OUTPUT = "output"


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """What decides the sizes of one encoder's weights."""

    network: str
    vocab_size: int
    token_dim: int  # d
    max_seq_len: int
    dim: int  # e
    layers: int  # of hcnn and bilstm
    filter_width: int = 3  # w, of hcnn

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """Of each layer of hcnn: e shared out."""
        edges = [self.dim * layer // self.layers for layer in range(self.layers + 1)]
        return tuple(b - a for a, b in pairwise(edges))

    @cached_property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """By name: matrices, and biases, whose names end so."""
        named: dict[str, tuple[int, ...]] = {}
        if self.network == HCNN:
            inputs = (self.token_dim, *self.channels)
            for layer, outputs in enumerate(self.channels):
                named[f"conv{layer}"] = (self.filter_width * inputs[layer], outputs)
                named[f"conv{layer}_bias"] = (outputs,)
        elif self.network == BILSTM:
            h = self.dim // 2
            for layer in range(self.layers):
                named[f"lstm{layer}_inputs"] = (2, self.dim if layer else self.token_dim, 4 * h)
                named[f"lstm{layer}_states"] = (2, h, 4 * h)
                named[f"lstm{layer}_bias"] = (2, 4 * h)
        elif self.dim != self.token_dim:
            named["linear"] = (self.token_dim, self.dim)
            named["linear_bias"] = (self.dim,)
        return named


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What decides the sizes of all weights, and what is computed with them."""

    encoders: tuple[EncoderShape, EncoderShape]
    tied: bool  # one table of token vectors
    comparators: tuple[str, ...]
    mlp_layers: int
    mlp_dim: int
    mlp_activation: str
    output_layer: str
    outputs: int

    @classmethod
    def of(cls, settings: Hyperparameters) -> Shape:
        """What the settings say."""
        dims = [
            int(str(settings.of_encoder(side, "token_embedding_dim"))) if kind == POOLED else settings.enc_dim
            for side, kind in enumerate(settings.networks)
        ]
        # A mean of token vectors is brought to the other encoder's length, or that of the first of two.
        if settings.networks[0] == POOLED and settings.networks[1] != POOLED:
            dims[0] = dims[1]
        dims[1] = dims[0]
        encoders = [
            EncoderShape(
                network=kind,
                vocab_size=int(str(settings.of_encoder(side, "vocab_size"))),
                token_dim=int(str(settings.of_encoder(side, "token_embedding_dim"))),
                max_seq_len=int(str(settings.of_encoder(side, "max_seq_len"))),
                dim=dims[side],
                layers=settings.layers(side),
                filter_width=int(str(settings.of_encoder(side, "cnn_filter_width"))),
            )
            for side, kind in enumerate(settings.networks)
        ]
        return cls(
            encoders=(encoders[0], encoders[1]),
            tied=settings.tied_token_embedding_weight,
            comparators=tuple(settings.comparator_list),
            mlp_layers=settings.mlp_layers,
            mlp_dim=settings.mlp_dim,
            mlp_activation=settings.mlp_activation,
            output_layer=settings.output_layer,
            outputs=settings.outputs,
        )

    @property
    def dim(self) -> int:
        """e, of either encoder."""
        return self.encoders[0].dim

    @property
    def compared(self) -> int:
        """Numbers of a comparison."""
        return self.dim * sum(2 if name == CONCAT else 1 for name in self.comparators)

    @cached_property
    def perceptron(self) -> tuple[tuple[str, int, int], ...]:
        """Name, inputs and outputs of each layer behind the comparison, the output layer last."""
        sizes = [self.compared, *[self.mlp_dim] * self.mlp_layers]
        hidden = [(f"mlp{layer}", sizes[layer], self.mlp_dim) for layer in range(self.mlp_layers)]
        return (*hidden, (OUTPUT, sizes[-1], self.outputs))

    @cached_property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """All by name but for the token vectors: matrices first, then biases."""
        named: dict[str, tuple[int, ...]] = {}
        for side, encoder in enumerate(self.encoders):
            named |= {f"enc{side}.{name}": size for name, size in encoder.weights.items()}
        for name, inputs, outputs in self.perceptron:
            named |= {name: (inputs, outputs), f"{name}_bias": (outputs,)}
        ordered = sorted(named, key=lambda name: name.endswith("_bias"))
        return {name: named[name] for name in ordered}

    @cached_property
    def size(self) -> int:
        """How many numbers all of them are."""
        return sum(map(math.prod, self.weights.values()))

    @cached_property
    def matrices(self) -> slice:
        """Where those lie that weight decay pulls to zero: not biases."""
        return slice(0, sum(math.prod(size) for name, size in self.weights.items() if not name.endswith("_bias")))

    @cached_property
    def tables(self) -> dict[str, tuple[int, int]]:
        """The tables of token vectors by name; the second encoder has none of its own where they are tied."""
        sides = (0,) if self.tied else (0, 1)
        return {table_name(side): (self.encoders[side].vocab_size, self.encoders[side].token_dim) for side in sides}

    def table_of(self, side: int) -> str:
        """The name of the table that an encoder's tokens are looked up in."""
        return table_name(0 if self.tied else side)

    def views(self, flat: Array) -> dict[str, Array]:
        """The weights by name: views of the array."""
        own, at = {}, 0
        for name, size in self.weights.items():
            own[name] = flat[at : at + math.prod(size)].reshape(size)
            at += math.prod(size)
        return own

    def flat(self, weights: Mapping[str, Array]) -> Array:
        """The one array, of weights by name."""
        return np.concatenate([np.asarray(weights[name], np.float32).ravel() for name in self.weights])

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        own = {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}
        encoders = [
            {name: value for name, value in vars(each).items() if name in each.__dataclass_fields__}
            for each in self.encoders
        ]
        return {**own, "encoders": encoders, "comparators": list(self.comparators)}


def table_name(side: int) -> str:
    """What an encoder's table of token vectors is called."""
    return f"enc{side}.tokens"


def initial_weights(shape: Shape, random: np.random.Generator) -> Array:
    """First weights: uniform ones by Glorot and Bengio (2010); biases are 0, of forget gates 1 (Jozefowicz et al.
    2015)."""
    flat = np.empty(shape.size, np.float32)
    for name, own in shape.views(flat).items():
        if name.endswith("_bias"):
            own[:] = 0
            if "lstm" in name:
                h = own.shape[1] // 4
                own[:, h : 2 * h] = 1
        else:
            gates = 4 if "lstm" in name else 1
            bound = math.sqrt(6.0 / (own.shape[-2] + own.shape[-1] // gates))
            uniform_(own.reshape(-1), _key(random), bound)
    return flat


def initial_table(rows: int, width: int, random: np.random.Generator) -> Array:
    """First token vectors: uniform ones within 0.07, as MXNet has them where nothing is said."""
    table = np.empty((rows, width), np.float32)
    uniform_(table.reshape(-1), _key(random), 0.07)
    return table


def _key(random: np.random.Generator) -> np.uint64:
    return random.integers(0, 1 << 64, dtype=np.uint64)
