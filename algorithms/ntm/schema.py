"""What a model's files must hold: they come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.ntm.gradients import ACTIVATIONS
from algoport.algorithms.ntm.shapes import TOPICS, WORDS, Shape
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single
from algoport.algorithms.shared.text.vocabulary import Vocabulary

_MOST = {"feature_dim": 1_000_000, "num_topics": 1000}
_MOST_LAYERS, _MOST_OUTPUTS = 20, 100_000


def facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a model that are no arrays; `UserError` where one is missing or wrong."""
    own: dict[str, Any] = {name: _whole(given.get(name), name, most) for name, most in _MOST.items()}
    layers = given.get("encoder_layers")
    if not isinstance(layers, list) or not 1 <= len(layers) <= _MOST_LAYERS:
        raise UserError(f"{artifact.FACTS}: encoder_layers must be a list of 1 to {_MOST_LAYERS} whole numbers.")
    own["layers"] = tuple(_whole(outputs, "encoder_layers", _MOST_OUTPUTS) for outputs in layers)
    activation, batch_norm = given.get("encoder_layers_activation"), given.get("batch_norm")
    if activation not in ACTIVATIONS:
        raise UserError(f"{artifact.FACTS}: encoder_layers_activation must be one of {', '.join(ACTIVATIONS)}.")
    if not isinstance(batch_norm, bool):
        raise UserError(f"{artifact.FACTS}: batch_norm must be true or false; it is {batch_norm!r}.")
    vocabulary = Vocabulary.of_facts(given.get("vocabulary"), artifact.FACTS)
    if vocabulary is not None and len(vocabulary) != own["feature_dim"]:
        raise UserError(
            f"{artifact.FACTS}: vocabulary must have feature_dim ({own['feature_dim']}) words; it has "
            f"{len(vocabulary)}."
        )
    return {**own, "activation": activation, "batch_norm": batch_norm, "vocabulary": vocabulary}


def arrays(
    given: Mapping[str, NDArray[Any]], shape: Shape, *, batch_norm: bool
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Weights and statistics of a model of that shape; `UserError` where one is missing, or has another."""
    plain = {WORDS: (shape.feature_dim,), TOPICS: (shape.num_topics, shape.feature_dim)}
    sizes = {**shape.weights, **plain}
    if math.prod(sizes["layer0"]) > sum(own.size for own in given.values()):
        raise UserError(f"{artifact.ARRAYS}: 'layer0' must be {sizes['layer0']} finite numbers; there are fewer.")
    weights = {name: _array(given, name, size) for name, size in sizes.items()}
    statistics: dict[str, NDArray[np.float32]] = {}
    for name, size in shape.statistics.items() if batch_norm else ():
        own = statistics[name] = _array(given, f"statistics.{name}", size)
        if name != TOPICS and (own[1] < 0).any():
            raise UserError(f"{artifact.ARRAYS}: the variances in 'statistics.{name}' must not be negative.")
    return weights, statistics


def _array(given: Mapping[str, NDArray[Any]], name: str, size: tuple[int, ...]) -> NDArray[np.float32]:
    return single(given, name, size, f"{size} finite numbers", file=artifact.ARRAYS)


def _whole(value: object, name: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise UserError(f"{artifact.FACTS}: {name} must be a whole number from 1 to {most}; it is {value!r}.")
    return value
