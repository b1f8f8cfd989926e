"""How near the words of a topic are to each other.    k topics   t words of a topic   d numbers of a word's vector"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def similarity(tops: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """WETC of each topic (k,) with top words (k, t): the mean cosine of the vectors (v, d) of each two of its words
    (Ding, Nallapati and Xiang 2018)."""
    own = vectors[tops].astype(np.float64)
    own /= np.maximum(np.linalg.norm(own, axis=2, keepdims=True), 1e-12)
    t = tops.shape[1]
    if t < 2:
        return np.ones(len(tops))
    sums = own.sum(axis=1)
    pairs = (sums * sums).sum(axis=1) - (own * own).sum(axis=(1, 2))
    return np.asarray(pairs / (t * (t - 1)))
