"""Attention to the states of the sentences of a batch.    p states of all sentences   s numbers of a state   a of a key

`mlp` is the concat score of Luong et al., `bilinear` the general one; `dot` projects both sides where their lengths
differ; `fixed` always looks at the last state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.kernels import attention as kernels
from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.product import product
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]
_NONE = np.zeros(0, np.float32)
_INT = np.dtype(np.int64)


@dataclass(frozen=True, eq=False)
class Source:
    """The encoded sentences, by rank and one after another."""

    states: Array  # (p, s)
    keys: Array  # (p, a)
    begins: Ints  # (n + 1,)
    score: Array  # (a,) of mlp

    @property
    def longest(self) -> int:
        """Tokens of the longest sentence."""
        return int(np.diff(self.begins).max(initial=0))

    @property
    def lengths(self) -> Ints:
        """(n,)"""
        return np.diff(self.begins)


def source(design: Design, weights: Weights, states: Array, packing: Packing) -> Source:
    """From states row by row of a recurrent decoder's source."""
    own = states[packing.by_sentence]
    keys = product(own, weights["attention.key"]) if "attention.key" in weights else own
    return Source(own, keys, packing.begins, weights.get("attention.score", _NONE))


def attend(
    kind: str,
    given: Source,
    queries: Array,  # in   (n, a) float32
    owners: Ints,  # in   (n,) the sentence of each
    weights: Array,  # sets (n, longest)
    contexts: Array,  # sets (n, s)
) -> None:
    """Weights and contexts of some rows."""
    if kind == "fixed":
        last = given.lengths[owners] - 1
        weights[:] = 0
        weights[np.arange(len(owners)), last] = 1
        contexts[:] = given.states[given.begins[owners] + last]
        return
    kernels.attend_(
        team(len(queries) * max(1, given.longest) * given.keys.shape[1]),
        kernels.MLP if kind == "mlp" else kernels.DOT,
        const(queries),
        const(given.keys),
        const(given.states),
        const(given.score),
        const(given.begins, _INT),
        const(owners, _INT),
        weights,
        contexts,
    )


@dataclass(eq=False)
class Slopes:
    """Gradients by what attention reads, summed over the steps."""

    keys: Array  # (p, a)
    states: Array  # (p, s)
    scores: Array  # (ranks, a)

    @classmethod
    def zeros(cls, given: Source, ranks: int) -> Slopes:
        """Before the first step."""
        return cls(
            np.zeros_like(given.keys), np.zeros_like(given.states), np.zeros((ranks, len(given.score)), np.float32)
        )


def attend_back(
    kind: str,
    given: Source,
    queries: Array,  # in   (n, a)
    owners: Ints,  # in   (ranks,) the sentence of each rank
    sizes: Ints,  # in   (t,) rows of each step
    starts: Ints,  # in   (t,) the first of them
    weights: Array,  # in   (n, longest)
    slopes: Array,  # in   (n, s) gradient by the contexts
    by: Slopes,  # adds
) -> Array:
    """The gradient by the queries (n, a)."""
    by_queries = np.zeros_like(queries)
    if kind == "fixed":
        rows = owners[: sizes[0]]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            last = given.begins[rows[:size] + 1] - 1
            by.states[last] += slopes[start : start + size]
        return by_queries
    scratch = np.empty((int(sizes[0]), weights.shape[1]), np.float32)
    kernels.attend_back_(
        team(len(queries) * max(1, given.longest) * given.keys.shape[1]),
        kernels.MLP if kind == "mlp" else kernels.DOT,
        const(queries),
        const(given.keys),
        const(given.states),
        const(given.score),
        const(given.begins, _INT),
        const(owners, _INT),
        const(sizes, _INT),
        const(starts, _INT),
        const(weights),
        const(slopes),
        by_queries,
        by.keys,
        by.states,
        by.scores,
        scratch,
    )
    return by_queries


def source_back(
    design: Design, weights: Weights, given: Source, packing: Packing, by: Slopes, gradient: Weights
) -> Array:
    """The gradient by the states row by row (p, s); sets those by the attention's weights for states."""
    states = by.states
    if "attention.key" in weights:
        np.matmul(given.states.T, by.keys, out=gradient["attention.key"])
        states = states + by.keys @ weights["attention.key"].T
    elif design.rnn_attention_type != "fixed":
        states = states + by.keys
    if "attention.score" in weights:
        gradient["attention.score"][:] = by.scores.sum(axis=0)
    return states[packing.in_sentence]
