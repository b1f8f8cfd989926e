"""What a model's files must hold: they come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.seq2seq import convolution
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.hyperparameters import MOST_LAYERS, MOST_SIZE
from algoport.algorithms.seq2seq.vocabulary import LIMIT, MOST, SOURCE, TARGET, Vocabulary
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single
from algoport.algorithms.shared.model_folder import read_file

_WORDS = {
    "encoder_type": ("rnn", "cnn"),
    "decoder_type": ("rnn", "cnn"),
    "rnn_cell_type": ("lstm", "gru"),
    "rnn_attention_type": ("dot", "fixed", "mlp", "bilinear"),
    "rnn_decoder_state_init": ("last", "avg", "zero"),
    "cnn_activation_type": convolution.ACTIVATIONS,
}
_FLAGS = ("rnn_attention_in_upper_layers", "rnn_residual_connections")
_MOST = {
    **{"source_words": MOST, "target_words": MOST},
    **{"num_layers_encoder": MOST_LAYERS, "num_layers_decoder": MOST_LAYERS},
}
_MOST_RATIO = 1e6


def facts(given: Mapping[str, Any]) -> tuple[Design, dict[str, Any]]:
    """The design of a model, and its other figures; `UserError` where one is missing or wrong."""
    own: dict[str, Any] = {}
    for name in Design.__dataclass_fields__:
        value = given.get(name)
        if name in _WORDS:
            if value not in _WORDS[name]:
                raise UserError(f"{artifact.FACTS}: {name} must be one of {', '.join(_WORDS[name])}; it is {value!r}.")
        elif name in _FLAGS:
            if not isinstance(value, bool):
                raise UserError(f"{artifact.FACTS}: {name} must be true or false; it is {value!r}.")
        else:
            _check_whole(value, name, _MOST.get(name, MOST_SIZE))
        own[name] = value
    if own["rnn_num_hidden"] % 2:
        raise UserError(f"{artifact.FACTS}: rnn_num_hidden must be even; it is {own['rnn_num_hidden']}.")
    more: dict[str, Any] = {"beam_size": given.get("beam_size")}
    _check_whole(more["beam_size"], "beam_size", MOST_SIZE)
    for name in ("length_ratio_mean", "length_ratio_deviation"):
        value = given.get(name)
        if type(value) not in (int, float) or not 0 <= float(str(value)) <= _MOST_RATIO:
            raise UserError(f"{artifact.FACTS}: {name} must be a number from 0 to {_MOST_RATIO:g}; it is {value!r}.")
        more[name] = float(str(value))
    return Design(**own), more


def vocabularies(folder: Path, design: Design) -> tuple[Vocabulary, Vocabulary]:
    """Both; `UserError` where a file is missing or is not of the design's size."""
    read = []
    for name, size in ((SOURCE, design.source_words), (TARGET, design.target_words)):
        try:
            text = read_file(folder / name, LIMIT)
        except FileNotFoundError:
            raise UserError(f"{name}: is missing beside {artifact.FACTS}.") from None
        own = Vocabulary.parse(text, name)
        if len(own) != size:
            raise UserError(f"{name}: must have {size} tokens, as {artifact.FACTS} says; it has {len(own)}.")
        read.append(own)
    return read[0], read[1]


def arrays(given: Mapping[str, NDArray[Any]], design: Design) -> dict[str, NDArray[np.float32]]:
    """The weights of a model of that design; `UserError` where one is missing or has another shape."""
    shapes, there = design.shapes, sum(own.size for own in given.values())
    if sum(map(math.prod, shapes.values())) > there:
        raise UserError(f"{artifact.ARRAYS}: must have all weights of the network; it has {there} numbers, too few.")
    return {
        name: single(given, name, shape, f"{shape} finite numbers", file=artifact.ARRAYS)
        for name, shape in shapes.items()
    }


def _check_whole(value: object, name: str, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise UserError(f"{artifact.FACTS}: {name} must be a whole number from 1 to {most}; it is {value!r}.")
