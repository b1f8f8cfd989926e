"""The smallest job: sentences of a language of few words, translated word by word and from the end to the beginning."""

from __future__ import annotations

import json

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq.vocabulary import SPECIAL

HYPERPARAMETERS: dict[str, object] = {
    "batch_size": 16,
    "beam_size": 3,
    "bleu_sample_size": 4,
    "bucket_width": 3,
    "checkpoint_frequency_num_batches": 4,
    "learning_rate": 0.01,
    "max_num_epochs": 2,
    "max_seq_len_source": 9,
    "max_seq_len_target": 9,
    "num_embed_source": 8,
    "num_embed_target": 8,
    "rnn_num_hidden": 12,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"max_num_epochs": 120}, {"max_num_epochs": 25})]
CHOICES: list[dict[str, object]] = [
    {"attention_matrix": True},
    {"beam_size": 1, "max_length": 4},
    {"exact": True},
    {"replace_unknown": True},
]
_WORDS = 12


def channels() -> dict[str, Sequences]:
    """A training and a validation channel."""
    return {"train": _pairs(90, 0), "validation": _pairs(20, 1)}


def files() -> dict[str, dict[str, bytes]]:
    """Both vocabularies."""
    sides = {"vocab.src.json": "word", "vocab.trg.json": "Wort"}
    return {"vocab": {name: _vocabulary(stem) for name, stem in sides.items()}}


def requests() -> Sequences:
    """Sentences to translate."""
    source = _pairs(9, 2).tokens("source")
    return Sequences(sequences={"source": source}, present={"source": np.ones(len(source), bool)})


def others() -> list[tuple[dict[str, object], dict[str, Sequences]]]:
    """Other cells, kinds of attention and layers, convolutions, dropout, optimizers and schedules."""
    short: dict[str, object] = {**HYPERPARAMETERS, "max_num_epochs": 1, "bleu_sample_size": 0}
    deep = {"num_layers_encoder": 2, "num_layers_decoder": 2}
    return [
        (
            {
                **short,
                **deep,
                "rnn_cell_type": "gru",
                "rnn_attention_type": "bilinear",
                "rnn_decoder_state_init": "avg",
                "rnn_residual_connections": True,
                "rnn_decoder_hidden_dropout": 0.2,
                "embed_dropout_source": 0.1,
                "optimizer_type": "sgd",
                "momentum": 0.5,
                "lr_scheduler_type": "fixed_rate_inv_t",
            },
            channels(),
        ),
        (
            {
                **short,
                **deep,
                "encoder_type": "cnn",
                "decoder_type": "cnn",
                "cnn_num_hidden": 10,
                "cnn_hidden_dropout": 0.1,
                "optimizer_type": "rmsprop",
                "lr_scheduler_type": "fixed_rate_inv_sqrt_t",
                "bucketing_enabled": False,
            },
            channels(),
        ),
        (
            {
                **short,
                "encoder_type": "cnn",
                "cnn_num_hidden": 10,
                "rnn_attention_type": "fixed",
                "optimizer_type": "sgd",
                "weight_decay": 0.01,
                "weight_init_type": "uniform",
                "weight_init_scale": 0.1,
                "rnn_decoder_state_init": "zero",
            },
            channels(),
        ),
    ]


def _vocabulary(stem: str) -> bytes:
    tokens = [*SPECIAL, *(f"{stem}{number}" for number in range(_WORDS))]
    return json.dumps({token: number for number, token in enumerate(tokens)}).encode()


def _pairs(count: int, seed: int) -> Sequences:
    random = np.random.default_rng(seed)
    source = [random.integers(len(SPECIAL), len(SPECIAL) + _WORDS, random.integers(1, 9)) for _ in range(count)]
    sides = {"source": Ragged.of([each.tolist() for each in source])}
    sides["target"] = Ragged.of([each[::-1].tolist() for each in source])
    return Sequences(sequences=sides, present={name: np.ones(count, bool) for name in sides})
