"""How good translations are: BLEU (Papineni et al. 2002) of a corpus, from counts that add up over members."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER = 4  # of the longest n-grams
OFFSET = 0.01  # stands for matches of an order that has none, as Sockeye has it
COUNTS = 2 * ORDER + 2


def counts(hypothesis: Sequence[int], reference: Sequence[int]) -> NDArray[np.float64]:
    """Matches of each order, n-grams of the hypothesis of each order, tokens of both (`COUNTS`,)."""
    out = np.zeros(COUNTS)
    for n in range(1, ORDER + 1):
        mine, theirs = (
            Counter(tuple(side[i : i + n]) for i in range(len(side) - n + 1)) for side in (hypothesis, reference)
        )
        out[n - 1] = sum((mine & theirs).values())
        out[ORDER + n - 1] = max(0, len(hypothesis) - n + 1)
    out[-2:] = len(hypothesis), len(reference)
    return out


def bleu(sums: NDArray[np.float64]) -> float:
    """BLEU from 0 to 1 of a corpus, from the sums of its sentences' counts."""
    matches, grams, (mine, theirs) = sums[:ORDER], sums[ORDER : 2 * ORDER], sums[-2:]
    if not mine or not theirs or not matches.any():
        return 0.0
    some = grams > 0
    precisions = np.where(matches > 0, matches, OFFSET)[some] / grams[some]
    brevity = min(0.0, 1 - theirs / mine)
    return math.exp(brevity + float(np.log(precisions).mean()))
