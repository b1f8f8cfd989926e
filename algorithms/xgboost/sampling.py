"""Which rows and features a tree is grown on. Every draw is a function of the seed, the round and what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.xgboost.kernels import draws

Gradients = NDArray[np.float32]

LAMBDA = 0.1  # of the library's minimal variance sampling: what a Hessian counts beside a gradient
# What a draw is for; beside the key, so that none repeats another.
TREE, LEVEL, NODE, ROWS = range(4)


class Shares(Protocol):
    """Which share of the features is drawn."""

    @property
    def colsample_bytree(self) -> float:
        """For a tree."""

    @property
    def colsample_bylevel(self) -> float:
        """For a level, of the tree's."""

    @property
    def colsample_bynode(self) -> float:
        """For a node, of the level's."""


class Columns:
    """The features that each node of a tree may use: drawn for the tree, of these for each level, of these for each
    node; at least one."""

    def __init__(self, d: int, shares: Shares, key: Sequence[int]) -> None:
        self._shares, self._key = shares, tuple(key)
        self.any = not (shares.colsample_bytree == shares.colsample_bylevel == shares.colsample_bynode == 1)
        self._tree = self._drawn(np.arange(d), shares.colsample_bytree, TREE)
        self._levels: dict[int, NDArray[np.int64]] = {}

    def restrict_(self, allowed: NDArray[np.uint8], depth: int, node: int) -> None:
        """Set what the node may not use to 0 in `allowed` (d,)."""
        if not self.any:
            return
        if depth not in self._levels:
            self._levels[depth] = self._drawn(self._tree, self._shares.colsample_bylevel, LEVEL, depth)
        mask = np.zeros(len(allowed), np.bool_)
        mask[self._drawn(self._levels[depth], self._shares.colsample_bynode, NODE, node)] = True
        allowed[~mask] = 0

    def _drawn(self, features: NDArray[np.int64], share: float, *what: int) -> NDArray[np.int64]:
        if share == 1 or len(features) == 0:
            return features
        random = np.random.default_rng((*self._key, *what))
        return np.sort(random.permutation(features)[: max(1, int(share * len(features)))])


def sample_rows(
    gradients: Gradients, share: float, method: str, key: Sequence[int], group: Group
) -> tuple[NDArray[np.int32] | None, Gradients]:
    """Which rows a tree is grown on, rising (None: all), and the gradients that it is grown on.

    `uniform`: each row with the probability `share`. `gradient_based`: with one that grows with its gradient, by
    which the gradient is then divided (Ibragimov and Gusev, Minimal variance sampling, NeurIPS 2019). Draws depend
    on the number of a row, so that they are the same however rows are shared out in turns. An exchange or two.
    """
    if share >= 1:
        return None, gradients
    counts = np.concatenate(group.gather(np.array([len(gradients)], np.int64)))
    seed = np.random.SeedSequence((*key, ROWS)).generate_state(1, np.uint64)[0]
    mask = np.empty(len(gradients), np.bool_)
    if method == "uniform":
        draws.draw_rows(counts, group.rank, seed, np.array([share], np.float32), mask)
        return np.flatnonzero(mask).astype(np.int32), gradients
    norm = np.sqrt(gradients[:, 0] ** 2 + np.float32(LAMBDA) * gradients[:, 1] ** 2)
    threshold = _threshold(np.concatenate(group.gather(norm)), share)
    chance = np.minimum(norm / np.float32(threshold), 1) if threshold > 0 else np.ones_like(norm)
    draws.draw_rows(counts, group.rank, seed, chance, mask)
    rows = np.flatnonzero(mask).astype(np.int32)
    scaled = np.zeros_like(gradients)
    scaled[rows] = gradients[rows] / chance[rows, None]
    return rows, scaled


def _threshold(norms: NDArray[np.float32], share: float) -> float:
    """For which value t the probabilities min(1, norm / t) add up to that share of the rows."""
    ordered = np.sort(norms.astype(np.float64))
    n = len(ordered)
    wanted = share * n
    below = np.cumsum(ordered)
    # With the i + 1 smallest drawn at random and the others certain, t = below[i] / (wanted - others).
    certain = n - 1 - np.arange(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(wanted > certain, below / (wanted - certain), np.inf)
    fits = np.flatnonzero(value >= ordered)
    return float(value[fits[-1]]) if len(fits) and np.isfinite(value[fits[-1]]) else 0.0
