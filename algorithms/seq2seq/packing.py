"""Sentences of differing lengths step by step, without padding.    n sentences   t steps   p tokens of all

Ranks number the sentences from the longest to the shortest, so that those which a step still has are the first ones.
Rows lie step by step: those of step t are `starts[t]` and as many as `sizes[t]` says, by rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Packing:
    """How some sentences lie step by step."""

    order: Ints  # (n,) the sentence of each rank
    lengths: Ints  # (n,) by rank, none longer than the one before
    sizes: Ints  # (t,) sentences that a step has
    starts: Ints  # (t,) its first row

    @classmethod
    def of(cls, lengths: Ints) -> Self:
        """For sentences of these lengths."""
        order = np.argsort(-lengths, kind="stable")
        own = lengths[order]
        steps = int(own[0]) if len(own) else 0
        sizes = np.searchsorted(-own, -np.arange(steps), side="left").astype(np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])[:-1]
        return cls(order, own, sizes, starts[: len(sizes)])

    @property
    def rows(self) -> int:
        """p"""
        return int(self.sizes.sum())

    @cached_property
    def ranks(self) -> Ints:
        """(p,) the rank of each row."""
        return np.arange(self.rows) - np.repeat(self.starts, self.sizes)

    @cached_property
    def steps(self) -> Ints:
        """(p,) the step of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def begins(self) -> Ints:
        """(n + 1,) where each rank begins where its tokens lie one after another."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])

    @cached_property
    def in_sentence(self) -> Ints:
        """(p,) of each row, where it lies where tokens are sentence by sentence."""
        return self.begins[self.ranks] + self.steps

    @cached_property
    def by_sentence(self) -> Ints:
        """(p,) the other way: of each token in a sentence its row."""
        rows = np.empty(self.rows, np.int64)
        rows[self.in_sentence] = np.arange(self.rows)
        return rows

    def take(self, ragged: Ragged) -> Ints:
        """The tokens (p,) of sentences in their own order, row by row."""
        return np.asarray(ragged.values[ragged.offsets[self.order[self.ranks]] + self.steps], np.int64)

    def spans(self) -> list[tuple[int, int, int]]:
        """Of each step its first row, the one behind its last, and how many they are."""
        return [
            (start, start + size, size) for start, size in zip(self.starts.tolist(), self.sizes.tolist(), strict=True)
        ]

    def neighbors(self, width: int, before: int) -> Ints:
        """(p, width) the rows of the tokens from `before` places in front of each; p, a row of its own, where its
        sentence has none there."""
        places = self.steps[:, None] + np.arange(width) - before
        ranks = self.ranks[:, None]
        inside = (places >= 0) & (places < self.lengths[ranks])
        starts = self.starts if len(self.starts) else np.zeros(1, np.int64)
        return np.where(inside, starts[np.where(inside, places, 0)] + ranks, self.rows)
