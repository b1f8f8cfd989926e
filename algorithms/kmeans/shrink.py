"""From the streaming centers to k centers.    s streaming centers   d features   k centers"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Deadline
from algoport.algorithms.kmeans import kernels
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.shared.clustering.lloyd import Clustering, lloyd
from algoport.algorithms.shared.randomness import seed_of

# What "auto" stands for, as in the original's published log.
TRIALS = 10
# The stream of random numbers that trials draw from.
TRIALS_STREAM = 2


def shrink(
    points: NDArray[np.float32],  # (s, d)
    weights: NDArray[np.float64],  # (s,) how many rows each stands for
    settings: Hyperparameters,
    seed: int,
    note: Callable[[str], None],
    over: Deadline,
) -> list[Clustering]:
    """Several runs of Lloyd's method on the weighted points, the best first.

    A streaming center that no row ever came to has no say, unless too few others are left. When a stop is
    asked for, no further trial begins, and the one at work ends after a pass once it is `over`.
    """
    seed = seed_of(seed, TRIALS_STREAM)
    used = weights > 0
    if used.sum() >= settings.k:
        points, weights = np.ascontiguousarray(points[used]), weights[used]
    else:
        weights = np.maximum(weights, 1.0)
    note(f"shrinking {len(points)} centers into {settings.k}")
    clusterings: list[Clustering] = []
    trials = TRIALS if settings.local_lloyd_num_trials == "auto" else settings.local_lloyd_num_trials
    for trial in range(trials if len(points) > settings.k else 1):
        clustering = _trial(points, weights, settings, np.random.default_rng([seed, trial]), over)
        note(f"local kmeans attempt #{trial}. Current mean square distance {clustering.msd:.6f}")
        clusterings.append(clustering)
        if over.stop_requested():
            break
    clusterings.sort(key=lambda clustering: clustering.msd)
    note(f"finished shrinking process. Mean Square Distance = {clusterings[0].msd:.6f}")
    return clusterings


def _trial(
    points: NDArray[np.float32],
    weights: NDArray[np.float64],
    settings: Hyperparameters,
    random: np.random.Generator,
    over: Callable[[], bool],
) -> Clustering:
    k = settings.k
    if len(points) == k:
        chosen = np.arange(k)
    elif settings.local_lloyd_init_method == "random":
        chosen = random.choice(len(points), k, replace=False)
    else:
        chosen = kernels.plus_plus(points, weights, k, random.random(k))
    start = np.ascontiguousarray(points[chosen])
    most, tol = settings.local_lloyd_max_iter, settings.local_lloyd_tol
    return lloyd(points, start, weights=weights, passes=most, tol=tol, over=over)
