"""A model as other programs read it: libFM's text, and ONNX.    d features   c features seen   k factors"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError

MOST_BYTES = 1 << 30  # of an ONNX file, whose format ends at 2 GB


class Machine(Protocol):
    """What a model is made of."""

    @property
    def width(self) -> int:
        """How many features there are, d."""

    @property
    def predictor_type(self) -> str:
        """What the label is."""

    @property
    def bias(self) -> float:
        """w0."""

    @property
    def features(self) -> NDArray[np.int32]:
        """The features seen (c,), ascending."""

    @property
    def weights(self) -> NDArray[np.float32]:
        """Their linear weights (c,)."""

    @property
    def factors(self) -> NDArray[np.float32]:
        """Their factors (c, k)."""


def libfm(model: Machine) -> Iterator[str]:
    """The lines of libFM's `-save_model`: bias, then a line a feature with its weight, then one with its factors. A
    feature that was never seen has zeros."""
    yield f"#global bias W0\n{model.bias!r}\n#unary interactions Wj\n"
    place = 0
    for feature in range(model.width):
        seen = place < len(model.features) and model.features[place] == feature
        yield f"{model.weights[place]!s}\n" if seen else "0\n"
        place += seen
    yield "#pairwise interactions Vj,f\n"
    nothing = " ".join(["0"] * model.factors.shape[1]) + "\n"
    place = 0
    for feature in range(model.width):
        seen = place < len(model.features) and model.features[place] == feature
        yield " ".join(map(str, model.factors[place])) + "\n" if seen else nothing
        place += seen


def onnx(model: Machine) -> bytes:
    """An ONNX file: `features` (n, d) float32 in, `score` (n, 1) out. `UserError` where d x k is more than it holds."""
    from algoport.algorithms.shared.onnx import Graph

    d, k = model.width, model.factors.shape[1]
    if 4 * d * (k + 2) > MOST_BYTES:
        raise UserError(
            f"feature_dim: an ONNX file has dense rows and factors of each feature, {4 * d * (k + 2):,} bytes of this "
            f"model, where at most {MOST_BYTES:,} are written; take model.safetensors."
        )
    weights, factors = np.zeros((d, 1), np.float32), np.zeros((d, k), np.float32)
    weights[model.features, 0], factors[model.features] = model.weights, model.factors
    graph = Graph(
        "factorization-machines",
        {"features": ["n", d]},
        {"score": ["n", 1]},
        {"predictor_type": model.predictor_type},
    )
    linear = graph.add("MatMul", "features", graph.array("w1", weights))
    sums = graph.add("MatMul", "features", graph.array("v", factors))
    squares = graph.add("MatMul", graph.add("Mul", "features", "features"), graph.array("vv", _own(factors)))
    ones = graph.array("ones", np.ones((k, 1), np.float32))
    pairs = graph.add("Sub", graph.add("MatMul", graph.add("Mul", sums, sums), ones), squares)
    half = graph.add("Mul", pairs, graph.array("half", np.array([0.5], np.float32)))
    whole = graph.add("Add", graph.add("Add", linear, half), graph.array("w0", np.array([model.bias], np.float32)))
    graph.add("Identity" if model.predictor_type == "regressor" else "Sigmoid", whole, out="score")
    return graph.file()


def _own(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The squares of each feature's factors, summed (d, 1)."""
    return np.asarray(np.square(factors, dtype=np.float64).sum(axis=1, keepdims=True), np.float32)
