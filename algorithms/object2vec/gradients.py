"""Losses and gradients of pairs on a processor, by hand.    m pairs   n, k sequences of encoders 0 and 1   g outputs

torch computes the same (`kernels_torch`), and is what a GPU uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec import encoders
from algoport.algorithms.object2vec.hyperparameters import COMPARATORS, SOFTMAX
from algoport.algorithms.object2vec.kernels import comparison
from algoport.algorithms.object2vec.shapes import OUTPUT, Shape
from algoport.algorithms.shared.linalg.product import product
from algoport.algorithms.shared.neural.sparse import RowGradient
from algoport.algorithms.shared.randomness import draws, shares

Array = NDArray[np.float32]
Whole = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Pairs:
    """What one step, or one evaluation, is about."""

    sequences: tuple[Ragged, Ragged]  # (n,) and (k,) token ids, none of them empty
    places: tuple[Whole, Whole]  # (m,) each: which sequences each pair is of
    labels: Array  # (m,)
    keys: NDArray[np.uint64] | None = None  # (m,) from which the draws of dropout come

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Losses:
    """Of each pair."""

    losses: NDArray[np.float64]  # (m,)
    right: NDArray[np.bool_]  # (m,) whether its class is the likeliest; of regression False


def own_weights(weights: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Those of one encoder, by their names within it."""
    return {name.removeprefix(prefix): own for name, own in weights.items() if name.startswith(prefix)}


def gradient_(
    shape: Shape,
    flat: Array,  # (p,)
    tables: Mapping[str, Array],
    frozen: frozenset[str],  # tables that stay as they are
    pairs: Pairs,
    dropout: float,
    gradient: Array,  # sets (p,)  of the sum over the pairs
) -> tuple[Losses, dict[str, RowGradient]]:
    """Forward and backward pass; the gradients of the tables by their names."""
    weights, slopes = shape.views(flat), shape.views(gradient)
    passes = [
        encoders.encode(
            shape.encoders[side],
            own_weights(weights, f"enc{side}."),
            tables[shape.table_of(side)],
            pairs.sequences[side],
        )
        for side in (0, 1)
    ]
    left, right = passes[0].out, passes[1].out
    kinds = _kinds(shape)
    x = comparison.compared(left, right, pairs.places, kinds)
    inputs, masks, outs = [], [], []
    for number, (name, _, _) in enumerate(shape.perceptron):
        mask = dropped(pairs, x.shape[1], number, dropout)
        if mask is not None:
            x = x * mask
        inputs.append(x)
        masks.append(mask)
        x = product(x, weights[name])
        x += weights[f"{name}_bias"]
        if name != OUTPUT:
            x = ACTIVATIONS[shape.mlp_activation][0](x)
        outs.append(x)
    losses, by_x = output_losses(shape, x, pairs.labels)
    for number in range(len(inputs) - 1, -1, -1):
        name = shape.perceptron[number][0]
        if name != OUTPUT and shape.mlp_activation != "linear":
            by_x *= ACTIVATIONS[shape.mlp_activation][1](outs[number])
        product(inputs[number].T, by_x, slopes[name])
        slopes[f"{name}_bias"][:] = by_x.sum(axis=0)
        by_x = product(by_x, weights[name].T)
        own = masks[number]
        if own is not None:
            by_x *= own
    by_vectors = comparison.compared_backward(left, right, pairs.places, kinds, by_x)
    by_tables: dict[str, list[RowGradient]] = {}
    for side in (0, 1):
        table = shape.table_of(side)
        own_slopes = own_weights(slopes, f"enc{side}.")
        by_tokens = passes[side].backward(by_vectors[side], own_slopes, by_tokens=table not in frozen)
        if by_tokens is not None:
            by_tables.setdefault(table, []).append(by_tokens)
    return losses, {name: joined(parts) for name, parts in by_tables.items()}


def joined(parts: list[RowGradient]) -> RowGradient:
    """The sum of gradients of one table."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    values = np.concatenate([part.values for part in parts])
    return encoders.by_rows(rows, values)


def vectors(shape: Shape, weights: Weights, tables: Mapping[str, Array], side: int, sequences: Ragged) -> Array:
    """The vector of each sequence (n, e)."""
    own = own_weights(weights, f"enc{side}.")
    return encoders.encode(shape.encoders[side], own, tables[shape.table_of(side)], sequences).out


def outputs(shape: Shape, weights: Weights, left: Array, right: Array, places: tuple[Whole, Whole]) -> Array:
    """What the last layer gives for each pair of vectors (m, g)."""
    x = comparison.compared(left, right, places, _kinds(shape))
    for name, _, _ in shape.perceptron:
        x = product(x, weights[name])
        x += weights[f"{name}_bias"]
        if name != OUTPUT:
            x = ACTIVATIONS[shape.mlp_activation][0](x)
    return x


def scores(shape: Shape, x: Array) -> Array:
    """Answers from outputs: probabilities of classes, or scores."""
    if shape.output_layer != SOFTMAX:
        return x
    powers = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def output_losses(shape: Shape, x: Array, labels: Array) -> tuple[Losses, Array]:
    """The loss of each pair from its outputs (m, g), and its gradient by them."""
    if shape.output_layer != SOFTMAX:
        gaps = x[:, 0] - labels
        wide = gaps.astype(np.float64)
        return Losses(wide * wide, np.zeros(len(labels), np.bool_)), (2 * gaps)[:, None]
    rows, classes = np.arange(len(labels)), labels.astype(np.int64)
    wide = x.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(wide)
    sums = powers.sum(axis=1)
    losses = np.log(sums) - wide[rows, classes]
    powers /= sums[:, None]
    powers[rows, classes] -= 1
    return Losses(losses, wide[rows, classes] == 0), powers.astype(np.float32)


def dropped(pairs: Pairs, width: int, layer: int, dropout: float) -> Array | None:
    """What dropout multiplies the inputs (m, width) of a layer by; None where it drops nothing."""
    if not dropout or pairs.keys is None:
        return None
    keys = draws(pairs.keys, np.uint64(layer))
    keeps = shares(draws(keys[:, None], np.arange(width, dtype=np.uint64)[None])) >= dropout
    return np.asarray(keeps / (1 - dropout), np.float32)


def _kinds(shape: Shape) -> NDArray[np.int64]:
    return np.array([COMPARATORS.index(name) for name in shape.comparators], np.int64)


def _same(x: Array) -> Array:
    return x


# By name: the activation, and its derivative from its value.
ACTIVATIONS: Mapping[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (_same, np.ones_like),
    "tanh": (np.tanh, lambda out: 1 - out * out),
    "relu": (lambda x: np.maximum(x, np.float32(0)), lambda out: (out > 0).astype(np.float32)),
}
