"""The channel `auxiliary`: pretrained token vectors, and the ids of tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError, one_line
from algoport.algorithms.contract.explanations import json_fault
from algoport.algorithms.object2vec.hyperparameters import SAME, Hyperparameters
from algoport.algorithms.object2vec.shapes import Shape
from algoport.algorithms.shared.text import vectors
from algoport.algorithms.shared.text.vocabulary import LIMIT, Vocabulary

CHANNEL = "auxiliary"


@dataclass(frozen=True, eq=False)
class Given:
    """What is known of the tokens of one encoder."""

    vocabulary: Vocabulary | None = None
    vectors: NDArray[np.float32] | None = None  # (v, d)
    known: NDArray[np.bool_] | None = None  # (v,) which rows of them were read


def read(
    files: Mapping[str, Auxiliary], settings: Hyperparameters, shape: Shape, note: Callable[[str], None]
) -> tuple[Given, Given]:
    """Of both encoders. `UserError` where a file is not there, or is not what it must be."""
    own = [_read(files, settings, shape, side, note) for side in ((0, 1) if settings.enc1_network != SAME else (0,))]
    return own[0], own[-1]


def _read(
    files: Mapping[str, Auxiliary], settings: Hyperparameters, shape: Shape, side: int, note: Callable[[str], None]
) -> Given:
    words, name = (getattr(settings, f"enc{side}_{name}") for name in ("vocab_file", "pretrained_embedding_file"))
    if not words:
        return Given()
    channel = files.get(CHANNEL)
    if channel is None:
        raise UserError(
            f"enc{side}_vocab_file: must be a file of the channel '{CHANNEL}', which this job was not given; it is "
            f"{words}."
        )
    encoder = shape.encoders[side]
    vocabulary = _vocabulary(channel, words, encoder.vocab_size, side)
    if not name:
        return Given(vocabulary)
    own = vectors.read(channel, name, vocabulary.words)
    width = own.vectors.shape[1]
    if width != encoder.token_dim:
        raise UserError(
            f"enc{side}_token_embedding_dim: must be the length of the vectors of {CHANNEL}/{name}, {width}; it is "
            f"{encoder.token_dim}."
        )
    known = own.known & np.array([bool(word) for word in vocabulary.words])
    if not known.any():
        raise UserError(f"{CHANNEL}/{name}: must have a vector of a token of {CHANNEL}/{words}; it has none of them.")
    count = sum(map(bool, vocabulary.words))
    note(f"{int(known.sum())} of the {count} tokens of {CHANNEL}/{words} have a vector in {CHANNEL}/{name}.")
    return Given(vocabulary, own.vectors, known)


def _vocabulary(channel: Auxiliary, name: str, size: int, side: int) -> Vocabulary:
    """The tokens in the order of their ids, empty where an id has none."""
    place = f"{CHANNEL}/{name}"
    try:
        tokens = json.loads(channel.read(name, limit=LIMIT))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{place}: must be a JSON object from token to id; it is not JSON: {json_fault(error)}."
        ) from None
    if not isinstance(tokens, dict) or not tokens:
        raise UserError(f"{place}: must be a JSON object from token to id, with at least one token.")
    words = [""] * size
    for token, number in tokens.items():
        if type(number) is not int or not 0 <= number < size:
            raise UserError(
                f"{place}: the id of '{one_line(token, 40)}' must be a whole number from 0 to {size - 1} "
                f"(enc{side}_vocab_size - 1); it is {one_line(str(number), 40)}."
            )
        if words[number]:
            raise UserError(
                f"{place}: an id must be of one token; {number} is of '{one_line(words[number], 40)}' and of "
                f"'{one_line(token, 40)}'."
            )
        words[number] = token
    return Vocabulary(tuple(words))
