"""What LDA leaves: topics, and the prior of their shares in a document.    n documents   k topics   v words"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.lda.kernels import infer, log_likelihoods
from algoport.algorithms.lda.options import MOST_WORDS, Options
from algoport.algorithms.lda.topics import Topics, by_word
from algoport.algorithms.shared import artifact, mxnet
from algoport.algorithms.shared.arrays import const, single
from algoport.algorithms.shared.text import topic_words
from algoport.algorithms.shared.text.counts import Counts, check
from algoport.algorithms.shared.text.vocabulary import Vocabulary

ORIGINAL = "model_*"  # how the original images name their file: an MXNet list of alpha and beta
STEPS = 500  # of expectation maximization of a document, at most
TOLERANCE = 1e-6  # of the change of its mixture at which they end
LEAST = 1e-10  # how probable a word counts that no topic has


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """Topics and their prior, and the words, where they are known."""

    alpha: NDArray[np.float32]  # (k,)
    beta: NDArray[np.float32]  # (k, v) rows that sum to 1
    sizes: NDArray[np.float64] | None = None  # (k,) words of the training documents that each topic has
    vocabulary: Vocabulary | None = field(default=None)

    @property
    def width(self) -> int:
        """How many words the vocabulary has."""
        return int(self.beta.shape[1])

    def predict(self, records: Rows | Lines, options: Options | None = None) -> Mapping[str, Any]:
        """The mixture of topics (n, k) of each document; where it is asked for, its largest topics in words."""
        mixtures = self.mixtures(self._counts(records))
        columns: dict[str, Any] = {"topic_mixture": mixtures}
        if options is not None and options.top_words:
            if self.vocabulary is None:
                raise UserError(
                    "top_words: needs a model that knows its words; this one was trained without vocab.txt in the "
                    "channel 'auxiliary'."
                )
            words = [
                [self.vocabulary.words[number] for number in numbers[: options.top_words]] for numbers in self._tops
            ]
            columns["topics"] = [topic_words.named(mixture, words) for mixture in mixtures]
        return columns

    def _counts(self, records: Rows | Lines) -> Counts:
        """The documents' counts; `UserError` where texts are asked of a model without a vocabulary, where a text has
        no word of it, and where a count is negative."""
        if isinstance(records, Lines):
            if self.vocabulary is None:
                raise UserError(
                    "text/plain: needs a model that knows its words; this one was trained without vocab.txt in the "
                    f"channel 'auxiliary', and takes {self.width} counts of words a document."
                )
            return self.vocabulary.counts(records.text, records.place)
        counts = Counts.of(records)
        check(counts, "", 0)
        return counts

    def mixtures(self, counts: Counts) -> NDArray[np.float32]:
        """The shares of topics in each document (n, k), which sum to 1; those of the prior where it has no words."""
        rows, prior = self._rows
        mixtures, _ = infer(*counts.arrays, rows, prior, len(self.alpha), STEPS, TOLERANCE)
        mixtures /= mixtures.sum(axis=1, keepdims=True)
        return np.ascontiguousarray(mixtures[:, : len(self.alpha)])

    def log_likelihood(self, counts: Counts) -> float:
        """The sum over all words of the logarithm of their probability under their document's own mixture."""
        rows, _ = self._rows
        mixtures, sums = np.zeros((len(counts), rows.shape[1]), np.float32), np.empty(len(counts))
        mixtures[:, : len(self.alpha)] = self.mixtures(counts)
        log_likelihoods(counts.indptr, counts.words, counts.values, rows, const(mixtures), LEAST, sums)
        return float(sums.sum())

    @cached_property
    def _tops(self) -> NDArray[np.int64]:
        """(k, t) as many of each topic's most probable words as a request can ask for."""
        return topic_words.strongest(self.beta, MOST_WORDS)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # An edited prior may be 0 where a topic is: a little of it lets a document that has its words have it.
        prior = np.maximum(self.alpha, np.float32(1e-6))
        return by_word(Topics(prior, self.beta))

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; arrays are named as in the original."""
        arrays: dict[str, NDArray[Any]] = {"alpha": self.alpha, "beta": self.beta}
        if self.sizes is not None:
            arrays["sizes"] = self.sizes
        k, v = self.beta.shape
        facts: dict[str, Any] = {"algorithm": "lda", "num_topics": k, "feature_dim": v}
        if self.vocabulary is not None:
            facts["vocabulary"] = list(self.vocabulary.words)
        artifact.save(folder, arrays, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left, as it is or edited."""
        folder = artifact.find(folder, ORIGINAL)
        files = sorted(folder.glob(ORIGINAL))
        if artifact.exists(folder) or not files:
            arrays, facts = artifact.load(folder, "lda")
            model = cls(
                **_checked(arrays, artifact.ARRAYS),
                sizes=_sizes(arrays),
                vocabulary=Vocabulary.of_facts(facts.get("vocabulary"), artifact.FACTS),
            )
            artifact.check_sizes(facts, num_topics=len(model.alpha), feature_dim=model.width)
            if model.vocabulary is not None and len(model.vocabulary) != model.width:
                raise UserError(
                    f"{artifact.FACTS}: vocabulary must have {model.width} words, as the topics do; it has "
                    f"{len(model.vocabulary)}."
                )
            return model
        if len(files) > 1:
            names = ", ".join(path.name for path in files[:5])
            raise UserError(f"One file of a folder must be a model of the original, model_…; there are {names}.")
        content = mxnet.load(files[0])
        arrays = content if isinstance(content, dict) else dict(zip(("alpha", "beta"), content, strict=False))
        if not isinstance(content, dict) and len(content) != 2:
            raise UserError(f"{files[0].name}: must hold two arrays, alpha and beta; it holds {len(content)}.")
        return cls(**_checked(arrays, files[0].name))


def _checked(arrays: Mapping[str, NDArray[Any]], file: str) -> dict[str, Any]:
    """Prior and topics, whose rows are made to sum to 1; `UserError` where they are none."""
    beta = single(arrays, "beta", 2, "a row of numbers a topic", file=file)
    alpha = single(arrays, "alpha", (len(beta),), f"{len(beta)} numbers, as beta has rows", file=file)
    sums = beta.sum(axis=1, dtype=np.float64)
    if beta.min() < 0 or not (np.isfinite(sums) & (sums > 0)).all():
        raise UserError(f"{file}: each row of 'beta' must be the probabilities of words: none negative, not all 0.")
    if alpha.min() < 0:
        raise UserError(f"{file}: 'alpha' must not be negative; its least is {alpha.min():g}.")
    if abs(sums - 1).max() > 1e-5:
        beta = np.asarray(beta / sums[:, None], np.float32)
    return {"alpha": alpha, "beta": beta}


def _sizes(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    if "sizes" not in arrays:
        return None
    sizes = arrays["sizes"]
    fits = sizes.shape == arrays["alpha"].shape and sizes.dtype == np.float64
    if not fits or not np.isfinite(sizes).all() or sizes.min(initial=0) < 0:
        raise UserError(f"{artifact.ARRAYS}: 'sizes' must be a finite number of words for each topic.")
    return sizes
