"""Losses and gradients of the kernels are those of torch, whatever the network looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq import gradients, kernels_torch
from algoport.algorithms.seq2seq.design import Design, initial_weights
from algoport.algorithms.seq2seq.gradients import Dropout
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.pairs import Pairs

SMALL: dict[str, object] = {
    "num_embed_source": 7,
    "num_embed_target": 6,
    "rnn_num_hidden": 8,
    "rnn_attention_num_hidden": 5,
    "cnn_num_hidden": 9,
    "max_seq_len_source": 12,
    "max_seq_len_target": 12,
}
SHAPES: dict[str, dict[str, object]] = {
    "plain": {},
    "gru": {"rnn_cell_type": "gru"},
    "dot": {"rnn_attention_type": "dot", "rnn_decoder_state_init": "avg"},
    "bilinear": {"rnn_attention_type": "bilinear", "rnn_decoder_state_init": "zero"},
    "fixed": {"rnn_attention_type": "fixed", "rnn_cell_type": "gru", "rnn_decoder_state_init": "avg"},
    "deep": {"num_layers_encoder": 3, "num_layers_decoder": 3, "rnn_residual_connections": True},
    "deep gru": {
        "num_layers_encoder": 2,
        "num_layers_decoder": 2,
        "rnn_cell_type": "gru",
        "rnn_attention_in_upper_layers": False,
    },
    "cnn": {"encoder_type": "cnn", "decoder_type": "cnn", "num_layers_encoder": 2, "num_layers_decoder": 2},
    "cnn to rnn": {"encoder_type": "cnn", "rnn_attention_type": "dot", "cnn_activation_type": "softrelu"},
    "rnn to cnn": {"decoder_type": "cnn", "cnn_activation_type": "tanh", "cnn_kernel_width_decoder": 2},
    "cnn relu": {"encoder_type": "cnn", "decoder_type": "cnn", "cnn_activation_type": "relu"},
    "cnn sigmoid": {"encoder_type": "cnn", "cnn_activation_type": "sigmoid", "cnn_kernel_width_encoder": 4},
}


def pairs(count: int = 9, seed: int = 0) -> Pairs:
    """Sentences of 1 to 11 tokens."""
    random = np.random.default_rng(seed)
    sides = [[random.integers(4, 20, random.integers(1, 12)).tolist() for _ in range(count)] for _ in range(2)]
    return Pairs(*map(Ragged.of, sides))


def made(shape: dict[str, object]) -> tuple[Design, Any]:
    """A design and weights that are no zeros."""
    settings = Hyperparameters.read({**SMALL, **shape})
    design = Design.of(settings, 20, 23)
    flat = initial_weights(design, settings, 3)
    return design, flat + 0.05 * np.random.default_rng(1).normal(size=flat.shape).astype(np.float32)


@pytest.mark.parametrize("name", SHAPES)
def test_losses_and_gradients_are_those_of_torch(name: str) -> None:
    design, flat = made(SHAPES[name])
    some = pairs()
    dropout = Dropout(keys=some.keys(1))
    mine, theirs = np.full_like(flat, np.nan), np.empty_like(flat)

    own = gradients.gradient_(design, design.split(flat), some, dropout, design.split(mine))

    other = kernels_torch.gradient_(design, flat, some, dropout, theirs, "cpu")
    assert np.isclose(own.losses.sum(), other.losses.sum(), rtol=1e-5)
    assert own.right.sum() == other.right.sum()
    for part, (got, want) in {
        name: (got, design.split(theirs)[name]) for name, got in design.split(mine).items()
    }.items():
        np.testing.assert_allclose(got, want, atol=2e-4, rtol=2e-3, err_msg=part)
    again = gradients.losses(design, design.split(flat), some)
    np.testing.assert_allclose(again.losses, own.losses, rtol=1e-5)
