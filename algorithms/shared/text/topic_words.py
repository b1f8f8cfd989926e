"""Topics as words: the most probable of each, how well they go together, and how few topics share them.

k topics   v words   t top words of a topic
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.text.counts import Counts

TOP = 10  # words of a topic that coherence and uniqueness look at
SHOWN = 40  # topics of a picture


def strongest(beta: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """(k, t) the columns of the most probable words of each topic, the first of equals first."""
    count = min(count, beta.shape[1])
    if count < beta.shape[1] // 4:
        some = np.sort(np.argpartition(-beta, count, axis=1)[:, : count + 1], axis=1)
        # What ties with the last of them may lie beyond; only where it does, all are sorted.
        least = np.take_along_axis(beta, some, 1).min(axis=1, keepdims=True)
        if ((beta >= least).sum(axis=1) == count + 1).all():
            order = np.argsort(-np.take_along_axis(beta, some, 1), axis=1, kind="stable")[:, :count]
            return np.asarray(np.take_along_axis(some, order, 1))
    return np.argsort(-beta, axis=1, kind="stable")[:, :count]


def named(mixture: NDArray[np.float32], words: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The topics of a document that have more than an even share, and its largest at least, the largest first."""
    order = np.argsort(-mixture, kind="stable")
    several = max(1, int((mixture > 1 / len(mixture)).sum()))
    return [
        {"topic": int(topic), "share": float(mixture[topic]), "words": list(words[topic])} for topic in order[:several]
    ]


def uniqueness(tops: NDArray[np.int64]) -> NDArray[np.float64]:
    """(k,) of each topic the mean over its top words of 1 / how many topics have the word among theirs (Nan, Ding,
    Nallapati and Xiang, Topic Modeling with Wasserstein Autoencoders, ACL 2019): 1 where it shares none."""
    _, inverse, times = np.unique(tops, return_inverse=True, return_counts=True)
    return np.asarray((1 / times[inverse.reshape(tops.shape)]).mean(axis=1))


@dataclass
class Coherence:
    """Counts in how many documents the top words of topics stand, alone and in pairs."""

    tops: NDArray[np.int64]  # (k, t)
    documents: float = 0.0
    single: NDArray[np.float64] = field(init=False)  # (k, t)
    pairs: NDArray[np.float64] = field(init=False)  # (k, t, t)

    def __post_init__(self) -> None:
        k, t = self.tops.shape
        self.single, self.pairs = np.zeros((k, t)), np.zeros((k, t, t))

    def add(self, counts: Counts) -> None:
        """Look at some documents more."""
        from scipy import sparse

        shape = (len(counts), counts.width)
        has = sparse.csr_array(((counts.values > 0).astype(np.float32), counts.words, counts.indptr), shape=shape)
        distinct, inverse = np.unique(self.tops, return_inverse=True)
        chosen = sparse.csc_array(has)[:, distinct]
        together = np.asarray((chosen.T @ chosen).todense(), np.float64)
        places = inverse.reshape(self.tops.shape)
        self.pairs += together[places[:, :, None], places[:, None, :]]
        self.single += together[places, places]
        self.documents += float((np.diff(counts.indptr) > 0).sum())

    def npmi(self) -> NDArray[np.float64]:
        """(k,) of each topic the mean over pairs of its top words of the normalized pointwise mutual information
        (Bouma 2009; Lau, Newman and Baldwin, EACL 2014): 1 where they only come together, -1 where they never do."""
        n = max(self.documents, 1.0)
        one, both = self.single / n, self.pairs / n
        product = one[:, :, None] * one[:, None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log(both / product) / -np.log(both)
        value = np.where(both <= 0, -1.0, np.where(both >= 1, 1.0, value))
        first, second = np.triu_indices(self.tops.shape[1], 1)
        return np.asarray(value[:, first, second].mean(axis=1)) if len(first) else np.zeros(len(self.tops))


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """All that is told of topics."""

    words: Sequence[str]
    beta: NDArray[np.float32]  # (k, v)
    shares: NDArray[np.float64]  # (k,) of all words that are of each topic
    coherence: NDArray[np.float64]  # (k,) NPMI
    documents: int  # that coherence was counted in

    @property
    def tops(self) -> NDArray[np.int64]:
        """(k, t) the columns of the top words."""
        return strongest(self.beta, TOP)

    def document(self) -> dict[str, Any]:
        """What `topics.json` holds."""
        tops, unique = self.tops, uniqueness(self.tops)
        topics = [
            {
                "topic": number,
                "share": float(self.shares[number]),
                "npmi": float(self.coherence[number]),
                "uniqueness": float(unique[number]),
                "words": [{"word": self.words[c], "weight": float(self.beta[number, c])} for c in tops[number]],
            }
            for number in range(len(self.beta))
        ]
        means = {"npmi": float(self.coherence.mean()), "uniqueness": float(unique.mean())}
        return {**means, "documents": self.documents, "topics": topics}

    def table(self) -> dict[str, list[Any]]:
        """A line a topic, the largest first."""
        tops, unique = self.tops, uniqueness(self.tops)
        order = np.argsort(-self.shares, kind="stable").tolist()
        return {
            "topic": order,
            "share": [float(self.shares[number]) for number in order],
            "npmi": [float(self.coherence[number]) for number in order],
            "uniqueness": [float(unique[number]) for number in order],
            "words": [" ".join(self.words[c] for c in tops[number]) for number in order],
        }

    def picture(self) -> Any:
        """A figure: the largest topics, a panel each with its top words and their weights."""
        from matplotlib.figure import Figure

        order = np.argsort(-self.shares, kind="stable")[:SHOWN]
        tops, columns = self.tops, min(5, len(order))
        lines = -(-len(order) // columns)
        figure = Figure(figsize=(3.2 * columns, 2.4 * lines), layout="constrained")
        panels = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
        for panel, number in zip(panels, order, strict=False):
            weights = self.beta[number, tops[number]]
            panel.barh(np.arange(len(weights)), weights, color="#4477aa")
            # Signs that matplotlib would take for formulas stand as they are.
            panel.set_yticks(np.arange(len(weights)), [self.words[c].replace("$", r"\$") for c in tops[number]])
            panel.invert_yaxis()
            panel.tick_params(labelsize=7)
            title = f"topic {number}: {self.shares[number]:.1%}, NPMI {self.coherence[number]:.2f}"
            panel.set_title(title, fontsize=8)
        for panel in panels[len(order) :]:
            panel.set_axis_off()
        return figure
