"""Anchors: the boxes at each place of feature maps, from which a detector's boxes are offsets (Liu et al. 2016).

h, w places of a map   a anchors
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# What offsets are divided by: of centers, and of logarithms of sides.
VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)


def of_map(
    shape: tuple[int, int],  # h, w
    sizes: Sequence[float],  # sides in fractions of the picture
    ratios: Sequence[float],  # width to height
    step: float | None = None,  # from place to place, in fractions of the picture; None: 1 / h and 1 / w
) -> NDArray[np.float32]:
    """Corners (h * w * (sizes + ratios - 1), 4) float32, place by place: the first ratio with each size, then the other
    ratios with the first size. They may reach over the edge of the picture."""
    h, w = shape
    pairs = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    down, across = (step, step) if step is not None else (1 / h, 1 / w)
    rows = []
    for y, x in itertools.product(range(h), range(w)):
        for size, ratio in pairs:
            half_wide = size * h / w * math.sqrt(ratio) / 2
            half_high = size / math.sqrt(ratio) / 2
            middle_x, middle_y = (x + 0.5) * across, (y + 0.5) * down
            rows.append((middle_x - half_wide, middle_y - half_high, middle_x + half_wide, middle_y + half_high))
    return np.array(rows, np.float64).astype(np.float32)
