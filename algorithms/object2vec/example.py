"""The smallest job: pairs of which those whose tokens are of one kind belong together."""

from __future__ import annotations

import json

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences

HYPERPARAMETERS: dict[str, object] = {
    "enc0_vocab_size": 20,
    "enc0_max_seq_len": 8,
    "enc0_token_embedding_dim": 6,
    "enc_dim": 16,
    "enc0_layers": 2,
    "mlp_dim": 8,
    "mlp_layers": 1,
    "mlp_activation": "tanh",
    "epochs": 3,
    "mini_batch_size": 16,
    "learning_rate": 0.005,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [
    (
        {"epochs": 100, "early_stopping_patience": 5, "early_stopping_tolerance": 1e-6, "enc_dim": 128},
        {"epochs": 30, "early_stopping_patience": 5, "early_stopping_tolerance": 1e-6},
    )
]
SIZE = 20
CHOICES: list[dict[str, object]] = [{"infer_max_seqlens": "3,4"}]


def channels() -> dict[str, Sequences]:
    """A training, a validation and a test channel."""
    return {"train": _pairs(83, 0), "validation": _pairs(21, 1), "test": _pairs(19, 2)}


def files() -> dict[str, dict[str, bytes]]:
    """The tokens' ids, and vectors of most of them."""
    random = np.random.default_rng(3)
    words = [f"word{number}" for number in range(SIZE)]
    lines = [f"{word} " + " ".join(f"{value:.4f}" for value in random.normal(size=6)) for word in words[:-1]]
    ids = json.dumps({word: number for number, word in enumerate(words)})
    return {"auxiliary": {"vocab.json": ids.encode(), "vectors.txt": "\n".join(lines).encode()}}


def requests() -> Sequences:
    """Pairs without labels."""
    own = _pairs(11, 4)
    return Sequences(sequences=own.sequences, present=own.present)


def others() -> list[tuple[dict[str, object], dict[str, Sequences]]]:
    """Every encoder, optimizer and output, tables of either kind, negatives, dropout, and given token vectors."""
    short: dict[str, object] = {**HYPERPARAMETERS, "epochs": 1}
    given = {"enc0_vocab_file": "vocab.json", "enc0_pretrained_embedding_file": "vectors.txt"}
    scores = {name: _pairs(40, seed, classes=False) for seed, name in enumerate(("train", "validation", "test"))}
    lstm = {"enc0_network": "bilstm", "enc0_layers": "2"}
    pooled = {"enc0_network": "pooled_embedding", "optimizer": "adagrad", "token_embedding_storage_type": "row_sparse"}
    means: dict[str, object] = {"enc0_network": "pooled_embedding", "enc1_network": "enc0"}
    other = {"enc1_network": "pooled_embedding", "enc1_vocab_size": 20, "enc1_max_seq_len": 8}
    return [
        ({**short, **lstm, "output_layer": "mean_squared_error", "dropout": 0.2, "mlp_activation": "relu"}, scores),
        (
            {**short, **pooled, "tied_token_embedding_weight": True, "negative_sampling_rate": 2, "epochs": 2},
            channels(),
        ),
        ({**short, **other, "enc1_token_embedding_dim": 5, "optimizer": "sgd", "mlp_layers": 0}, channels()),
        ({**short, **given, "optimizer": "rmsprop", "comparator_list": "abs_diff"}, channels()),
        ({**short, "optimizer": "adadelta", "weight_decay": 0.01, "enc0_cnn_filter_width": 1}, channels()),
        ({**short, "optimizer": "adam", "token_embedding_storage_type": "row_sparse"}, channels()),
        ({**short, **means}, channels()),
        ({**short, **means, "weight_decay": 0.01, "output_layer": "mean_squared_error"}, scores),
    ]


def _pairs(count: int, seed: int, *, classes: bool = True) -> Sequences:
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 2, (2, count))
    sides = []
    for side in (0, 1):
        lengths = random.integers(1, 7, count)
        sides.append(
            [
                random.integers(0, SIZE // 2, length) + SIZE // 2 * kind
                for length, kind in zip(lengths, kinds[side], strict=True)
            ]
        )
    label = (kinds[0] == kinds[1]).astype(np.float32)
    if not classes:
        label += random.normal(0, 0.1, count).astype(np.float32)
    return Sequences(
        sequences={"in0": Ragged.of(sides[0]), "in1": Ragged.of(sides[1])},
        present={name: np.ones(count, np.bool_) for name in ("in0", "in1")},
        label=label[:, None],
    )
