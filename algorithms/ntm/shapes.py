"""The weights of the network: their names, their shapes, and where each lies in the one array that training changes.

v words   k topics   m tiles of the vocabulary   t words of a tile   g outputs of a layer
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.neural.kernels.vocabulary import TILE
from algoport.algorithms.shared.neural.vocabulary_loss import tiled, tiles, untiled

Array = NDArray[np.float32]
TOPICS, WORDS = "topics", "words"  # the decoder's weights and bias
HEADS = ("mean", "spread")  # of the latent vector; the spread is the logarithm of the variance


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What decides the sizes of all weights."""

    feature_dim: int  # v
    num_topics: int  # k
    layers: tuple[int, ...]  # outputs of the encoder's hidden layers

    @cached_property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """By name: the decoder first, whose gradient is there first; then matrices, then biases of the encoder."""
        m, v, k = tiles(self.feature_dim), self.feature_dim, self.num_topics
        named: dict[str, tuple[int, ...]] = {WORDS: (m, TILE), TOPICS: (m, k, TILE)}
        inputs = (v, *self.layers)
        for number, outputs in enumerate(self.layers):
            named[f"layer{number}"] = (inputs[number], outputs)
        named |= dict.fromkeys(HEADS, (inputs[-1], k))
        named |= {f"layer{number}_bias": (outputs,) for number, outputs in enumerate(self.layers)}
        return named | {f"{head}_bias": (k,) for head in HEADS}

    @cached_property
    def size(self) -> int:
        """How many numbers all of them are."""
        return sum(map(math.prod, self.weights.values()))

    @cached_property
    def decoder(self) -> slice:
        """Where the decoder lies."""
        return slice(0, math.prod(self.weights[WORDS]) + math.prod(self.weights[TOPICS]))

    @cached_property
    def words(self) -> slice:
        """Where the encoder's first layer lies, a row a word."""
        begin = self.decoder.stop
        return slice(begin, begin + math.prod(self.weights["layer0"]))

    @cached_property
    def matrices(self) -> slice:
        """Where all lie that weight decay pulls to zero: not biases."""
        biases = sum(shape[0] for name, shape in self.weights.items() if name.endswith("_bias"))
        return slice(math.prod(self.weights[WORDS]), self.size - biases)

    @cached_property
    def statistics(self) -> dict[str, tuple[int, ...]]:
        """What batch normalization remembers, by name: mean and variance of each output of the encoder's layers and
        heads, mean and covariance of the topic weights."""
        k = self.num_topics
        own: dict[str, tuple[int, ...]] = {f"layer{number}": (2, outputs) for number, outputs in enumerate(self.layers)}
        return own | dict.fromkeys(HEADS, (2, k)) | {TOPICS: (k + 1, k)}

    def views(self, flat: Array) -> dict[str, Array]:
        """The weights by name: views of the array."""
        parts = np.split(flat, np.cumsum([math.prod(shape) for shape in self.weights.values()])[:-1])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.weights.items(), parts, strict=True)}

    def plain(self, flat: Array) -> dict[str, Array]:
        """Copies as a model has them: `topics` (k, v) and `words` (v,) without tiles."""
        own = {name: view.copy() for name, view in self.views(flat).items()}
        return {**own, **{name: untiled(own[name], self.feature_dim) for name in (TOPICS, WORDS)}}

    def flat(self, weights: Mapping[str, Array]) -> Array:
        """The one array, from what `plain` gave."""
        own = {**weights, **{name: tiled(weights[name]) for name in (TOPICS, WORDS)}}
        return np.concatenate([np.asarray(own[name], np.float32).ravel() for name in self.weights])


def initial_weights(shape: Shape, seed: int, shares: Array) -> Array:
    """First weights: uniform ones by Glorot and Bengio (2010); the decoder's bias is the logarithm of the words'
    `shares` (v,), so that a topic is what is other than usual."""
    random = np.random.default_rng(seed)
    own: dict[str, Array] = {}
    for name, size in shape.weights.items():
        outer = (shape.num_topics, shape.feature_dim) if name == TOPICS else size
        if len(outer) == 2 and name != WORDS:
            bound = math.sqrt(6.0 / sum(outer))
            own[name] = random.uniform(-bound, bound, outer).astype(np.float32)
        else:
            own[name] = np.zeros(outer, np.float32)
    own[WORDS] = np.log(shares).astype(np.float32)
    return shape.flat(own)
