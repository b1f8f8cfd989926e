"""What streaming starts from: the first batch, centers drawn from it or taken from a model, an empty sample.

d features   k centers   s streaming centers
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, interleaved, total
from algoport.algorithms.kmeans import kernels
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.kmeans.model import Model
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.sampling.reservoir import Sample
from algoport.algorithms.shared.start import check_alike

# The most extra centers that "auto" stands for; the original's published log shows 10.
MOST_EXTRA = 10
# Rows of the sample on which the shrunk centers are refined: 10,000 within 32 MB, or 200 a center within 128 MB.
SAMPLE, SAMPLE_BYTES = 10_000, 1 << 25
SAMPLE_A_CENTER, SAMPLE_MOST_BYTES = 200, 1 << 27
# Distinct streams of random numbers from one seed.
FIRST, SAMPLING = 1, 3
NOT_FINITE = "Channel '{channel}': a row has a missing or infinite value, which has no distance."


def batch(job: contract.Job[Hyperparameters, Model]) -> NDArray[np.float32]:
    """All members' rows of the first batch, or of more where sharding leaves it with fewer than k. Exchanges."""
    settings = job.hyperparameters
    wanted, before = job.batch, -1.0
    while True:
        mine = job.channels["train"].head(wanted)
        if len(mine):
            check_width(mine, settings.feature_dim, "train")
        rows = mine.dense() if len(mine) else np.empty((0, settings.feature_dim), np.float32)
        (count,) = total(job.group, len(rows))
        if count >= settings.k or count == before:
            break
        before, wanted = count, wanted * 2
    if count == 0 and agreed(job.group, job.stop_requested()):
        raise Stopped
    if count < settings.k and job.start is None:
        raise UserError(f"Channel 'train' has {int(count)} rows, which is fewer than k, {settings.k}.")
    return np.ascontiguousarray(interleaved(job.group.gather(rows)))


def draw(
    first: NDArray[np.float32], settings: Hyperparameters, seed: int, note: Callable[[str], None]
) -> NDArray[np.float32]:
    """s rows of the first batch (n, d) by `init_method`."""
    most = max(1, len(first) // settings.k)
    if settings.extra_center_factor == "auto":
        factor = min(MOST_EXTRA, most)
        note(f"'extra_center_factor' was set to 'auto', evaluated to {factor}.")
    else:
        factor = min(settings.extra_center_factor, most)
        if factor < settings.extra_center_factor:
            note(
                f"'extra_center_factor' is {factor} and not {settings.extra_center_factor}, "
                f"as the first batch has but {len(first)} rows."
            )
    s = settings.k * factor
    random = np.random.default_rng([seed, FIRST])
    if settings.init_method == "kmeans++":
        chosen = kernels.plus_plus(first, np.ones(len(first)), s, random.random(s))
    else:
        chosen = random.choice(len(first), s, replace=False)
    return np.ascontiguousarray(first[chosen])


def of(start: Model, k: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Streaming centers (s, d) and their weights (s,) of the model to start from."""
    if start.streaming is not None and start.weights is not None and len(start.streaming) >= k:
        return start.streaming.copy(), start.weights.copy()
    # A model of the original says nothing of how much it has seen: it counts as one batch.
    return start.centers.copy(), np.full(len(start.centers), size / len(start.centers))


def check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from has other features, or too few centers."""
    check_alike(feature_dim=(start.width, settings.feature_dim))
    streaming = len(start.centers) if start.streaming is None else len(start.streaming)
    if settings.k > streaming or (settings.k != len(start.centers) and start.streaming is None):
        raise UserError(
            f"k: must fit the model to start from, which has {len(start.centers)} centers, {streaming} while "
            f"streaming; it is {settings.k}."
        )


def sample(k: int, d: int, half_life: int, seed: int) -> Sample:
    """An empty one, of the rows that centers are refined on."""
    size = 4 * d
    usual, needed = min(SAMPLE, SAMPLE_BYTES // size), SAMPLE_A_CENTER * k
    capacity = max(1, min(max(usual, needed), SAMPLE_MOST_BYTES // size))
    return Sample(capacity, d, seed_of(seed, SAMPLING), half_life)
