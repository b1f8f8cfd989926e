"""Losses and gradients of a batch on a processor, by hand.    n documents   k topics   g outputs of a layer

torch computes the same (`network`), and is what a GPU uses. Documents stay sparse, and the decoder's softmax over the
vocabulary goes tile by tile: nothing of the size documents × words is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.ntm import kernels, normalization
from algoport.algorithms.ntm.documents import Documents
from algoport.algorithms.ntm.normalization import Normalized
from algoport.algorithms.ntm.shapes import HEADS, TOPICS, WORDS, Shape
from algoport.algorithms.shared.neural import vocabulary_loss
from algoport.algorithms.shared.randomness import draws, hashes, shares

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Losses:
    """Of each document, by the draw that was made, or by the mean."""

    reconstruction: NDArray[np.float64]  # (n,)
    divergence: NDArray[np.float64]  # (n,) from the prior


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """What stays the same from step to step."""

    shape: Shape
    activation: str
    batch_norm: bool
    group: Group
    dropout: float = 0.0  # share of the last hidden layer's outputs that a step of training leaves out
    statistics: Mapping[str, Array] = field(default_factory=dict)  # of batch normalization; training moves them


@dataclass(frozen=True, eq=False)
class _Layer:
    """What the forward pass leaves of a layer for the backward pass."""

    inputs: Array | None  # (n, d); None of the first, whose are the documents
    out: Array  # (n, g) after the activation, of heads as it is
    normalized: Normalized | None
    dropout: Array | None = None  # (n, g) what dropout multiplied with; None without it


def gradient_(
    network: Network,
    flat: Array,  # (p,)
    documents: Documents,
    keys: NDArray[np.uint64],  # (n,) from which the draws come
    count: float,  # documents of all members
    pull: float,  # the weight of the divergence from the prior
    gradient: Array,  # sets (p,)  of the sum over the documents of all members; rows of words that nobody has must be 0
) -> Losses:
    """Forward and backward pass of all members' parts of a batch; every member takes part, also without documents."""
    shape, group = network.shape, network.group
    weights, slopes = shape.views(flat), shape.views(gradient)
    layers, heads = _encode(network, weights, documents, keys, count)
    hidden, noise, divergence = kernels.latent(heads[0].out, heads[1].out, keys)
    decoder = None
    given = weights[TOPICS], weights[WORDS]
    if network.batch_norm:
        moments = normalization.moments(hidden, count, group, network.statistics[TOPICS])
        decoder = normalization.decoder(*given, moments)
        given = decoder.weights, decoder.bias
    own = vocabulary_loss.gradients(hidden, *given, shape.feature_dim, documents.words, slopes[TOPICS], slopes[WORDS])
    wait = group.summing(gradient[shape.decoder])
    by_hidden = own.by_hidden
    if decoder is not None:
        wait()
        normalization.decoder_backward_(
            decoder, weights[TOPICS], hidden, count, slopes[TOPICS], slopes[WORDS], by_hidden
        )
    by_latent = hidden * (by_hidden - (by_hidden * hidden).sum(axis=1, keepdims=True))
    mean, spread = heads[0].out, heads[1].out
    by_mean = by_latent + np.float32(pull) * mean
    half = np.exp(np.float32(0.5) * spread)
    by_spread = np.float32(0.5) * (by_latent * noise * half + np.float32(pull) * (half * half - 1))
    _encode_backward(network, weights, slopes, documents, layers, heads, (by_mean, by_spread))
    if decoder is None:
        wait()
    group.sum_(gradient[shape.decoder.stop :])
    return Losses(own.losses, divergence)


def losses(network: Network, flat: Array, documents: Documents) -> Losses:
    """By the mean of the latent vector, and the statistics of training. No exchange."""
    shape = network.shape
    weights = shape.views(flat)
    mean, spread = encode(network, weights, *documents.entries)
    given = weights[TOPICS], weights[WORDS]
    if network.batch_norm:
        decoder = normalization.decoder(*given, network.statistics[TOPICS])
        given = decoder.weights, decoder.bias
    own = vocabulary_loss.losses(softmax(mean), *given, shape.feature_dim, documents.words)
    wide, log = mean.astype(np.float64), spread.astype(np.float64)
    return Losses(own, 0.5 * (wide * wide + np.exp(log) - 1 - log).sum(axis=1))


def encode(
    network: Network, weights: Weights, indptr: NDArray[np.int64], indices: NDArray[np.int32], values: Array
) -> tuple[Array, Array]:
    """Mean and spread (n, k) of documents, by the statistics of training."""

    def linear(name: str, product: Array) -> Array:
        own = normalization.apply(product, network.statistics[name]) if network.batch_norm else product
        return own + weights[f"{name}_bias"]

    activate = ACTIVATIONS[network.activation][0]
    x = activate(linear("layer0", kernels.sparse_product(indptr, indices, values, weights["layer0"])))
    for number in range(1, len(network.shape.layers)):
        x = activate(linear(f"layer{number}", kernels.affine(x, weights[f"layer{number}"])))
    mean, spread = (linear(head, kernels.affine(x, weights[head])) for head in HEADS)
    return mean, spread


def dropout_factors(keys: NDArray[np.uint64], outputs: int, dropout: float) -> Array:
    """What dropout (Srivastava et al. 2014) multiplies a layer's outputs with (n, outputs): 0, or what keeps their
    mean. A document's are draws from its key."""
    own = draws(hashes(keys)[:, None], np.arange(outputs, dtype=np.uint64))
    return np.asarray((shares(own) >= dropout) / (1.0 - dropout), np.float32)


def softmax(latent: Array) -> Array:
    """Topic weights (n, k)."""
    powers = np.exp(latent - latent.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _encode(
    network: Network, weights: Weights, documents: Documents, keys: NDArray[np.uint64], count: float
) -> tuple[list[_Layer], list[_Layer]]:
    """Layers and heads, by the statistics of the batch, and with dropout."""

    def linear(name: str, product: Array) -> tuple[Array, Normalized | None]:
        if not network.batch_norm:
            return product + weights[f"{name}_bias"], None
        own = normalization.forward(product, count, network.group, network.statistics[name])
        return own.out + weights[f"{name}_bias"], own

    activate = ACTIVATIONS[network.activation][0]
    out, own = linear("layer0", kernels.sparse_product(*documents.entries, weights["layer0"]))
    layers = [_Layer(None, activate(out), own)]
    for number in range(1, len(network.shape.layers)):
        inputs = layers[-1].out
        out, own = linear(f"layer{number}", kernels.affine(inputs, weights[f"layer{number}"]))
        layers.append(_Layer(inputs, activate(out), own))
    top = layers[-1].out
    if network.dropout:
        factors = dropout_factors(keys, top.shape[1], network.dropout)
        layers[-1], top = replace(layers[-1], dropout=factors), top * factors
    heads = [_Layer(top, *linear(head, kernels.affine(top, weights[head]))) for head in HEADS]
    return layers, heads


def _encode_backward(
    network: Network,
    weights: Weights,
    slopes: Weights,
    documents: Documents,
    layers: list[_Layer],
    heads: list[_Layer],
    by_heads: tuple[Array, Array],
) -> None:
    """From the heads to the documents; sets all slopes of the encoder."""
    by_out = np.zeros_like(layers[-1].out)
    for head, layer, own in zip(HEADS, heads, by_heads, strict=True):
        by_out += _linear_backward(network, weights, slopes, head, layer, own)
    for number in range(len(layers) - 1, -1, -1):
        layer, name = layers[number], f"layer{number}"
        by_out = by_out if layer.dropout is None else by_out * layer.dropout
        own = by_out * ACTIVATIONS[network.activation][1](layer.out)
        if number:
            by_out = _linear_backward(network, weights, slopes, name, layer, own)
            continue
        slopes[f"{name}_bias"][:] = own.sum(axis=0)
        if layer.normalized is not None:
            own = normalization.backward(layer.normalized, own, network.group)
        kernels.sparse_outer_(*documents.entries, own, slopes[name])


def _linear_backward(
    network: Network, weights: Weights, slopes: Weights, name: str, layer: _Layer, own: Array
) -> Array:
    """The gradient by a layer's inputs (n, d), from that by its outputs before the activation; sets its slopes."""
    slopes[f"{name}_bias"][:] = own.sum(axis=0)
    if layer.normalized is not None:
        own = normalization.backward(layer.normalized, own, network.group)
    assert layer.inputs is not None
    slopes[name][:] = kernels.affine(layer.inputs.T, own)
    by_inputs: Array = kernels.affine(own, weights[name].T)
    return by_inputs


def _sigmoid(x: Array) -> Array:
    return np.asarray(np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5), np.float32)


# By name: the activation, and its derivative from its value.
ACTIVATIONS: Mapping[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sigmoid": (_sigmoid, lambda out: out * (1 - out)),
    "tanh": (np.tanh, lambda out: 1 - out * out),
    "relu": (lambda x: np.maximum(x, np.float32(0)), lambda out: (out > 0).astype(np.float32)),
}
