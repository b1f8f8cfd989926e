"""How well vectors agree with people on which words are alike: Spearman's correlation on files of word pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError

_LIMIT = 1 << 24  # bytes of a file of pairs
_FIELDS = re.compile(r"\t|,|;| +")
_EXAMPLE = "two words and a number with tabs between them"


def evaluate(model: Model, files: Auxiliary) -> dict[str, Any]:
    """What `eval.json` has: of each file how many of its pairs have a word that is not known, Spearman's correlation of
    the others' cosine similarity with the number beside them, and how many pairs there are; and the mean of these."""
    facts: dict[str, Any] = {name: _one(model, files, name) for name in files.names}
    facts["mean_rho"] = float(np.mean([each["spearmans_rho"] for each in facts.values()])) if facts else 0.0
    return facts


def _one(model: Model, files: Auxiliary, name: str) -> dict[str, Any]:
    from scipy.stats import spearmanr

    pairs = list(_pairs(files, name))
    if not pairs:
        raise UserError(f"{files.channel}/{name}: must have word pairs, {_EXAMPLE} in a line; it has none.")
    words = sorted({word for one, other, _ in pairs for word in (one, other)})
    vectors = dict(zip(words, _vectors(model, words), strict=True))
    scores, human = [], []
    for one, other, number in pairs:
        first, second = vectors[one], vectors[other]
        norm = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
        if norm > 0:
            scores.append(float(first @ second) / norm)
            human.append(number)
    rho = float(spearmanr(scores, human).statistic) if len(set(scores)) > 1 and len(set(human)) > 1 else 0.0
    return {"not_found": len(pairs) - len(scores), "spearmans_rho": rho, "total_pairs": len(pairs)}


def _vectors(model: Model, words: list[str]) -> Any:
    """The vectors of words as they are written, or, where only that is known, in small letters."""
    exact, lower = (model.vectors([word.encode() for word in each])
                    for each in (words, [word.lower() for word in words]))  # fmt: skip
    return np.where((exact != 0).any(axis=1)[:, None], exact, lower)


def _pairs(files: Auxiliary, name: str) -> Iterator[tuple[str, str, float]]:
    """Two words and a number a line; a first line without a number, blank ones and those that begin with # are none."""
    for number, (place, line) in enumerate(files.lines(name, limit=_LIMIT)):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field for field in _FIELDS.split(line.strip()) if field]
        try:
            yield fields[0], fields[1], float(fields[2])
        except (ValueError, IndexError):
            if number:
                raise UserError(f"{place}: must be {_EXAMPLE}; it is {line[:60]!r}.") from None
