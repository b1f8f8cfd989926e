"""The loss of a batch of pairs, and its gradient by all weights.    n pairs   p target tokens, </s> among them"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq import attention, convolutional_decoder, encoder, recurrent_decoder, vocabulary_softmax
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.encoder import Drop, nothing
from algoport.algorithms.seq2seq.kernels import rows as kernels
from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.seq2seq.pairs import Pairs
from algoport.algorithms.seq2seq.vocabulary import BOS, EOS
from algoport.algorithms.seq2seq.vocabulary_softmax import Losses
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.randomness import draws

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Shares of numbers that are dropped, and what the draws come from."""

    source: float = 0.0
    target: float = 0.0
    state: float = 0.0  # of the recurrent decoder's attentional state
    convolution: float = 0.0
    keys: NDArray[np.uint64]  # (n,) of each pair


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs as the network reads them."""

    source: Packing
    target: Packing  # of labels, and of the tokens before them, which are as many
    tokens: Ints  # source tokens row by row
    before: Ints  # (p,) the token before each label
    labels: Ints  # (p,)
    owners: Ints  # (n,) of each rank of the targets the rank of its source

    @classmethod
    def of(cls, pairs: Pairs) -> Batch:
        """For pairs of which no source is empty."""
        source, target = Packing.of(pairs.source.lengths), Packing.of(pairs.target.lengths + 1)
        before, labels = _shifted(pairs.target, BOS, behind=False), _shifted(pairs.target, EOS, behind=True)
        ranks = np.empty(len(pairs), np.int64)
        ranks[source.order] = np.arange(len(pairs))
        return cls(
            source, target, source.take(pairs.source), target.take(before), target.take(labels), ranks[target.order]
        )


def _shifted(ragged: Ragged, token: int, *, behind: bool) -> Ragged:
    """Sentences with a token more, in front or behind."""
    n = len(ragged)
    offsets = ragged.offsets + np.arange(n + 1)
    values = np.full(int(offsets[-1]), token, np.int32)
    inside = np.ones(len(values), bool)
    inside[offsets[1:] - 1 if behind else offsets[:-1]] = False
    values[inside] = ragged.values
    return Ragged(values, offsets)


def losses(design: Design, weights: Weights, pairs: Pairs) -> Losses:
    """The cross entropy of each target token."""
    batch = Batch.of(pairs)
    states, _ = encoder.encode(design, weights, weights["source.embedding"][batch.tokens], batch.source)
    given = attention.source(design, weights, states, batch.source)
    embedded = weights["target.embedding"][batch.before]
    rows = _decode(design, weights, given, batch, embedded, nothing)[0]
    return vocabulary_softmax.losses(rows, weights["output"], weights["output.bias"], batch.labels)


def gradient_(design: Design, weights: Weights, pairs: Pairs, dropout: Dropout, gradient: Weights) -> Losses:
    """Sets the gradient of the sum of the losses by all weights."""
    batch = Batch.of(pairs)
    of_source, of_target = _keys(dropout.keys, batch.source), _keys(dropout.keys, batch.target)
    x = weights["source.embedding"][batch.tokens]
    y = weights["target.embedding"][batch.before]
    drop_x, drop_y = _dropping(of_source, 0, dropout.source), _dropping(of_target, 1, dropout.target)
    drop_x(x, 0)
    drop_y(y, 0)
    in_encoder = _dropping(of_source, 2, dropout.convolution)
    in_decoder = _dropping(of_target, 3, dropout.convolution)
    if design.decoder_type == "rnn":
        in_decoder = _dropping_rows(of_target, dropout.state)
    states, trace = encoder.encode(design, weights, x, batch.source, in_encoder)
    given = attention.source(design, weights, states, batch.source)
    rows, of_decoder = _decode(design, weights, given, batch, y, in_decoder)
    own, by_rows = vocabulary_softmax.gradients(
        rows, weights["output"], weights["output.bias"], batch.labels, gradient["output"], gradient["output.bias"]
    )
    back: Any = recurrent_decoder.decode_back if design.decoder_type == "rnn" else convolutional_decoder.decode_back
    by_y, by = back(design, weights, given, batch.owners, batch.target, of_decoder, by_rows, gradient, in_decoder)
    by_states = attention.source_back(design, weights, given, batch.source, by, gradient)
    by_x = encoder.encode_back(design, weights, batch.source, trace, by_states, gradient, in_encoder)
    drop_x(by_x, 0)
    drop_y(by_y, 0)
    for name, ids, slopes in (("source", batch.tokens, by_x), ("target", batch.before, by_y)):
        table = gradient[f"{name}.embedding"]
        table[:] = 0
        kernels.add_rows_(table, const(ids, np.dtype(np.int64)), const(slopes))
    return own


def _decode(
    design: Design, weights: Weights, given: attention.Source, batch: Batch, embedded: Array, drop: Drop
) -> tuple[Array, object]:
    decode = recurrent_decoder.decode if design.decoder_type == "rnn" else convolutional_decoder.decode
    out = decode(design, weights, given, batch.owners, embedded, batch.target, drop)
    return out[0], out[1]


def _keys(keys: NDArray[np.uint64], packing: Packing) -> NDArray[np.uint64]:
    """(p,) of each row, from its pair's and its step."""
    return draws(keys[packing.order][packing.ranks], packing.steps.astype(np.uint64))


def _dropping(keys: NDArray[np.uint64], use: int, rate: float) -> Drop:
    """Drops numbers of all rows, the same ones for the same layer."""
    return nothing if rate == 0 else partial(_drop, keys, use, rate)


def _drop(keys: NDArray[np.uint64], use: int, rate: float, rows: Array, layer: int) -> None:
    own = draws(keys, np.uint64(use + 8 * layer))
    kernels.drop_(rows, const(own, np.dtype(np.uint64)), float(rate))


def _dropping_rows(keys: NDArray[np.uint64], rate: float) -> Drop:
    """Drops numbers of some rows, from the one that is named on."""
    return nothing if rate == 0 else partial(_drop_some, draws(keys, np.uint64(4)), rate)


def _drop_some(keys: NDArray[np.uint64], rate: float, rows: Array, first: int) -> None:
    kernels.drop_(rows, const(keys[first : first + len(rows)], np.dtype(np.uint64)), float(rate))
