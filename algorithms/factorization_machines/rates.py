"""The numbers of a step of Adam, of MXNet's form: weight decay is part of the gradient, which is clipped behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

BETA_1, BETA_2 = 0.9, 0.999


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The numbers of a step. Of the linear weights and of the factors each the rate and the weight decay; a rate of 0
    is no step."""

    scale: float  # what sums of gradients are multiplied by
    averaged: bool  # whether that is 1 / the rows instead
    clip: float
    eps: float  # beside the corrected root
    first: float  # what the means are divided by to be unbiased
    second: float
    bias: float
    decay: float  # of the bias
    linear: tuple[float, float]
    factors: tuple[float, float]

    def of_rows(self, rows: int) -> Rates:
        """For a batch of so many."""
        return replace(self, scale=1 / max(rows, 1)) if self.averaged else self

    def packed(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `backward` takes them."""
        shared = [self.scale, 1 - BETA_1, 1 - BETA_2, self.clip, 1 / self.second, self.eps]
        with np.errstate(over="ignore"):  # a rate that is far too large ends in weights that are not finite
            return (
                np.array([*shared, self.linear[0] / self.first, self.linear[1]], np.float32),
                np.array([self.factors[0] / self.first, self.factors[1]], np.float32),
            )
