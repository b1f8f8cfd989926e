"""Sequences of differing lengths without padding: step by step, the longest first.

n sequences   p tokens of all of them   s steps of the longest

Sequences lie one after another, as `Ragged` has them. A recurrent layer wants them step by step: first tokens of all
sequences, then the second ones of those that have one, and so on. With the longest in front, the sequences that are not
over are always the first few, and nothing is computed for those that are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Steps:
    """Where each token stands when tokens are put in the order of their steps."""

    order: Whole  # (n,) sequences by their lengths, the longest first
    begins: Whole  # (s + 1,) the first row of each step, and where the last ends
    rows: Whole  # (p,) the row of each token
    reversed_rows: Whole  # (p,) its row where each sequence is read from its end

    @classmethod
    def of(cls, offsets: Whole) -> Steps:
        """Of sequences that begin at these offsets (n + 1,)."""
        lengths = np.diff(offsets)
        n, p = len(lengths), int(offsets[-1] - offsets[0])
        order = np.argsort(-lengths, kind="stable")
        rank = np.empty(n, np.int64)
        rank[order] = np.arange(n)
        steps = int(lengths.max(initial=0))
        counts = n - np.cumsum(np.bincount(lengths, minlength=steps + 1))[:steps]
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        places = np.repeat(rank, lengths)
        step = np.arange(p) - np.repeat(offsets[:-1] - offsets[0], lengths)
        back = np.repeat(lengths, lengths) - 1 - step
        return cls(order, begins, begins[step] + places, begins[back] + places)


def buckets(lengths: Whole, width: int) -> list[Whole]:
    """The numbers of sequences whose lengths differ by at most `width`, bucket by bucket, the shortest first; within a
    bucket in their own order. Each bucket begins with the shortest sequence that is in none."""
    order = np.argsort(lengths, kind="stable")
    groups: list[Whole] = []
    first = 0
    while first < len(order):
        last = int(np.searchsorted(lengths[order], lengths[order[first]] + width, "right"))
        groups.append(np.sort(order[first:last]))
        first = last
    return groups
