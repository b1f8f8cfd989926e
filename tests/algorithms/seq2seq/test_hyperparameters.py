"""What may be set."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.seq2seq import schema
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.example import HYPERPARAMETERS
from algoport.algorithms.seq2seq.hyperparameters import MOST_LAYERS, MOST_SIZE, Hyperparameters


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("num_layers_encoder", MOST_LAYERS),
        ("beam_size", MOST_SIZE),
        ("num_embed_source", MOST_SIZE),
        ("rnn_num_hidden", MOST_SIZE),
        ("rnn_attention_num_hidden", MOST_SIZE),
        ("cnn_kernel_width_encoder", MOST_SIZE),
    ],
)
def test_what_no_model_could_have_is_refused_before_training(name: str, most: int) -> None:
    """A job would end well, and its model could not be loaded."""
    settings = Hyperparameters.read({**HYPERPARAMETERS, name: most})
    ratios = {"length_ratio_mean": 1, "length_ratio_deviation": 0, "beam_size": settings.beam_size}

    assert schema.facts({**vars(Design.of(settings, 10, 10)), **ratios})
    with pytest.raises(UserError, match=f"{name}: must be at most {most}; it is {most + 2}"):
        Hyperparameters.read({**HYPERPARAMETERS, name: most + 2})
