"""What a model's files must hold: they come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object2vec.hyperparameters import BILSTM, COMPARATORS, HCNN, POOLED, REGRESSION, SOFTMAX
from algoport.algorithms.object2vec.shapes import EncoderShape, Shape
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single
from algoport.algorithms.shared.text.vocabulary import Vocabulary

_ENCODER = {
    "vocab_size": (2, 3_000_000), "token_dim": (2, 1000), "max_seq_len": (1, 5000), "dim": (2, 10_000),
    "layers": (0, 4), "filter_width": (1, 9),
}  # fmt: skip


def shape(facts: Mapping[str, Any]) -> Shape:
    """The shape of a model; `UserError` where a fact is missing or wrong."""
    given = facts.get("encoders")
    if not isinstance(given, list) or len(given) != 2 or not all(isinstance(own, dict) for own in given):
        raise UserError(f"{artifact.FACTS}: encoders must be a list of two objects.")
    encoders = [_encoder(own) for own in given]
    tied, comparators = facts.get("tied"), facts.get("comparators")
    if not isinstance(tied, bool):
        raise UserError(f"{artifact.FACTS}: tied must be true or false; it is {str(tied)[:40]!r}.")
    if not isinstance(comparators, list) or not 1 <= len(comparators) <= 8 or not set(comparators) <= set(COMPARATORS):
        raise UserError(f"{artifact.FACTS}: comparators must be a list of some of {', '.join(COMPARATORS)}.")
    own = Shape(
        encoders=(encoders[0], encoders[1]),
        tied=tied,
        comparators=tuple(comparators),
        mlp_layers=_whole(facts, "mlp_layers", 0, 10),
        mlp_dim=_whole(facts, "mlp_dim", 2, 10_000),
        mlp_activation=_word(facts, "mlp_activation", "tanh", "relu", "linear"),
        output_layer=_word(facts, "output_layer", SOFTMAX, REGRESSION),
        outputs=_whole(facts, "outputs", 1, 30),
    )
    if encoders[0].dim != encoders[1].dim:
        raise UserError(f"{artifact.FACTS}: both encoders must have one dim; they have {[e.dim for e in encoders]}.")
    sizes = [(encoder.vocab_size, encoder.token_dim) for encoder in encoders]
    if tied and sizes[0] != sizes[1]:
        raise UserError(f"{artifact.FACTS}: tied encoders must have one vocab_size and token_dim; they have {sizes}.")
    if own.outputs != 1 and own.output_layer == REGRESSION:
        raise UserError(f"{artifact.FACTS}: outputs must be 1 of {REGRESSION}; it is {own.outputs}.")
    return own


def arrays(
    given: Mapping[str, NDArray[Any]], own: Shape
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Weights and tables of a model of that shape; `UserError` where one is missing, or has another."""
    sizes: dict[str, tuple[int, ...]] = {**own.weights, **own.tables}
    if sum(map(math.prod, sizes.values())) > sum(each.size for each in given.values()):
        raise UserError(f"{artifact.ARRAYS}: must have the weights of the network of {artifact.FACTS}; it has fewer.")
    read = {
        name: single(given, name, size, f"{size} finite numbers", file=artifact.ARRAYS) for name, size in sizes.items()
    }
    return {name: read[name] for name in own.weights}, {name: read[name] for name in own.tables}


def vocabularies(facts: Mapping[str, Any], own: Shape) -> tuple[Vocabulary | None, Vocabulary | None]:
    """The tokens of both encoders, where they are known."""
    given = facts.get("vocabularies", [None, None])
    if not isinstance(given, list) or len(given) != 2:
        raise UserError(f"{artifact.FACTS}: vocabularies must be a list of two.")
    read = [Vocabulary.of_facts(words, artifact.FACTS) for words in given]
    for words, encoder in zip(read, own.encoders, strict=True):
        if words is not None and len(words) != encoder.vocab_size:
            raise UserError(
                f"{artifact.FACTS}: a vocabulary must have vocab_size ({encoder.vocab_size}) words; it has "
                f"{len(words)}."
            )
    return read[0], read[1]


def _encoder(given: Mapping[str, Any]) -> EncoderShape:
    network = _word(given, "network", HCNN, BILSTM, POOLED)
    numbers = {name: _whole(given, name, *bounds) for name, bounds in _ENCODER.items()}
    if network != POOLED and (numbers["layers"] < 1 or numbers["dim"] < numbers["layers"]):
        raise UserError(f"{artifact.FACTS}: layers of {network} must be from 1 to 4; it is {numbers['layers']}.")
    if network == BILSTM and numbers["dim"] % 2:
        raise UserError(f"{artifact.FACTS}: dim of {network} must be even; it is {numbers['dim']}.")
    return EncoderShape(network=network, **numbers)


def _whole(given: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = given.get(name)
    if type(value) is not int or not least <= value <= most:
        raise UserError(
            f"{artifact.FACTS}: {name} must be a whole number from {least} to {most}; it is {str(value)[:40]!r}."
        )
    return value


def _word(given: Mapping[str, Any], name: str, *words: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or value not in words:
        raise UserError(f"{artifact.FACTS}: {name} must be one of {', '.join(words)}; it is {str(value)[:40]!r}.")
    return value
