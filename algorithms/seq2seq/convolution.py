"""A convolution over the tokens of sentences, with its activation (Gehring et al. 2017).    p rows   c numbers

Each row gathers those of its neighborhood side by side; then it is one product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
ACTIVATIONS = ("glu", "relu", "softrelu", "sigmoid", "tanh")


@dataclass(eq=False)
class Trace:
    """What the backward pass needs."""

    columns: Array  # (p, width c)
    raw: Array  # (p, c or 2 c) before the activation
    out: Array  # (p, c)


def sigmoid(x: Array) -> Array:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, np.float32)


def activate(kind: str, raw: Array) -> Array:
    """What follows a convolution."""
    if kind == "glu":
        c = raw.shape[1] // 2
        return raw[:, :c] * sigmoid(raw[:, c:])
    if kind == "relu":
        return np.maximum(raw, 0)
    if kind == "softrelu":
        return np.asarray(np.maximum(raw, 0) + np.log1p(np.exp(-np.abs(raw))), np.float32)
    return sigmoid(raw) if kind == "sigmoid" else np.tanh(raw)


def activate_back(kind: str, raw: Array, out: Array, slopes: Array) -> Array:
    """The gradient by `raw`, from that by the output."""
    if kind == "glu":
        c = raw.shape[1] // 2
        gate = sigmoid(raw[:, c:])
        return np.concatenate([slopes * gate, slopes * raw[:, :c] * gate * (1 - gate)], axis=1)
    if kind == "relu":
        return slopes * (raw > 0)
    if kind == "softrelu":
        return slopes * sigmoid(raw)
    return slopes * (out * (1 - out) if kind == "sigmoid" else 1 - out * out)


def gathered(x: Array, neighbors: NDArray[np.int64]) -> Array:
    """(p, width c) of each row those of its neighborhood; zeros for the row p."""
    padded = np.concatenate([x, np.zeros((1, x.shape[1]), np.float32)])
    return padded[neighbors].reshape(len(neighbors), -1)


def forward(kind: str, x: Array, neighbors: NDArray[np.int64], filters: Array, bias: Array) -> Trace:
    """The convolution of x (p, c)."""
    columns = gathered(x, neighbors)
    raw = columns @ filters + bias
    return Trace(columns, raw, activate(kind, raw))


def backward(
    kind: str,
    trace: Trace,
    neighbors: NDArray[np.int64],
    filters: Array,
    slopes: Array,
    by_filters: Array,  # sets
    by_bias: Array,  # sets
) -> Array:
    """The gradient by x (p, c)."""
    p, width = neighbors.shape
    by_raw = activate_back(kind, trace.raw, trace.out, slopes)
    np.matmul(trace.columns.T, by_raw, out=by_filters)
    by_bias[:] = by_raw.sum(axis=0)
    by_columns = (by_raw @ filters.T).reshape(p, width, -1)
    by_x = np.zeros((p + 1, by_columns.shape[2]), np.float32)
    for place in range(width):
        # Each row stands at most once at a place of the neighborhood, but for the row of zeros, which is cut off.
        by_x[neighbors[:, place]] += by_columns[:, place]
    return by_x[:p]
