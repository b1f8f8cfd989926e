"""What weights a network has, and of which shapes.    d inputs   h cells   e numbers of a category"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar.hyperparameters import (
    BETA,
    DETERMINISTIC,
    GAUSSIAN,
    NEGATIVE_BINOMIAL,
    STUDENT_T,
)
from algoport.algorithms.forecasting_deepar.kernels import paths
from algoport.algorithms.shared.randomness import GAMMA

# How many parameters the distribution of a point has, and which it is for the kernels.
OUTPUTS = {GAUSSIAN: 2, BETA: 2, NEGATIVE_BINOMIAL: 2, STUDENT_T: 3, DETERMINISTIC: 1}
NUMBERS = {
    GAUSSIAN: paths.GAUSSIAN,
    BETA: paths.BETA,
    NEGATIVE_BINOMIAL: paths.COUNTS,
    STUDENT_T: paths.STUDENT,
    DETERMINISTIC: paths.POINT,
}

# First biases where lagged targets are part of the location: those are less by 1 than the targets; softplus(-2) = 0.13.
FIRST_OUTPUTS = (1.0, -2.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a network."""

    inputs: int  # d, of each step, of which the lagged targets come first
    lags: int  # how many of these are part of the location beside what the network says; 0: none
    cells: int
    layers: int
    outputs: int
    cardinality: tuple[int, ...]
    embedding: int

    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array of weights, in their order."""
        h, gates = self.cells, 4 * self.cells
        shapes: dict[str, tuple[int, ...]] = {
            f"embedding{place}": (values, self.embedding) for place, values in enumerate(self.cardinality)
        }
        shapes |= {
            "inputs0": (gates, self.inputs),
            "static0": (gates, 1 + self.embedding * len(self.cardinality)),
            "state0": (gates, h),
            "bias0": (gates,),
        }
        for layer in range(1, self.layers):
            shapes |= {f"inputs{layer}": (gates, h), f"state{layer}": (gates, h), f"bias{layer}": (gates,)}
        shapes |= {"head": (self.outputs, h), "head_bias": (self.outputs,)}
        return shapes | {"skip": (self.lags,)} if self.lags else shapes


def views(flat: NDArray[np.float32], shape: Shape) -> dict[str, NDArray[Any]]:
    """The arrays of a flat vector of weights, in its memory."""
    arrays, at = {}, 0
    for name, own in shape.weights().items():
        size = math.prod(own)
        arrays[name] = flat[at : at + size].reshape(own)
        at += size
    return arrays


def layer_keys(keys: NDArray[np.uint64], layer: int) -> NDArray[np.uint64]:
    """Each row's key for the draws of a layer."""
    return keys ^ np.uint64((layer * int(GAMMA)) & (2**64 - 1))


def initial_weights(shape: Shape, seed: Sequence[int], season: int = 0) -> NDArray[np.float32]:
    """First weights: of the recurrence as torch has them for an LSTM.

    Where lagged targets are part of the location, it is that of a season before (the lag number `season`) and nothing
    else at first, and the spread is a tenth of the scale.

    Gates that open to forget less (Jozefowicz et al. 2015) learned no better: Chicago 0.0497 with, 0.0494
    without, one seed each.
    """
    random = np.random.default_rng(seed)
    parts = []
    for name, own in shape.weights().items():
        if name.startswith("embedding"):
            part = random.normal(0, 0.3, own)
        elif name == "skip":
            part = (np.arange(shape.lags) == season).astype(float)
        else:
            part = random.uniform(-1, 1, own) / math.sqrt(shape.cells)
        if shape.lags and name == "head":
            part[0] = 0
        if shape.lags and name == "head_bias":
            part = np.array(FIRST_OUTPUTS[: shape.outputs])
        parts.append(part.ravel())
    return np.concatenate(parts).astype(np.float32)
