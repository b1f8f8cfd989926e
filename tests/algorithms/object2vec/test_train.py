"""Training by the kernels for means: the same as by the passes by hand, however many steps are read together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.object2vec import means
from algoport.algorithms.object2vec.example import channels
from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
from algoport.algorithms.object2vec.train import fit

GIVEN: dict[str, object] = {
    "enc0_network": "pooled_embedding", "enc0_vocab_size": 20, "enc0_max_seq_len": 8, "enc0_token_embedding_dim": 7,
    "mlp_dim": 9, "mlp_activation": "tanh", "epochs": 4, "mini_batch_size": 16, "learning_rate": 0.01,
}  # fmt: skip


def trained(**more: object) -> dict[str, Any]:
    given = channels()
    settings = Hyperparameters.read({**GIVEN, **more})
    model = fit(Job(hyperparameters=settings, channels={name: Memory(given[name]) for name in ("train", "validation")}))
    return {**model.weights, **model.tables}


@pytest.mark.parametrize("together", [1, 32, 48])
def test_how_many_steps_are_read_together_changes_no_bit(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained()
    monkeypatch.setattr(means, "TOGETHER", together)

    for name, own in trained().items():
        np.testing.assert_array_equal(own, whole[name])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tied_token_embedding_weight": True, "token_embedding_storage_type": "row_sparse"},
        {"weight_decay": 0.001, "optimizer": "adagrad"},
    ],
)
def test_the_kernels_for_means_train_as_the_passes_by_hand(
    more: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = trained(**more)
    monkeypatch.setattr(means.Passes, "fit", lambda shape: False)

    for name, own in trained(**more).items():
        np.testing.assert_allclose(ours[name], own, rtol=2e-3, atol=2e-4)
