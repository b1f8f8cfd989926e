"""From centers of centers to centers of rows.    r rows of the sample   d features   k centers"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Deadline
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.shared.clustering.lloyd import Clustering, lloyd

# A sample with fewer rows a center would add more noise than it takes away (letter, k=26: msd 3.3 % over the
# best with 2,000 rows and 1.6 % with 5,000, where the shrunk centers alone are 4.7 % over).
LEAST_A_CENTER = 100
# How many of the shrunk trials are refined, and for how many passes before only the best goes on.
CANDIDATES, BRIEF = 3, 2


def refine(
    candidates: list[Clustering],
    rows: NDArray[np.float32],  # (r, d) a sample of all rows
    weights: NDArray[np.float64] | None,  # (r,) None where all weigh the same
    seen: int,  # rows that streamed by
    settings: Hyperparameters,
    note: Callable[[str], None],
    over: Deadline,
) -> Clustering:
    """The best of the shrunk centers, which come best first, after Lloyd's method on the sample.

    Shrinking sees the streaming centers as points and nothing of the spread around them. That alone left msd
    4.7 % over the best of ten full runs on letter (k=26) and 3.4 % on digits (k=20); refined, 1.5 and 0.9 %.
    Twice the sample brought letter to 1.0 %, for a fifth more time.
    """
    few = len(rows) < min(seen, LEAST_A_CENTER * settings.k)
    if few or len(rows) == 0:
        return candidates[0]
    most, tol = settings.local_lloyd_max_iter, settings.local_lloyd_tol
    refined = []
    for candidate in candidates[:CANDIDATES]:
        passes = min(BRIEF, most)
        refined.append(lloyd(rows, candidate.centers, weights=weights, passes=passes, tol=tol, over=over))
        if over.stop_requested():
            break
    best = min(refined, key=lambda clustering: clustering.msd)
    if most > BRIEF and best.passes == BRIEF and not over.stop_requested():
        best = lloyd(rows, best.centers, weights=weights, passes=most - BRIEF, tol=tol, over=over)
    note(f"refined on {len(rows)} rows: {best.msd:.6f}")
    return best
