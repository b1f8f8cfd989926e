"""Batch normalization over the documents of all members (Ioffe and Szegedy 2015), with a shift and no scale.

n documents of this member   g outputs of a layer   k topics   m, t tiles of the vocabulary and words of a tile

The decoder's logits are normalized too, a word at a time, as ProdLDA does (Srivastava and Sutton 2017), and without
their being there: they are linear in the topic weights, so that mean and variance of a word's follow from mean and
covariance of those, k + k² numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.ntm import kernels
from algoport.algorithms.ntm.kernels.decoder import SPANS, scale_, unscale_
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import team

EPS = 1e-3  # what is added to a variance, as in ProdLDA: words of which there are few stay the weaker for it
SHARE = 0.1  # of a batch in the statistics that inference uses

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Normalized:
    """What the backward pass of a layer needs."""

    out: Array  # (n, g)
    inverse: Array  # (g,) one over the standard deviation
    count: float


def forward(x: Array, count: float, group: Group, statistics: Array) -> Normalized:
    """x (n, g) less its mean over its deviation, of all `count` documents; moves `statistics` (2, g). One exchange."""
    sums = np.stack([x.sum(axis=0, dtype=np.float64), np.square(x, dtype=np.float64).sum(axis=0)])
    group.sum_(sums)
    mean = sums[0] / count
    variance = np.maximum(sums[1] / count - mean * mean, 0.0)
    statistics += np.float32(SHARE) * (np.stack([mean, variance]).astype(np.float32) - statistics)
    inverse = (1.0 / np.sqrt(variance + EPS)).astype(np.float32)
    return Normalized((x - mean.astype(np.float32)) * inverse, inverse, count)


def backward(own: Normalized, slopes: Array, group: Group) -> Array:
    """The gradient by x of that by the normalized. One exchange."""
    sums = np.stack([slopes.sum(axis=0, dtype=np.float64), (slopes * own.out).sum(axis=0, dtype=np.float64)])
    group.sum_(sums)
    mean, share = (sums / own.count).astype(np.float32)
    return np.asarray(own.inverse * (slopes - mean - own.out * share))


def apply(x: Array, statistics: Array) -> Array:
    """x (n, g) by the statistics of training."""
    return np.asarray((x - statistics[0]) / np.sqrt(statistics[1] + np.float32(EPS)))


@dataclass(frozen=True, eq=False)
class Decoder:
    """Weights and bias with which the kernels compute normalized logits."""

    weights: Array  # (m, k, t)
    bias: Array  # (m, t)
    inverse: Array  # (m, t) one over the standard deviation of a word's logits
    mean: Array  # (k,) of the topic weights
    covariance: Array  # (k, k)


def moments(hidden: Array, count: float, group: Group, statistics: Array) -> Array:
    """Mean and covariance (k + 1, k) of topic weights (n, k); moves `statistics`. One exchange."""
    even = np.float32(1.0 / hidden.shape[1])  # near the mean: what is small is squared
    apart = hidden - even
    sums = np.vstack([apart.sum(axis=0, dtype=np.float64), kernels.affine(apart.T, apart)])
    group.sum_(sums)
    own = sums / count
    own[1:] -= np.outer(own[0], own[0])
    own[0] += even
    single = own.astype(np.float32)
    statistics += np.float32(SHARE) * (single - statistics)
    return single


def decoder(weights: Array, bias: Array, statistics: Array) -> Decoder:
    """The decoder (m, k, t) and (m, t) with the moments (k + 1, k) of topic weights. 2 k² v flops."""
    own = Decoder(
        np.empty_like(weights), np.empty_like(bias), np.empty_like(bias), const(statistics[0]), const(statistics[1:])
    )
    scale_(
        team(weights.size * len(own.mean)),
        own.mean,
        own.covariance,
        const(weights),
        const(bias),
        np.float32(EPS),
        own.weights,
        own.bias,
        own.inverse,
    )
    return own


def decoder_backward_(
    own: Decoder,
    weights: Array,  # in   (m, k, t)  as they were
    hidden: Array,  # in   (n, k)
    count: float,
    by_weights: Array,  # sets (m, k, t)  from the gradient by the scaled weights, of all members
    by_bias: Array,  # in   (m, t)  of all members
    by_hidden: Array,  # adds (n, k)
) -> None:
    """Gradients by what was before the normalization, from those by what the kernels were given. 4 k² v flops."""
    k = len(own.mean)
    by_mean, by_covariance = np.empty((SPANS, k), np.float32), np.empty((SPANS, k, k), np.float32)
    unscale_(
        team(weights.size * k),
        own.mean,
        own.covariance,
        const(weights),
        const(own.weights),
        const(own.inverse),
        const(by_bias),
        by_weights,
        by_mean,
        by_covariance,
    )
    middle, square = by_mean.sum(axis=0), by_covariance.sum(axis=0)
    by_hidden += (kernels.affine(hidden - own.mean, square) * 2 + middle) / np.float32(count)
