"""What weights a network has, and of which shapes.    d inputs   h cells   e numbers of a category"""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.forecasting_deepar import kernels_paths
from algorithms.forecasting_deepar.hyperparameters import BETA, DETERMINISTIC, GAUSSIAN, NEGATIVE_BINOMIAL, STUDENT_T

# How many numbers tell the distribution of a point, and which it is for the kernels.
OUTPUTS = {GAUSSIAN: 2, BETA: 2, NEGATIVE_BINOMIAL: 2, STUDENT_T: 3, DETERMINISTIC: 1}
NUMBERS = {
    GAUSSIAN: kernels_paths.GAUSSIAN,
    BETA: kernels_paths.BETA,
    NEGATIVE_BINOMIAL: kernels_paths.COUNTS,
    STUDENT_T: kernels_paths.STUDENT,
    DETERMINISTIC: kernels_paths.POINT,
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a network."""

    inputs: int  # d, of each step
    cells: int
    layers: int
    outputs: int
    cardinality: tuple[int, ...]
    embedding: int

    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array of weights, in their order."""
        h, gates = self.cells, 4 * self.cells
        found: dict[str, tuple[int, ...]] = {
            f"embedding{place}": (values, self.embedding) for place, values in enumerate(self.cardinality)
        }
        found |= {
            "inputs0": (gates, self.inputs),
            "static0": (gates, 1 + self.embedding * len(self.cardinality)),
            "state0": (gates, h),
            "bias0": (gates,),
        }
        for layer in range(1, self.layers):
            found |= {f"inputs{layer}": (gates, h), f"state{layer}": (gates, h), f"bias{layer}": (gates,)}
        return found | {"head": (self.outputs, h), "head_bias": (self.outputs,)}
